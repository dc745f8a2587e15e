#!/bin/bash
# inline.sh - files of 32 to 256 KiB on builds with different limits of what is kept in a version.
#
# usage: tests/bench/inline.sh BUILD... [--rounds N] [--files N]
#
# Each BUILD is of a source with another INLINE_SIZE_MAX (fs/model/content.h). One line for each
# round, build and size: operations a second by phase; reads are of a new mount. The node is
# embedded, its data in a new directory of ${TMPDIR:-/var/tmp}.

set -u

rounds=3
files=50
builds=()
while [ $# -gt 0 ]; do
    case "$1" in
    --rounds) rounds=${2:?} && shift ;;
    --files) files=${2:?} && shift ;;
    -*)
        sed -n '2,8s/^# \{0,1\}//p' "$0"
        exit 2
        ;;
    *) builds+=("$(cd "$1" && pwd)") || exit 1 ;;
    esac
    shift
done
[ ${#builds[@]} -gt 0 ] || exit 2
scratch=$(mktemp -d "${TMPDIR:-/var/tmp}/dynamofs-inline.XXXXXX")
mkdir "$scratch/mount"
pid=

enter() {
    "$1/fs/dynamofs" -f --data "$scratch/data" --listen 127.0.0.1:0 "$scratch/mount" \
        2> "$scratch/log" &
    pid=$!
    until mountpoint -q "$scratch/mount"; do
        kill -0 $pid 2> /dev/null || exit 1
        sleep 0.1
    done
}

leave() {
    [ -z "$pid" ] || fusermount3 -u "$scratch/mount"
    wait
    pid=
}

finish() {
    leave
    rm -rf "$scratch"
}
trap finish EXIT
trap 'exit 130' INT TERM

# phases BUILD SIZE PHASE,... - name and operations a second of each
phases() {
    "$1/tests/bench/bench_files" "$scratch/mount" --json --files "$files" --size "$2" \
        --phases "$3" | python3 -c 'import json, sys
for name, figures in json.load(sys.stdin)["phases"].items():
    print(name, round(figures["per_second"], 1), end="  ")' || exit 1
}

for ((round = 1; round <= rounds; round++)); do
    for kibibytes in 32 96 192 256; do
        for build in "${builds[@]}"; do
            printf '%s  %d KiB  ' "$build" $kibibytes
            enter "$build"
            phases "$build" $((kibibytes << 10)) create,overwrite
            leave
            enter "$build"
            phases "$build" $((kibibytes << 10)) read,append
            leave
            rm -rf "$scratch/data"
            echo
        done
    done
done
