# SPDX-License-Identifier: GPL-2.0-or-later
#
# Shared by the scripts of this folder: `. "$(dirname "$0")/lib.sh"`.
#
#   TOP      the checkout                      BUILD  where everything is built
#   CACHE    what was fetched, kept between builds and shared by checkouts
#   LOGS     full output of long steps         JOBS   how many to run at once
#
# Messages go to standard error, so that standard output stays usable for
# what a script was asked for.

# A make that called us has no say in the makes that we call.
unset MAKEFLAGS MAKELEVEL MFLAGS

TOP=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd -P)
BUILD=$TOP/build
CACHE=${XDG_CACHE_HOME:-$HOME/.cache}/qemu-vtd
LOGS=$BUILD/log
JOBS=${JOBS:-$(nproc)}
TOOLS=$BUILD/tools

say() {
    printf '%s\n' "-- $*" >&2
}

# die PROBLEM [WHAT-TO-DO]...
die() {
    printf '%s\n' "error: $1" >&2
    shift
    if [ $# -gt 0 ]; then
        printf '%s\n' "$@" >&2
    fi
    exit 1
}

# While standard input stays open: a line about every ten seconds, with the
# seconds so far and the last line of the log.  If WHAT is given, it comes
# first, once two seconds have passed.
progress() {
    local log=$1 what=$2 start=$SECONDS pause=10 status last
    [ -z "$what" ] || pause=2
    while :; do
        status=0
        read -r -t "$pause" _ || status=$?
        [ "$status" -gt 128 ] || return 0
        if [ -n "$what" ]; then
            say "$what"
            what='' pause=8
            continue
        fi
        pause=10
        last=$(tail -c 400 "$log" 2>/dev/null | tr '\r' '\n' | tail -n 1)
        printf '   %4d s  %.64s\n' $((SECONDS - start)) "$last" >&2
    done
}

# run_logged NAME WHAT HINT COMMAND...
#
# Runs COMMAND with its output in $LOGS/NAME.log.  When it fails: the end of
# that log, the HINT, and the command's status.  With LATE=1 nothing is said
# about a step that takes less than two seconds.
run_logged() {
    local name=$1 what=$2 hint=$3 status=0 late=''
    local log=$LOGS/$name.log
    shift 3
    mkdir -p "$LOGS"
    : >"$log"
    if [ -n "${LATE:-}" ]; then
        late="$what (log: ${log#"$TOP"/})"
    else
        say "$what (log: ${log#"$TOP"/})"
    fi
    exec 9> >(progress "$log" "$late")
    local ticker=$!
    # Not `COMMAND || status=$?`: that would switch `set -e` off inside a
    # COMMAND that is a function.
    set +e
    (set -e; "$@") >"$log" 2>&1 </dev/null 9>&-
    status=$?
    set -e
    exec 9>&-
    wait "$ticker" 2>/dev/null || true
    if [ "$status" -ne 0 ]; then
        tail -n 30 "$log" | sed 's/^/   | /' >&2
        printf '%s\n' "error: this step failed: $what" "$hint" >&2
    fi
    return "$status"
}

# One build at a time in a checkout: lock NAME, held until the script ends.
lock() {
    mkdir -p "$BUILD"
    exec 8>"$BUILD/.lock-$1"
    if ! flock -n 8; then
        say "waiting for another build of this checkout to finish"
        flock 8
    fi
}

# config KEY: what ./configure has written down; nothing before it was run.
config() {
    [ ! -f "$BUILD/config.mak" ] || sed -n "s/^$1=//p" "$BUILD/config.mak"
}

# Where the firmware of this machine is, as options of QEMU.
firmware_options() {
    local folder
    for folder in /usr/share/seabios /usr/share/qemu /usr/lib/ipxe/qemu; do
        [ ! -d "$folder" ] || printf ' -L %s' "$folder"
    done
}

debian_release() {
    local VERSION_ID='' ID=''
    # shellcheck disable=SC1091
    . /etc/os-release
    if [ "$ID" = debian ]; then
        printf '%s\n' "$VERSION_ID"
    else
        printf '0\n'
    fi
}
