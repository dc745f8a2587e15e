#!/bin/bash
# space.sh - the space of what was removed, replaced or never finished comes back to the disk.
# usage: tests/mount/space.sh BUILD_DIR
#
# A mount that runs its own node, with a grace time of a second. Looked at is the directory of the
# node's database; contents are random, so that nothing is won by compression.

. "$(dirname "$0")/lib.sh"

mnt=$work/mnt
size_mb=100
space_start() {
    mount_start mnt --data "$work/data" --listen 127.0.0.1:0 -o block_grace=1
}
space_start

# random FILE - of $size_mb MB.
random() {
    good dd if=/dev/urandom of="$1" bs=1M count="$size_mb" conv=fsync status=none
}

use_mb() {
    du -sm "$work/data/db" | cut -f 1
}

uses_less() {
    [ "$(use_mb)" -lt "$1" ]
}

# Waits until a tenth of what was written is left at most.
comes_back() {
    wait_until "$deadline" uses_less "$((size_mb / 10))" || fail "$(use_mb) MB are in use still"
}

is_whole() {
    good "$dynamoctl" --cluster "$(cat "$work/data/address")" fsck
}

test_file__removed__space_comes_back() {
    random "$mnt/file"
    uses_less "$size_mb" && fail "only $(use_mb) MB are in use"
    is_whole
    good rm "$mnt/file"
    comes_back
    is_whole
}

test_file__emptied_and_written_again__space_of_the_old_comes_back() {
    random "$mnt/file"
    : > "$mnt/file"
    comes_back
    echo small > "$mnt/file"
    equal small "$(cat "$mnt/file")"
    rm "$mnt/file"
}

test_write__mount_is_killed_before_close__space_comes_back() {
    mkfifo "$work/go"
    # One process and one descriptor: each close of a copy of it would be a version.
    python3 -c '
import os, sys

name, size, work = sys.argv[1:]
try:
    with open(name, "wb", buffering=0) as file:
        for _ in range(int(size)):
            file.write(os.urandom(1 << 20))
        open(work + "/written", "w").close()
        open(work + "/go").read(1)
except OSError:
    pass
' "$mnt/unfinished" "$size_mb" "$work" &
    wait_until "$deadline" test -e "$work/written" || fail "it is never written"
    end mnt KILL
    echo > "$work/go"
    wait $!
    good fusermount3 -u -z "$mnt"
    space_start
    [ ! -e "$mnt/unfinished" ] || fail "what was not closed is there"
    uses_less "$((size_mb / 2))" && fail "only $(use_mb) MB are in use"
    comes_back
    is_whole
}

test_sibling__resolved__space_comes_back() {
    random "$mnt/both"
    echo sibling > "$work/sibling"
    good "$dynamoctl" --cluster "$(cat "$work/data/address")" put both "$work/sibling"
    wait_until "$deadline" test -e "$mnt/both~v2" || fail "there is no sibling"
    is_whole
    good rm "$mnt/both~v1"
    comes_back
    equal sibling "$(cat "$mnt/both")"
    is_whole
}

run_tests "$0"
