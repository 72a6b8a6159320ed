# SPDX-License-Identifier: GPL-2.0-or-later
#
# For the cases that run in L1.

ENDPOINT=0x1234:0x5fa0
NVME_CLASS=0x010802

# wait_for SECONDS COMMAND...
wait_for() {
    left=$(($1 * 10))
    shift
    until "$@"; do
        left=$((left - 1))
        [ "$left" -gt 0 ] || return 1
        usleep 100000
    done
}

# find_device VENDOR:DEVICE -> address
find_device() {
    for dir in /sys/bus/pci/devices/*; do
        if [ "$(cat "$dir/vendor"):$(cat "$dir/device")" = "$1" ]; then
            echo "${dir##*/}"
            return
        fi
    done
    echo "no PCI device $1" >&2
    return 1
}

# Give a device to vfio-pci.
pass_through() {
    dir=/sys/bus/pci/devices/$1
    echo vfio-pci >"$dir/driver_override"
    if [ -e "$dir/driver" ]; then
        echo "$1" >"$dir/driver/unbind"
    fi
    echo "$1" >/sys/bus/pci/drivers_probe
    wait_for 10 test -d "$dir/vfio-dev"
}

# The endpoint to vfio-pci; its address is in $RIG_DEVICE from then on.
pass_endpoint() {
    RIG_DEVICE=$(find_device $ENDPOINT) || return 1
    export RIG_DEVICE
    pass_through "$RIG_DEVICE"
}

# find_class CLASS -> address of the first device of it
find_class() {
    for dir in /sys/bus/pci/devices/*; do
        if [ "$(cat "$dir/class")" = "$1" ]; then
            echo "${dir##*/}"
            return
        fi
    done
    echo "no PCI device of class $1" >&2
    return 1
}

results=0
failures=0

# result NAME STATUS [WHY]: one line of TAP; `finish` ends the case.
result() {
    results=$((results + 1))
    if [ "$2" = 0 ]; then
        echo "ok $results - $1"
    else
        failures=$((failures + 1))
        echo "not ok $results - $1 # ${3:-status $2}"
    fi
}

finish() {
    echo "1..$results"
    [ "$failures" = 0 ]
    exit
}

IOMMU=intel-iommu,intremap=off,x-scalable-mode=on,x-flts=on

# refused NAME PATTERN ARGUMENTS...: QEMU ends with status 1 and one error
# that matches PATTERN.  An error may be followed by lines that say what to do.
refused() {
    name=$1 pattern=$2
    shift 2
    timeout -s KILL 300 qemu -L /usr/share/qemu -nodefaults -display none \
        -accel qtest -machine q35 -m 64M "$@" >/tmp/refused 2>&1 </dev/null
    status=$?
    sed 's/^/# /' /tmp/refused
    errors=$(grep '^qemu: ' /tmp/refused | grep -vc '^qemu: warning: ')
    if [ "$status" != 1 ]; then
        result "$name" 1 "QEMU ended with $status"
    elif [ "$errors" != 1 ]; then
        result "$name" 1 "$errors errors"
    else
        grep -q "^qemu: .*$pattern" /tmp/refused
        result "$name" $? "not the expected message"
    fi
}

# refused_device NAME PATTERN PROPERTIES: with the endpoint passed through, and
# PROPERTIES, with a comma in front, on the guest's unit.
refused_device() {
    refused "$1" "$2" -object iommufd,id=iommufd0 -device "$IOMMU$3" \
        -device "vfio-pci,host=$RIG_DEVICE,iommufd=iommufd0"
}

# within NAME COMMAND...: one result for a program that has several itself.
within() {
    name=$1
    shift
    "$@" >/tmp/within 2>&1
    status=$?
    sed 's/^/# /' /tmp/within
    result "$name" $status
}
