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

run_tests "$(dirname "$0")/tools.sh" "$0"
