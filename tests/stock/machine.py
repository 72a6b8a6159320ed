# SPDX-License-Identifier: GPL-2.0-or-later
"""One QEMU without a processor, driven through qtest and QMP."""
import json
import re
import socket
import subprocess
import time

SECONDS = 120        # for any one answer; the machine may be busy
UNANSWERED = 100     # writes on their way before their answers are read


class Broken(Exception):
    """QEMU has ended, or did not answer."""


class Lines:
    """Lines over a socket."""

    def __init__(self, connection):
        self.socket = connection
        self.socket.settimeout(SECONDS)
        self.buffer = b''

    def send(self, text):
        try:
            self.socket.sendall(text.encode())
        except OSError as problem:
            raise Broken(str(problem)) from problem

    def receive(self):
        while b'\n' not in self.buffer:
            try:
                data = self.socket.recv(65536)
            except OSError as problem:
                raise Broken(str(problem)) from problem
            if not data:
                raise Broken('QEMU has ended')
            self.buffer += data
        line, self.buffer = self.buffer.split(b'\n', 1)
        return line.decode()


class Machine:
    """QEMU; writes are sent ahead, so what was written is seen by a read."""

    def __init__(self, binary, arguments, log):
        self.log = log
        ends = [socket.socketpair() for _ in range(2)]
        fds = [theirs.fileno() for _, theirs in ends]
        command = [
            binary, '-machine', 'q35', '-m', '128M', '-accel', 'qtest',
            '-nodefaults', '-display', 'none',
            '-chardev', f'socket,id=qtest,fd={fds[0]}',
            '-qtest', 'chardev:qtest', '-qtest-log', '/dev/null',
            '-chardev', f'socket,id=qmp,fd={fds[1]}',
            '-mon', 'chardev=qmp,mode=control', *arguments]
        self.process = subprocess.Popen(
            command, pass_fds=fds, stdin=subprocess.DEVNULL, stdout=log,
            stderr=log)
        for _, theirs in ends:
            theirs.close()
        self.qtest, self.qmp = (Lines(ours) for ours, _ in ends)
        self.unanswered = 0
        self.events = []
        try:
            self.qmp.receive()
            self.command('qmp_capabilities')
        except Broken:
            self.end()
            raise

    def end(self):
        """End the process; its exit status."""
        self.qtest.socket.close()
        self.qmp.socket.close()
        if self.process.poll() is None:
            self.process.terminate()
        try:
            return self.process.wait(SECONDS)
        except subprocess.TimeoutExpired:
            self.process.kill()
            return self.process.wait()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.end()

    # QMP

    def command(self, name, **arguments):
        self.settle()
        self.qmp.send(json.dumps({'execute': name,
                                  'arguments': arguments}) + '\n')
        while True:
            reply = json.loads(self.qmp.receive())
            if 'event' in reply:
                self.events.append(reply['event'])
            elif 'error' in reply:
                raise Broken(f"{name}: {reply['error']['desc']}")
            else:
                return reply['return']

    def wait_event(self, name):
        while name not in self.events:
            reply = json.loads(self.qmp.receive())
            if 'event' in reply:
                self.events.append(reply['event'])
        self.events.remove(name)

    def wait_query(self, query, *statuses):
        deadline = time.monotonic() + SECONDS
        while True:
            status = self.command(query).get('status')
            if status in statuses:
                return status
            if time.monotonic() > deadline:
                raise Broken(f'{query}: still {status}')
            time.sleep(0.002)

    def reset(self):
        self.events.clear()
        self.command('system_reset')
        self.wait_event('RESET')

    def pending_vectors(self):
        """Interrupts that processor 0 has been sent."""
        text = self.command('human-monitor-command',
                            **{'command-line': 'info lapic'})
        line = re.search(r'^IRR\s*(.*)$', text, re.M)
        return [word for word in line.group(1).split() if word != '(none)']

    # qtest

    def answer(self):
        line = self.qtest.receive()
        while line.startswith('IRQ'):
            line = self.qtest.receive()
        if not line.startswith('OK'):
            raise Broken(f'qtest: {line}')
        return line[3:]

    def settle(self):
        while self.unanswered:
            self.unanswered -= 1
            self.answer()

    def tell(self, text):
        self.qtest.send(text + '\n')
        self.unanswered += 1
        if self.unanswered > UNANSWERED:
            self.settle()

    def ask(self, text):
        self.qtest.send(text + '\n')
        self.settle()
        return self.answer()

    def read32(self, addr):
        return int(self.ask(f'readl {addr:#x}'), 16)

    def read64(self, addr):
        return int(self.ask(f'readq {addr:#x}'), 16)

    def write32(self, addr, value):
        self.tell(f'writel {addr:#x} {value:#x}')

    def write64(self, addr, value):
        self.tell(f'writeq {addr:#x} {value:#x}')

    def clear(self, addr, size, byte=0):
        self.tell(f'memset {addr:#x} {size:#x} {byte:#x}')

    def config_write32(self, devfn, offset, value):
        self.tell(f'outl 0xcf8 {1 << 31 | devfn << 8 | offset:#x}')
        self.tell(f'outl 0xcfc {value:#x}')

    def config_read32(self, devfn, offset):
        self.tell(f'outl 0xcf8 {1 << 31 | devfn << 8 | offset:#x}')
        return int(self.ask('inl 0xcfc'), 16)
