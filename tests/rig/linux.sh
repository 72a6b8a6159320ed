# SPDX-License-Identifier: GPL-2.0-or-later
#
# For the cases that boot Linux as L2.  The sum of the disk's first 4 MiB comes
# on the kernel's command line as disk=SHA256.

QMP=/tmp/l2.qmp
L2_CONSOLE=/tmp/l2.console
L2_MESSAGES=/tmp/l2.messages
# Seconds until L2's first process speaks, and between two words of it.
L2_SILENCE=200

# property NAME -> value of the vIOMMU's counter
property() {
    /rig/bin/qmp $QMP "{\"execute\": \"qom-get\", \"arguments\":
        {\"path\": \"/machine/peripheral/viommu\", \"property\": \"$1\"}}" |
        sed -n 's/.*"return": *\([0-9]*\).*/\1/p'
}

# KVM could not go on, or QEMU has ended.
l2_failed() {
    grep -qs '^KVM internal error' $L2_MESSAGES || ! kill -0 "$L2" 2>/dev/null
}

l2_is_up() {
    grep -qs '^L2-INIT' $L2_CONSOLE || l2_failed
}

# As that of L1 the boot of L2 can stall; tests/rig/run tries it once more.
stalled() {
    echo "L2-STALLED"
    exit 1
}

l2_ended() {
    grep -qs '^L2-DONE' $L2_CONSOLE || l2_failed
}

# boot_linux_guest WORDS PROPERTIES DEVICE...: L2 with WORDS on its kernel's
# command line, PROPERTIES of its intel-iommu and these arguments, which give it
# what it works with.
boot_linux_guest() {
    words=$1 properties=$2
    shift 2
    echo "L2-STARTS"
    qemu -accel kvm -cpu host -machine q35,kernel-irqchip=split -m 256M \
        -nodefaults -display none -no-shutdown -serial file:$L2_CONSOLE \
        -qmp unix:$QMP,server=on,wait=off \
        -device "intel-iommu,id=viommu,intremap=on,x-scalable-mode=on,$properties" \
        "$@" -kernel /rig/bzImage -initrd /rig/guest.initrd \
        -append "console=ttyS0 panic=-1 no_timer_check $words" \
        >$L2_MESSAGES 2>&1 &
    L2=$!
}

# Waits until it has done its work; it is left stopped.
wait_linux_guest() {
    wait_for $L2_SILENCE l2_is_up || stalled
    wait_for 600 l2_ended
    tr -d '\r' <$L2_CONSOLE >/tmp/l2.text
    sed 's/^/# /' $L2_MESSAGES
}

run_linux_guest() {
    NVME=$(find_class $NVME_CLASS) || return 1
    pass_through "$NVME"
    boot_linux_guest work=disk x-flts=on,nested=on -object iommufd,id=iommufd0 \
        -device "vfio-pci,host=$NVME,iommufd=iommufd0"
    wait_linux_guest
}

l2_says() {
    sed -n "s/^$1 \([^ ]*\).*/\1/p" /tmp/l2.text
}

test_count=0
test_failures=0

# check NAME CONDITION...
check() {
    test_count=$((test_count + 1))
    if shift_name=$1 && shift && "$@"; then
        echo "ok $test_count - $shift_name"
    else
        echo "not ok $test_count - $shift_name # $*"
        test_failures=$((test_failures + 1))
    fi
}

disk_sum() {
    sed -n 's/.*\bdisk=\([0-9a-f]*\).*/\1/p' /proc/cmdline
}

test_linux_guest() {
    sum=$(disk_sum)
    check "the guest's driver came up" grep -q '^L2-DONE' /tmp/l2.text
    check "its disk is behind a translated domain" \
        test "$(l2_says L2-DOMAIN)" = DMA
    check "what it read is right" test "$(l2_says L2-READ)" = "$sum"
    check "what it wrote is right" test "$(l2_says L2-REREAD)" = "$sum"
    check "the host attached the guest's own table" \
        test "$(property x-host-stage1-hwpts)" -gt 0
    check "the guest invalidated by PASID" \
        test "$(property x-descriptors-pasid-iotlb)" -gt 0
    check "the invalidations reached the host's kernel" \
        test "$(property x-host-invalidation-structs)" -gt 0
    check "the host refused nothing" test "$(property x-host-errors)" = 0
    check "no DMA fault in the guest" \
        sh -c '! grep "^L2-LOG.*DMAR.*\(fault addr\|rror\)" /tmp/l2.text'
    check "no DMA fault in the host" \
        sh -c '! dmesg | grep "DMAR.*\(fault addr\|rror\)"'
    for name in descriptors-wait descriptors-pasid-cache \
        descriptors-pasid-iotlb descriptors-iotlb host-invalidation-structs \
        host-invalidation-ioctls host-attaches host-detaches \
        host-stage1-hwpts; do
        echo "# $name: $(property "x-$name")"
    done
    echo "1..$test_count"
    kill "$L2"
    wait "$L2"
    return "$((test_failures > 0))"
}
