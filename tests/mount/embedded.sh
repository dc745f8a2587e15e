#!/bin/bash
# embedded.sh - ordinary programs on a mount that runs its own node.
# usage: tests/mount/embedded.sh BUILD_DIR

. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/tools.sh"

mnt=$work/mnt
mount_start mnt --data "$work/data" --listen 127.0.0.1:0

test_everything_stays_after_a_remount() {
    echo kept > "$mnt/kept"
    mount_stop mnt
    shows "$mnt"
    mount_start mnt --data "$work/data" --listen 127.0.0.1:0
    shows "$mnt" kept
    holds "$mnt/kept" kept
}

test_blocks_of_removed_files_go_and_others_stay() {
    mount_stop mnt
    mount_start mnt --data "$work/data" --listen 127.0.0.1:0 -o block_grace=2
    good dd if=/dev/urandom of="$work/three" bs=1M count=3 status=none
    good cp "$work/three" "$mnt/stays"
    good cp "$work/three" "$mnt/goes"
    rm "$mnt/goes"
    wait_until "$deadline" has_deleted mnt 12 || fail "the 12 blocks of a removed file stay"
    good mv "$mnt/stays" "$mnt/moved"
    good cp "$work/three" "$mnt/changes"
    good dd if=/dev/urandom of="$work/three" bs=256K seek=5 count=2 conv=notrunc status=none
    good cp "$work/three" "$mnt/changes"
    # Two blocks changed: the others stayed. Two more rounds have seen all that stays.
    wait_until "$deadline" has_deleted mnt 14 || fail "what was overwritten stays"
    mount_stop mnt
    mount_start mnt --data "$work/data" --listen 127.0.0.1:0
    good cmp "$work/three" "$mnt/changes"
    good dd if="$mnt/moved" of="$work/moved" bs=1M status=none
    good cmp -n 1310720 "$work/three" "$work/moved"
    equal 3145728 "$(stat -c %s "$work/moved")" "bytes of the file that was moved"
}

run_tests "$(dirname "$0")/tools.sh" "$0"
