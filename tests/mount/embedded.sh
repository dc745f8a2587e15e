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

run_tests "$(dirname "$0")/tools.sh" "$0"
