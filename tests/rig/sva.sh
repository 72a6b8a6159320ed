# SPDX-License-Identifier: GPL-2.0-or-later
#
# For the cases in which processes of L2 share their address space with the
# endpoint: tests/sva, with L2 as its guest.  tests=PART on L1's command line goes
# on to L2, for a look at single tests, unless the case chooses tests itself.
. /rig/linux.sh
. /sva/left.sh

# Seconds between two words of L2; a test with many processes has few.
SVA_SILENCE=500

SVA_UNIT=x-flts=on,nested=on,svm=on,device-iotlb=on,pasid-bits=20
if grep -qw la57 /proc/cpuinfo; then
    SVA_UNIT=$SVA_UNIT,aw-bits=57 # or L2's kernel binds no process
fi

# option NAME: NAME=VALUE as it stands on the kernel's command line
option() {
    grep -o "\b$1=[^ ]*" /proc/cmdline
}

# boot_sva_guest WORDS DEVICE...: with WORDS on L2's command line, and these
# devices besides the endpoint.  unit=PROPERTIES on L1's command line goes to
# L2's unit, with a comma in front.
boot_sva_guest() {
    words=$1
    shift
    pass_endpoint || return 1
    mount -t debugfs debug /sys/kernel/debug
    mkfifo $L2_CONSOLE
    exec 4<>$L2_CONSOLE # for writing, too: opening it does not wait for QEMU
    boot_linux_guest "$(option tests) hugepages=8 $words" \
        "$SVA_UNIT$(option unit | cut -d= -f2-)" -m 512M \
        -object iommufd,id=iommufd0 \
        -device "vfio-pci,host=$RIG_DEVICE,iommufd=iommufd0" "$@"
}

# What L2 reports becomes results of this case as it comes, until L2 says that
# all is done, or has ended.  If something failed, what its kernel complained of
# follows.
follow_sva_guest() {
    planned=0 announced=0
    return=$(printf '\r')
    while read -t $SVA_SILENCE -r line <&4; do
        line=${line%"$return"}
        echo "$line" >>/tmp/l2.text
        case $line in
        SVA-LOG*) announced=$results ;;
        SVA-DONE) break ;;
        esac
        [ "$announced" = 0 ] || continue
        case $line in
        "ok "*) result "L2: ${line#ok * - }" 0 ;;
        "not ok "*) result "L2: ${line#not ok * - }" 1 ;;
        1..*) planned=$((planned + ${line#1..})) ;;
        SVA-* | L2-[DR]*) echo "# L2: $line" ;;
        "# "*) echo "$line" ;;
        esac
    done
    [ "$line" = SVA-DONE ] && [ "$announced" -gt 0 ] &&
        [ "$announced" = "$planned" ]
    result "L2 came to its end" $? "$announced results of $planned"
    if [ "$failures" -gt 0 ]; then
        grep -aE -A 60 "$TROUBLE" /tmp/l2.text | head -n 300 | sed 's/^/# L2: /'
    fi
}

# counter NAME COUNTER TEST...: what a counter of L2's unit has to be, as for
# `test`.
counter() {
    name=$1 value=$(property "$2")
    shift 2
    test "$value" "$@"
    result "$name" $? "$value"
}

is_off() {
    /rig/bin/qmp $QMP '{"execute": "query-status"}' | grep -q '"shutdown"'
}

# All that L2's processes had in QEMU and in the host is gone.
nothing_is_left() {
    wait_for 60 is_off
    result "L2 is off" $?
    counter "page requests came up" x-host-page-requests -gt 0
    counter "none of them waits in QEMU" x-host-page-requests-pending -eq 0
    counter "no PASID is bound" x-host-pasids -eq 0
    counter "no page table of the host's kernel is left" x-host-hwpts -eq 0
    counter "the host refused nothing" x-host-errors -eq 0
    where="L1: "
    no_pasid_is_attached
    unit_is_at_rest
    nothing "QEMU has nothing to complain about" "$(cat $L2_MESSAGES)"
    kill "$L2"
    wait "$L2"
    log_is_clean /tmp/l2.text
}

print_counters() {
    for name in page-requests page-responses attaches detaches stage1-hwpts \
        invalidation-structs invalidation-ioctls; do
        echo "# host-$name: $(property "x-host-$name")"
    done
    for name in page-requests descriptors-page-response \
        descriptors-pasid-iotlb descriptors-pasid-cache \
        descriptors-pasid-device-tlb descriptors-wait; do
        echo "# $name: $(property "x-$name")"
    done
}
