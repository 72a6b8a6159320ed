# SPDX-License-Identifier: GPL-2.0-or-later
#
# What is left in a kernel, and in the remapping unit that it drives, when
# processes have shared their address space with a device: for tests/sva/init
# and for the rig's host.  Who sources this has a function
#
#   result NAME STATUS [WHY]
#
# and debugfs where it belongs.  Names begin with $where.

UNIT=/sys/kernel/debug/iommu/intel
where=

# nothing NAME TEXT: the text is empty.
nothing() {
    [ -z "$2" ]
    result "$1" $? "$(echo "$2" | head -n 3)"
}

# What a register of the remapping unit holds, in hexadecimal.
register() {
    awk -v name="$1" '$1 == name { print $3 }' $UNIT/iommu_regset
}

# Faults in the kernel's log that the programs have not announced, either by the
# page they are at or, if the PASID entry is gone (0x59), by the PASID.
# unannounced FILE: where the announcements are
unannounced() {
    dmesg | sed -n 's/.*DMAR:.*PASID *\(.*\)\] Request.*fault addr \(0x[0-9a-f]*\) .fault reason \(0x[0-9a-f]*\).*/\2 \3 \1/p' |
        while read -r page reason pasid; do
            grep -q "sva: announced $page\$" "$1" ||
                { [ "$reason" = 0x59 ] &&
                    grep -q "sva: announced the end of PASID $pasid\$" "$1"; } ||
                echo "page $page, reason $reason, PASID ${pasid:-none}"
        done
}

TROUBLE='WARNING|BUG:|Oops|Call Trace|general protection|INTR-REMAP'
TROUBLE="$TROUBLE|does not stop|self-test|refcount_t|blocked for more than"
TROUBLE="$TROUBLE|VT-d detected|DMAR.*timed out|PRQ overflow|iopf with pasid"
TROUBLE="$TROUBLE|Invalid page request|not canonical|Page request in|SVM disabled"

# Device and PASID, but 0, which requests without PASID have.
no_pasid_is_attached() {
    nothing "${where}no address space is attached to the device" \
        "$(awk '$4 ~ /^[1-9]/ { print $1, $4 }' $UNIT/dmar_translation_struct)"
}

unit_is_at_rest() {
    [ -n "$(register PQH)" ] && [ "$(register PQH)" = "$(register PQT)" ]
    result "${where}the page request queue is empty" $? \
        "PQH $(register PQH), PQT $(register PQT)"
    [ $(($(register PRS))) -eq 0 ]
    result "${where}no page request event is pending" $? "PRS $(register PRS)"
    # The rest is the index of a record.
    [ $(($(register FSTS) & 0xff)) -eq 0 ]
    result "${where}no fault is pending" $? "FSTS $(register FSTS)"
}

# log_is_clean FILE: where the announcements are
log_is_clean() {
    nothing "${where}each fault in the log was announced" "$(unannounced "$1")"
    nothing "${where}no warning is in the log" "$(dmesg | grep -E "$TROUBLE")"
}
