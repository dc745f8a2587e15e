#!/bin/bash
# block_store.sh - the layouts of block_store.c in turn, each on a new ext4 image.
#
# usage: tests/bench/block_store.sh [BUILD] [--rounds N] [--mebibytes N]
#
# Prints one JSON object for each run. Needs root (loop device, dropping caches) and room for
# three times the mebibytes (1024).

set -u

here=$(cd "$(dirname "$0")/../.." && pwd)
build=$here/build
rounds=3
mebibytes=1024
while [ $# -gt 0 ]; do
    case "$1" in
    --rounds) rounds=${2:?} && shift ;;
    --mebibytes) mebibytes=${2:?} && shift ;;
    -*)
        sed -n '2,7s/^# \{0,1\}//p' "$0"
        exit 2
        ;;
    *) build=$1 ;;
    esac
    shift
done
build=$(cd "$build" && pwd) || exit 1
scratch=$(mktemp -d "${TMPDIR:-/var/tmp}/dynamofs-blocks.XXXXXX")
loop=

leave() {
    if [ -n "$loop" ]; then
        umount "$scratch/disk"
        losetup -d "$loop"
    fi
    loop=
    rm -f "$scratch/image"
}

finish() {
    leave
    rm -rf "$scratch"
}
trap finish EXIT
trap 'exit 130' INT TERM

mkdir "$scratch/disk"
for ((round = 1; round <= rounds; round++)); do
    for layout in main own files; do
        truncate -s $((mebibytes * 4))M "$scratch/image"
        mkfs.ext4 -q -F "$scratch/image" &&
            loop=$(losetup --find --show "$scratch/image") &&
            mount "$loop" "$scratch/disk" || exit 1
        "$build/tests/bench/block_store" "$layout" "$scratch/disk" "$mebibytes" || exit 1
        leave
    done
done
