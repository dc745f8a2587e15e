#!/bin/bash
# cart_test.sh - the shopping cart on two mounts of a three-node cluster: no acknowledged add is
# lost, and the carts end as one.
#
# usage: tests/cluster/cart_test.sh BUILD
# Shoppers on both mounts add at once, while one node of the three crashes and comes back.

set -u

here=$(cd "$(dirname "$0")/../.." && pwd)
build=$(cd "${1:?usage: cart_test.sh BUILD}" && pwd)
directory=$(mktemp -d "${TMPDIR:-/tmp}/dynamofs-cart.XXXXXX")
cart=$here/examples/cart.py
shoppers=2
adds=15

cluster() {
    "$here/examples/cluster.sh" "$@" --dir "$directory" --build "$build"
}

finish() {
    kill $(jobs -p) 2> /dev/null
    wait 2> /dev/null
    cluster down
    [ "${result:-1}" -eq 0 ] || tail -n 20 "$directory"/node*/log "$directory"/mount*.log
    rm -rf "$directory"
}
trap finish EXIT

fail() {
    echo "cart_test.sh: $*" >&2
    exit 1
}

# shop MOUNT NAME - adds one thing after the other; notes what was acknowledged.
shop() {
    local i
    for ((i = 1; i <= adds; i++)); do
        "$cart" "$directory/mount$1/carts/alice" add "$2 $i" && echo "$2 $i" >> "$directory/acked.$2"
    done
}

# wait_for SECONDS COMMAND...
wait_for() {
    local end=$((SECONDS + $1))
    shift
    until "$@"; do
        [ "$SECONDS" -lt "$end" ] || return 1
        sleep 0.2
    done
}

# have_added COUNT - or the shoppers are through.
have_added() {
    [ "$(cat "$directory"/acked.mount* 2> /dev/null | wc -l)" -ge "$1" ]
}

has_one_version() {
    [ "$(ls "$directory/mount$1/carts")" = alice ]
}

has_all() {
    "$cart" "$directory/mount$1/carts/alice" show | sort > "$directory/shown" &&
        comm -23 "$directory/acked" "$directory/shown" > "$directory/lost" &&
        [ ! -s "$directory/lost" ]
}

cluster up -n 3 -m 2 --port 17701 || fail "the cluster does not start"
mkdir "$directory/mount1/carts" || fail "mkdir"

# A conflict for sure: two first writes that know nothing of each other.
wait_for 300 test -d "$directory/mount2/carts" || fail "the second mount does not see carts/"
exec 3> "$directory/mount1/carts/alice" 4> "$directory/mount2/carts/alice"
echo "first-1 first tea" >&3
echo "first-2 first milk" >&4
exec 3>&- 4>&-
for item in "first tea" "first milk"; do
    echo "$item" >> "$directory/acked.first"
done
ls "$directory/mount1/carts"
[ "$(ls "$directory/mount1/carts" | wc -l)" -eq 3 ] || fail "no conflict is shown"

shopping=
for ((shopper = 1; shopper <= shoppers; shopper++)); do
    for mount in 1 2; do
        shop $mount "mount$mount-shopper$shopper" &
        shopping="$shopping $!"
    done
done
wait_for 300 have_added 10 || fail "the shoppers stand still"
cluster stop 3
wait_for 300 have_added 30 || fail "the shoppers stand still without node 3"
cluster start 3 || fail "node 3 does not come back"
for shopper in $shopping; do
    wait "$shopper" || fail "an add failed for good"
done
"$cart" "$directory/mount1/carts/alice" add "last" || fail "the last add failed"
echo last >> "$directory/acked.first"

sort "$directory"/acked.* > "$directory/acked"
count=$(wc -l < "$directory/acked")
[ "$count" -eq $((2 * shoppers * adds + 3)) ] || fail "$count adds were acknowledged, not all"
for mount in 1 2; do
    if ! wait_for 300 has_all $mount; then
        cat "$directory/lost"
        fail "acknowledged adds are lost on mount $mount"
    fi
    if ! wait_for 300 has_one_version $mount; then
        ls -l "$directory/mount$mount/carts"
        fail "the carts did not become one on mount $mount"
    fi
done
"$cart" "$directory/mount2/carts/alice" remove "first tea" || fail "remove failed"
"$cart" "$directory/mount2/carts/alice" show | grep -qx "first tea" && fail "remove did nothing"
echo "$count adds acknowledged, none lost, one version"
result=0
exit 0
