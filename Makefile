# SPDX-License-Identifier: GPL-2.0-or-later
#
# Thin: every target is a script that does nothing when nothing is to be done.

LAYERS := unit fuzz qtest host libvirt guest rig

.DEFAULT_GOAL := all
.PHONY: all san demo fuzz check check-style kernel clean help $(LAYERS:%=check-%) check-sva check-san check-stock check-coverage bench bench-instructions

build/config.mak:
	@./configure

all: build/config.mak
	@scripts/build-qemu

san: build/config.mak
	@scripts/build-qemu --san

check: build/config.mak
	@scripts/check $(LAYERS)

check-unit check-fuzz: check-%:
	@scripts/check $*

fuzz:
	@scripts/fuzz

check-coverage:
	@scripts/check-coverage

check-qtest check-host check-libvirt check-guest check-rig check-stock: check-%: build/config.mak
	@scripts/check $*

check-sva: build/config.mak
	@scripts/check sva sva-rig

check-san: build/config.mak
	@scripts/check qtest-san host-san

check-style:
	@scripts/check-style

kernel:
	@scripts/build-kernel

demo: all kernel
	@scripts/install-packages guest
	@tests/rig/build
	@tests/rig/demo

bench: build/config.mak
	@scripts/build-bench
	@set -f; tests/bench/run $(if $(filter short,$(BENCH)),--short) $(ROW)

bench-instructions: build/config.mak
	@scripts/build-bench
	@set -f; tests/bench/run --instructions $(if $(PROFILE),-v) $(ROW)

clean:
	rm -rf build

help:
	@echo 'make              build/qemu-system-x86_64: QEMU with this intel-iommu'
	@echo 'make demo         the whole path, told hop by hop, with a verdict'
	@echo 'make check        all tests; one layer: $(LAYERS:%=check-%)'
	@echo 'make fuzz         look for failing inputs; FUZZ_SECONDS=60 for each program'
	@echo 'make check-sva    processes that share their address space with a device'
	@echo 'make check-san    the qtests on the build with sanitizers'
	@echo 'make check-stock  compare with the same QEMU that has its own intel-iommu'
	@echo 'make check-coverage  how much of the model its unit tests run'
	@echo 'make bench        what it costs, beside the same QEMU with its own intel-iommu;'
	@echo '                  BENCH=short: a minute; ROW=PATTERN: these rows only'
	@echo 'make bench-instructions  the same in instructions, exact, with targets'
	@echo 'make check-style  layout and first lines of the source files'
	@echo 'make kernel       build/kernel: the Linux kernel of the rig'
	@echo 'make san          a second build with sanitizers (see ./configure --help)'
	@echo 'make clean        remove build/; what was fetched stays in the cache'
	@echo './configure --help lists the options, among them --qemu-source=DIR'
