#!/bin/bash
# cluster.sh - ordinary programs on a mount of three nodes.
# usage: tests/mount/cluster.sh BUILD_DIR

. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/tools.sh"

mnt=$work/mnt
cluster_start 3
mount_start mnt --cluster "$cluster"

test_everything_is_on_another_mount_too() {
    echo kept > "$mnt/kept"
    mount_start other --cluster "$cluster"
    shows "$work/other" kept
    holds "$work/other/kept" kept
    mount_stop other
}

# Neither mount is to have blocks of it in memory: what was written is named by mnt, read by other.
test_what_is_open_stays_although_it_was_removed() {
    mount_stop mnt
    mount_start mnt --cluster "$cluster" -o block_grace=1
    good dd if=/dev/urandom of="$work/three" bs=1M count=3 status=none
    good cp "$work/three" "$mnt/open"
    mount_start other --cluster "$cluster" -o block_grace=1
    exec 9< "$work/other/open"
    rm "$work/other/open"
    for round in 1 2; do
        good cp "$work/three" "$mnt/goes"
        rm "$mnt/goes"
        before=$(($(deleted_blocks mnt) + $(deleted_blocks other)))
        wait_until "$deadline" both_have_deleted $((before + 12)) || fail "$round: blocks stay"
    done
    good cmp "$work/three" - <&9
    exec 9<&-
    mount_stop other
}

both_have_deleted() {
    [ $(($(deleted_blocks mnt) + $(deleted_blocks other))) -ge "$1" ]
}

test_blocks_stay_while_a_node_is_down_that_may_know_better() {
    mount_stop mnt
    mount_start mnt --cluster "$cluster" -o block_grace=1
    good dd if=/dev/urandom of="$work/three" bs=1M count=3 status=none
    node_kill 3
    local before
    before=$(deleted_blocks mnt)
    good cp "$work/three" "$mnt/goes"
    rm "$mnt/goes"
    wait_until "$deadline" grep -q "are not deleted for now" "$work/logs/mnt" ||
        fail "it is not told that blocks stay"
    equal "$before" "$(deleted_blocks mnt)" "deleted blocks"
    node_start 3
    wait_until "$deadline" has_deleted mnt $((before + 12)) || fail "blocks stay for ever"
}

run_tests "$(dirname "$0")/tools.sh" "$0"
