#!/bin/bash
# quickstart_test.sh - the first thing that anybody runs does what it says, twice.
#
# usage: tests/cluster/quickstart_test.sh BUILD

set -u

here=$(cd "$(dirname "$0")/../.." && pwd)
build=$(cd "${1:?usage: quickstart_test.sh BUILD}" && pwd)
directory=$(mktemp -d "${TMPDIR:-/tmp}/dynamofs-quickstart.XXXXXX")
point=$directory/mount

finish() {
    fusermount3 -u "$point" 2> /dev/null
    for ((i = 0; i < 3000; i++)); do
        mountpoint -q "$point" || break
        sleep 0.1
    done
    rm -rf "$directory"
}
trap finish EXIT

fail() {
    echo "quickstart_test.sh: $*" >&2
    exit 1
}

free_port() {
    python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])'
}

listen=127.0.0.1:$(free_port)
for round in first second; do
    "$here/examples/quickstart.sh" "$point" --data "$directory/data" --listen "$listen" \
        --build "$build" > "$directory/output" 2>&1 || {
        cat "$directory/output"
        fail "the $round run failed"
    }
    for wanted in 'cart.txt~v1' 'cart.txt~v2'; do
        grep -q "^$wanted\$" "$directory/output" || {
            cat "$directory/output"
            fail "the $round run showed no $wanted"
        }
    done
    [ "$(ls "$point/quickstart")" = cart.txt ] || fail "not resolved after the $round run"
    [ "$(sort "$point/quickstart/cart.txt" | tr '\n' ' ')" = "bread milk tea " ] ||
        fail "the merge is wrong after the $round run"
done

# What was written is there again after unmounting.
fusermount3 -u "$point" || fail "cannot unmount"
for ((i = 0; i < 3000; i++)); do
    "$build/fs/dynamofs" --data "$directory/data" --listen "$listen" "$point" 2> /dev/null && break
    sleep 0.1
done
[ "$(sort "$point/quickstart/cart.txt" | tr '\n' ' ')" = "bread milk tea " ] ||
    fail "the file is not there after mounting again"
echo "both runs worked, and the files outlived the mount"
