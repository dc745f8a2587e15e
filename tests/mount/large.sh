#!/bin/bash
# large.sh - files that are kept in blocks: on a mount that runs its own node, and on three nodes.
# usage: tests/mount/large.sh BUILD_DIR

. "$(dirname "$0")/lib.sh"

mnt=$work/mnt
mount_start mnt --data "$work/data" --listen 127.0.0.1:0

# bytes FILE SIZE [SEED] - the same for the same seed.
bytes() {
    python3 - "$@" << 'PYTHON'
import random, sys

source = random.Random(sys.argv[3] if len(sys.argv) > 3 else "0")
left = int(sys.argv[2])
with open(sys.argv[1], "wb") as file:
    while left > 0:
        piece = source.randbytes(min(left, 1 << 20))
        file.write(piece)
        left -= len(piece)
PYTHON
}

same() {
    good timeout "$deadline" cmp "$1" "$2"
}

size_of() {
    stat -c %s "$1"
}

remount() {
    mount_stop mnt
    mount_start mnt --data "$work/data" --listen 127.0.0.1:0
}

test_copy__compared__is_the_same_also_after_a_remount() {
    bytes "$work/five" $((5 * 1000 * 1000)) five
    good cp "$work/five" "$mnt/five"
    same "$work/five" "$mnt/five"
    remount
    equal 5000000 "$(size_of "$mnt/five")"
    same "$work/five" "$mnt/five"
}

test_sizes_at_the_borders__copied__are_the_same() {
    local size
    for size in 262143 262144 262145 524288 524289; do
        bytes "$work/border" "$size" "$size"
        good cp "$work/border" "$mnt/border.$size"
    done
    remount
    for size in 262143 262144 262145 524288 524289; do
        bytes "$work/border" "$size" "$size"
        same "$work/border" "$mnt/border.$size"
        rm "$mnt/border.$size"
    done
}

# More than one map of blocks.
test_300_megabytes__copied__are_the_same() {
    bytes "$work/much" $((300 * 1000 * 1000)) much
    good timeout "$deadline" cp "$work/much" "$mnt/much"
    remount
    same "$work/much" "$mnt/much"
    rm "$mnt/much" "$work/much"
}

test_sparse_8_gigabytes__data_at_the_end__the_rest_is_a_hole() {
    local size=$((8 << 30))
    good truncate -s "$size" "$mnt/sparse"
    printf end | dd of="$mnt/sparse" bs=3 seek=$(((size - 3))) oflag=seek_bytes conv=notrunc \
        status=none
    remount
    equal "$size" "$(size_of "$mnt/sparse")"
    equal end "$(tail -c 3 "$mnt/sparse")"
    equal "$((size - (256 << 10)))" "$(python3 -c 'import os, sys
print(os.lseek(os.open(sys.argv[1], os.O_RDONLY), 0, os.SEEK_DATA))' "$mnt/sparse")"
    equal 0 "$(dd if="$mnt/sparse" bs=4096 skip=1000000 count=16 status=none | tr -d '\0' | wc -c)"
    good truncate -s 5 "$mnt/sparse"
    good truncate -s 1G "$mnt/sparse"
    equal 0 "$(tail -c 4096 "$mnt/sparse" | tr -d '\0' | wc -c)"
    rm "$mnt/sparse"
}

test_4_kibibytes_in_the_middle__overwritten__the_rest_stays() {
    good dd if=/dev/urandom of="$work/five" bs=4096 count=1 seek=600 conv=notrunc status=none
    good dd if="$work/five" of="$mnt/five" bs=4096 count=1 skip=600 seek=600 conv=notrunc \
        status=none
    same "$work/five" "$mnt/five"
    remount
    same "$work/five" "$mnt/five"
}

test_punch_hole__reads_as_zeroes_and_size_stays() {
    good fallocate --punch-hole --offset 100000 --length 1000000 "$mnt/five"
    good fallocate --punch-hole --offset 100000 --length 1000000 "$work/five"
    same "$work/five" "$mnt/five"
    remount
    same "$work/five" "$mnt/five"
}

