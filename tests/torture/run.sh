#!/bin/bash
# run.sh - real processes under real faults: five nodes and three mounts in network namespaces.
#
# usage: tests/torture/run.sh BUILD [MINUTES] [--seed S] [--no-wipe]
# As root, for 30 minutes unless told otherwise; 2 are enough for a first look. Cuts links, stops,
# kills and restarts nodes and mounts, deletes disks, while programs work on the mounts; at the end
# checks that all that was acknowledged is there. Exits 1 if not, and keeps data and logs.
# --no-wipe: deletes no disk.

set -u
here=$(cd "$(dirname "$0")" && pwd)

usage() {
    sed -n '2,8s/^# \{0,1\}//p' "$0" >&2
    exit 2
}

[ $# -ge 1 ] && [ -d "$1" ] || usage
build=$(cd "$1" && pwd)
shift
minutes=30
case "${1-}" in
[0-9]*)
    minutes=$1
    shift
    ;;
esac

if [ "$(id -u)" -ne 0 ]; then
    echo "run.sh: namespaces and mounts need root" >&2
    exit 2
fi
for program in ip nft nsenter fusermount3 python3; do
    if ! command -v "$program" > /dev/null; then
        echo "run.sh: $program is missing" >&2
        exit 2
    fi
done
for program in "$build/fs/dynamofs" "$build/node/dynamod" "$build/node/dynamoctl"; do
    if [ ! -x "$program" ]; then
        echo "run.sh: $program is missing: build it first" >&2
        exit 2
    fi
done

prefix=dt$$
directory=$(mktemp -d "${TMPDIR:-/tmp}/dynamofs-torture.XXXXXX") || exit 1
mkdir "$directory/pids"
torture=

# Whatever is left, by the ids that were written down and by our own prefix.
clean_up() {
    local result=$? file pid name
    trap - EXIT
    trap '' INT TERM
    if [ -n "$torture" ] && kill -TERM "$torture" 2> /dev/null; then
        wait "$torture"
    fi
    for file in "$directory"/pids/*; do
        case "$file" in *.state | *'*') continue ;; esac
        pid=$(cat "$file")
        # A number is used again: it must still be what we started.
        if [ -r "/proc/$pid/cmdline" ] && grep -qaF "$directory" "/proc/$pid/cmdline"; then
            kill -KILL "$pid" 2> /dev/null
        fi
    done
    awk -v below="$directory/" 'index($2, below) == 1 { print $2 }' /proc/mounts |
        while read -r name; do
            umount -l "$name"
        done
    for name in $(ip netns list | awk -v prefix="$prefix" \
        '$1 ~ "^" prefix "(hub|[nm][0-9])$" { print $1 }'); do
        ip netns del "$name"
    done
    if grep -lE 'Sanitizer|runtime error|Assertion' "$directory"/logs/* 2> /dev/null; then
        echo "run.sh: a program broke" >&2
        result=1
    fi
    if [ "$result" -eq 0 ]; then
        rm -rf --one-file-system "$directory"
    else
        echo "run.sh: data and logs are in $directory" >&2
    fi
    exit "$result"
}
trap clean_up EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

PYTHONDONTWRITEBYTECODE=1 python3 "$here/torture.py" --build "$build" --directory "$directory" \
    --prefix "$prefix" --minutes "$minutes" "$@" &
torture=$!
wait "$torture"
result=$?
torture=
exit "$result"
