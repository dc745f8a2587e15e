#!/bin/bash
# large_long.sh - a file of 2 GiB full of data and a sparse one of 8 GiB on three nodes, compared
# from another mount; and the most memory that mounts and nodes have used by then.
# usage: tests/mount/large_long.sh BUILD_DIR [MEBIBYTES]   (2048 by default)

mebibytes=${2-2048}
case "$mebibytes" in
'' | *[!0-9]* | ???????*) sed -n '4s/^# //p' "$0" >&2 && exit 2 ;;
esac
. "$(dirname "$0")/lib.sh"

mount_memory_max_kib=$((256 * 1024))
# Two write buffers and the cache of LevelDB, the connections' share, and the hints'.
node_memory_max_kib=$((512 * 1024))
cluster_start 3
echo "$cluster" > "$work/cluster"
mount_start here --cluster "$cluster"
mount_start there --cluster "$cluster"

# content SEED - so many mebibytes, the same for the same seed, none like another.
content() {
    python3 - "$1" "$mebibytes" << 'PYTHON'
import random, sys

source = random.Random(sys.argv[1])
piece = bytearray(source.randbytes(1 << 20))
for number in range(int(sys.argv[2])):
    for at in range(0, 1 << 20, 1 << 16):
        piece[at : at + 8] = number.to_bytes(8, "big")
    sys.stdout.buffer.write(piece)
PYTHON
}

sum_of() {
    sha256sum < "$1" | cut -d ' ' -f 1
}

# most_memory NAME - in KiB, since it was started.
most_memory() {
    awk '$1 == "VmHWM:" { print $2 }' "/proc/$(pid_of "$1")/status"
}

test_full_file__compared_from_another_mount__is_the_same() {
    content full > "$work/here/full" || fail "the copy failed"
    equal "$((mebibytes << 20))" "$(stat -c %s "$work/there/full")"
    equal "$(content full | sha256sum | cut -d ' ' -f 1)" "$(sum_of "$work/there/full")"
}

test_sparse_file_of_8_gigabytes__compared_from_another_mount__is_the_same() {
    local file size=$((8 << 30))
    for file in "$work/sparse" "$work/here/sparse"; do
        good truncate -s "$size" "$file"
        for at in 0 1 1000000 $((3 << 30)) $((5 << 30)) $((size - 5)); do
            printf 'at %s' "$at" | head -c 5 | dd of="$file" bs=5 seek="$at" \
                oflag=seek_bytes conv=notrunc status=none || fail "dd at $at"
        done
    done
    equal "$(sum_of "$work/sparse")" "$(sum_of "$work/there/sparse")"
}

test_memory__after_all_of_this__is_bounded() {
    local name kib
    for name in here there; do
        kib=$(most_memory "$name")
        echo "        mount $name: $((kib / 1024)) MiB"
        [ "$kib" -lt $mount_memory_max_kib ] || fail "mount $name has used $kib KiB"
    done
    for name in node1 node2 node3; do
        kib=$(most_memory "$name")
        echo "        $name: $((kib / 1024)) MiB"
        [ "$kib" -lt $node_memory_max_kib ] || fail "$name has used $kib KiB"
    done
    mount_stop here
    mount_stop there
}

run_tests "$0"