test_append__to_small_and_large__both_are_whole() {
    local i
    : > "$mnt/log"
    for ((i = 0; i < 12; i++)); do
        head -c 50000 "$work/five" >> "$mnt/log"
        head -c 50000 "$work/five" >> "$work/log"
    done
    tail -c 100 "$work/five" >> "$mnt/five"
    cp "$work/five" "$work/longer"
    tail -c 100 "$work/five" >> "$work/longer"
    same "$work/log" "$mnt/log"
    same "$work/longer" "$mnt/five"
    rm "$mnt/log"
}

test_rename__file_and_its_directory__content_goes_along() {
    good mv "$mnt/five" "$mnt/moved"
    same "$work/longer" "$mnt/moved"
    good mkdir "$mnt/d"
    good mv "$mnt/moved" "$mnt/d/five"
    good mv "$mnt/d" "$mnt/e"
    same "$work/longer" "$mnt/e/five"
    chmod 600 "$mnt/e/five"
    remount
    same "$work/longer" "$mnt/e/five"
    equal 600 "$(stat -c %a "$mnt/e/five")"
    rm -r "$mnt/e"
}

# Written through an open file under its old name, closed under the new one.
test_rename__while_it_is_written__all_is_under_the_new_name() {
    (
        head -c 2000000 "$work/five"
        mv "$mnt/open" "$mnt/renamed"
        tail -c +2000001 "$work/five"
    ) > "$mnt/open"
    shows "$mnt" renamed
    same "$work/five" "$mnt/renamed"
    rm "$mnt/renamed"
}

# Within one mount cp lets the kernel ask the mount to copy; shared blocks are not collected with
# the original.
test_copy_within_the_mount__original_is_changed_and_removed__copy_stays() {
    local size=$((70 << 20))
    bytes "$work/original" "$size" original
    good cp "$work/original" "$mnt/original"
    good cp "$mnt/original" "$mnt/copy"
    same "$work/original" "$mnt/copy"
    printf changed | dd of="$mnt/original" bs=1 seek=1000000 conv=notrunc status=none
    same "$work/original" "$mnt/copy"
    good cp "$mnt/original" "$mnt/copy.2"
    rm "$mnt/original"
    remount
    same "$work/original" "$mnt/copy"
    cmp -s "$work/original" "$mnt/copy.2" && fail "the change is missing"
    equal changed "$(dd if="$mnt/copy.2" bs=1 skip=1000000 count=7 status=none)"
    good truncate -s 1G "$mnt/copy.2"
    good cp --sparse=auto "$mnt/copy.2" "$mnt/sparse"
    same "$mnt/copy.2" "$mnt/sparse"
    rm "$mnt/copy" "$mnt/copy.2" "$mnt/sparse"
}

# copied FROM FROM_OFFSET TO TO_OFFSET SIZE - what copy_file_range(2) returns, or the errno's name.
copied() {
    python3 - "$@" << 'PYTHON'
import errno, os, sys

from_name, from_offset, to_name, to_offset, size = sys.argv[1:]
append = os.O_APPEND if to_name.endswith("+") else 0
source = os.open(from_name, os.O_RDWR)
target = os.open(to_name.rstrip("+"), os.O_RDWR | append)
try:
    print(os.copy_file_range(source, target, int(size), int(from_offset), int(to_offset)))
except OSError as error:
    print(errno.errorcode[error.errno])
PYTHON
}

test_copy_file_range__borders__as_the_manual_page_says() {
    bytes "$mnt/from" 1000000 from
    : > "$mnt/to"
    equal 1000000 "$(copied "$mnt/from" 0 "$mnt/to" 0 5000000)"
    same "$mnt/from" "$mnt/to"
    equal 0 "$(copied "$mnt/from" 1000000 "$mnt/to" 0 10)"
    equal EINVAL "$(copied "$mnt/from" 0 "$mnt/from" 100 200)"
    equal EBADF "$(copied "$mnt/from" 0 "$mnt/to+" 0 10)"
    equal 600000 "$(copied "$mnt/from" 0 "$mnt/to" 700000 600000)"
    equal 1300000 "$(size_of "$mnt/to")"
    cp "$mnt/from" "$work/from"
    cp "$mnt/from" "$work/to"
    equal 600000 "$(copied "$work/from" 0 "$work/to" 700000 600000)"
    remount
    same "$work/to" "$mnt/to"
    rm "$mnt/from" "$mnt/to"
}

