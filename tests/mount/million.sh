#!/bin/bash
# million.sh - a directory of very many names: made at a constant rate, listed as a stream in
# bounded memory, and removed. For a quiet machine.
# usage: tests/mount/million.sh BUILD_DIR [NAMES]   (1,000,000 by default: takes about half an hour)

count=${2-1000000}
case "$count" in
'' | *[!0-9]* | ????????*) sed -n '4s/^# //p' "$0" >&2 && exit 2 ;;
esac
. "$(dirname "$0")/lib.sh"

mnt=$work/mnt
# Of the last tenth to the first, in percent.
slower_max=120
mount_memory_max_kib=$((256 * 1024))
mount_start mnt --data "$work/data" --listen 127.0.0.1:0
mkdir "$mnt/many"

# in_tenths VERB - does it to each name, and prints the seconds of the first tenth and the last.
in_tenths() {
    python3 - "$1" "$mnt/many" "$count" << 'PYTHON'
import os, sys, time

verb, directory, count = sys.argv[1], sys.argv[2], int(sys.argv[3])
os.chdir(directory)
times = []
for tenth in range(10):
    begin = time.monotonic()
    for i in range(count * tenth // 10, count * (tenth + 1) // 10):
        name = "name%07d" % (i * 7919 % count)
        if verb == "make":
            os.close(os.open(name, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o644))
        else:
            os.unlink(name)
    times.append(time.monotonic() - begin)
    print("%s: tenth %2d %.1f s" % (verb, tenth + 1, times[-1]), file=sys.stderr)
print("%.3f %.3f" % (times[0], times[-1]))
PYTHON
}

# is_steady VERB - neither gets slower as the directory grows.
is_steady() {
    local first last
    read -r first last <<< "$(in_tenths "$1")" || fail "$1 failed"
    awk -v first="$first" -v last="$last" -v max="$slower_max" -v verb="$1" 'BEGIN {
        printf "%s: the last tenth takes %.2f of the first\n", verb, last / first
        exit !(first > 0 && last * 100 <= first * max)
    }' || fail "$1 gets slower"
}

memory_of_mount() {
    awk '/^VmHWM:/ { print $2 }' "/proc/$(pid_of mnt)/status"
}

test_names__made__at_a_constant_rate() {
    is_steady make
}

# A process of its own would show the mount's memory without what the node keeps; this is both.
test_listing__each_name_once__in_bounded_memory() {
    local begin first all
    mount_stop mnt
    mount_start mnt --data "$work/data" --listen 127.0.0.1:0
    begin=$(date +%s%N)
    ls -f "$mnt/many" | head -n 1000 > "$work/some" || fail "cannot list"
    first=$(($(date +%s%N) - begin))
    begin=$(date +%s%N)
    ls -f "$mnt/many" | sort > "$work/listed"
    all=$(($(date +%s%N) - begin))
    equal $((count + 2)) "$(wc -l < "$work/listed")" "names"
    equal "" "$(uniq -d "$work/listed")" "names listed twice"
    echo "list: all $((all / 1000000)) ms, the first thousand $((first / 1000000)) ms," \
        "$(memory_of_mount) KiB"
    [ "$count" -lt 100000 ] || [ $((first * 5)) -lt "$all" ] || fail "the listing is no stream"
    [ "$(memory_of_mount)" -le "$mount_memory_max_kib" ] || fail "$(memory_of_mount) KiB"
}

test_names__removed__none_is_left() {
    is_steady remove
    shows "$mnt/many"
    good rmdir "$mnt/many"
}

run_tests "$0"