test_truncate__both_ways__cut_and_zeroes() {
    cp "$work/five" "$work/cut"
    cp "$work/five" "$mnt/cut"
    local size
    for size in 3000001 100 400000 262144 262145 1000000 0 700000; do
        truncate -s "$size" "$work/cut"
        good truncate -s "$size" "$mnt/cut"
        same "$work/cut" "$mnt/cut"
    done
    rm "$mnt/cut"
}

# old_or_new FILE OLD NEW
old_or_new() {
    cmp -s "$1" "$2" || cmp -s "$1" "$3" || fail "$1 is neither the old version nor the new one"
}

# One process and one descriptor: each close of a copy of it would be a version of its own.
test_mount_is_killed_in_an_overwrite__old_or_new_is_there_whole() {
    bytes "$work/old" 20000000 old
    bytes "$work/new" 30000000 new
    good cp "$work/old" "$mnt/victim"
    mkfifo "$work/go"
    python3 -c '
import os, sys

new, victim, work = sys.argv[1:]
content = open(new, "rb").read()
try:
    with open(victim, "wb", buffering=0) as file:
        file.write(content[:20000000])
        open(work + "/half", "w").close()
        open(work + "/go").read(1)
        file.write(content[20000000:])
except OSError:
    pass
' "$work/new" "$mnt/victim" "$work" &
    wait_until "$deadline" test -e "$work/half"
    end mnt KILL
    echo > "$work/go"
    wait $!
    good fusermount3 -u -z "$mnt"
    mount_start mnt --data "$work/data" --listen 127.0.0.1:0
    old_or_new "$mnt/victim" "$work/old" "$work/new"
    good cp "$work/new" "$mnt/victim"
    same "$work/new" "$mnt/victim"
    mount_stop mnt
}

test_three_nodes__one_is_killed_meanwhile__nothing_is_lost() {
    cluster_start 3
    echo "$cluster" > "$work/cluster"
    mount_start here --cluster "$cluster" -o timeout=5
    (
        exec 3> "$work/here/copied"
        head -c 10000000 "$work/new" >&3
        node_kill 2
        tail -c +10000001 "$work/new" >&3
        exec 3>&-
    ) || fail "the copy failed"
    mount_start there --cluster "$cluster"
    same "$work/new" "$work/there/copied"
    node_start 2
    wait_until "$deadline" node_answers 2 || fail "node 2 does not come back"
    node_kill 3
    same "$work/new" "$work/here/copied"
    mount_stop there
    mount_start there --cluster "$cluster"
    same "$work/new" "$work/there/copied"
    node_start 3
    wait_until "$deadline" node_answers 3 || fail "node 3 does not come back"
}

# Neither knows of the other: both versions stay, and are whole.
test_two_mounts__write_at_once__two_siblings() {
    local one two
    cp "$work/old" "$work/here/both"
    exec 3> "$work/here/both" 4> "$work/there/both"
    cat "$work/five" >&3
    cat "$work/longer" >&4
    exec 3>&- 4>&-
    wait_until "$deadline" test -e "$work/here/both~v2" || fail "there are no siblings"
    equal "both both~v1 both~v2" "$(cd "$work/here" && echo both*)"
    one=$work/here/both~v1
    two=$work/here/both~v2
    if [ "$(size_of "$one")" = 5000000 ]; then
        same "$work/five" "$one"
        same "$work/longer" "$two"
    else
        same "$work/longer" "$one"
        same "$work/five" "$two"
    fi
    good mv "$work/here/both~v1" "$work/here/both"
    [ ! -e "$work/here/both~v1" ] || fail "both~v1 is still there"
    mount_stop here
    mount_stop there
}

run_tests "$0"
