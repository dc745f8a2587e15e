#!/bin/bash
# places_test.sh - whose place in the ring it is: volumes that are not mounted cost nobody its
# place; by hand it is given away, and an old directory then hands over what it holds.
#
# usage: tests/cluster/places_test.sh BUILD

. "$(dirname "$0")/../mount/lib.sh"

# ctl_at NODE ARGUMENT... - asks that node.
ctl_at() {
    local node=$1
    shift
    "$dynamoctl" --cluster "$(cat "$work/address$node")" "$@"
}

# figure NODE NAME - of the ring that the node knows.
figure() {
    ctl_at "$1" ring --json | python3 -c 'import json, sys; print(json.load(sys.stdin)[sys.argv[1]])' "$2"
}

# id_of NODE - as the third node knows it.
id_of() {
    ctl_at 3 ring --json | python3 -c '
import json, sys
print(next(one["id"] for one in json.load(sys.stdin)["members"] if one["address"] == sys.argv[1]))' \
        "$(cat "$work/address$1")"
}

# waits_for_place NODE - the status says so, and what to do.
waits_for_place() {
    ctl_at 3 status | grep -A1 -F "$(cat "$work/address$1")" | grep -q 'dynamoctl replace'
}

nobody_refills() {
    ctl_at 3 repair --wait --timeout 60 > "$work/repair.log" 2>&1
}

has_value() {
    [ "$(ctl_at "$1" get --raw "$2" 2> /dev/null)" = "$3" ]
}

# unmount_two - what nodes 1 and 2 took while 3 was away is on volumes that are gone.
unmount_two() {
    node_kill 3
    echo "$2" | ctl_at 1 put --sync "$1" - > /dev/null || fail "put $1"
    node_kill 1
    node_kill 2
    mv "$work/node1" "$work/volume1"
    mv "$work/node2" "$work/volume2"
    node_start 3
    wait_until "$deadline" node_answers 3 || fail "node 3 does not answer"
    node_start 1
    node_start 2
    wait_until "$deadline" waits_for_place 1 || fail "node 1 does not wait: $(ctl_at 3 status)"
    wait_until "$deadline" waits_for_place 2 || fail "node 2 does not wait: $(ctl_at 3 status)"
}

test_two_volumes_that_are_not_mounted_cost_nothing() {
    local epoch
    epoch=$(figure 3 epoch)
    unmount_two carts "acknowledged"
    equal "$epoch" "$(figure 3 epoch)" "epoch"
    node_kill 1
    node_kill 2
    rm -rf "$work/node1" "$work/node2"
    mv "$work/volume1" "$work/node1"
    mv "$work/volume2" "$work/node2"
    node_start 1
    node_start 2
    wait_until "$deadline" has_value 1 carts acknowledged || fail "the write is lost"
    wait_until "$deadline" has_value 3 carts acknowledged || fail "the write is lost on node 3"
}

test_node_starts_on_nothing_but_its_own_data() {
    local id other code=0
    id=$(id_of 1)
    other=$(id_of 2)
    end node1 || fail "node 1 does not stop"
    "$dynamod" --data "$work/nothing" --listen 127.0.0.1:0 --expect "$id" > "$work/out" 2>&1 || code=$?
    equal 1 "$code" "exit code on an empty directory"
    grep -q 'is its volume mounted?' "$work/out" || fail "$(cat "$work/out")"
    [ ! -e "$work/nothing" ] || fail "a directory was made"
    "$dynamod" --data "$work/node1" --listen "$(cat "$work/address1")" --expect "$other" \
        > "$work/out" 2>&1 || code=$?
    equal 1 "$code" "exit code on another node's directory"
    grep -q "holds the data of node $id" "$work/out" || fail "$(cat "$work/out")"
    "$dynamod" --data "$work/node1" --listen 127.0.0.1:0 --expect 12 > "$work/out" 2>&1 || code=$?
    equal 2 "$code" "exit code on what is no id"
    node_start 1
    wait_until "$deadline" node_answers 1 || fail "node 1 does not answer"
}

test_place_is_given_away_by_hand_and_the_old_directory_hands_over() {
    wait_until "$deadline" nobody_refills || fail "$(cat "$work/repair.log")"
    local code=0
    unmount_two later "only there"
    echo no | ctl_at 3 replace "$(cat "$work/address1")" > "$work/out" 2>&1 || code=$?
    equal 1 "$code" "exit code when not confirmed"
    grep -q 'loses its place' "$work/out" || fail "no question: $(cat "$work/out")"
    echo yes | ctl_at 3 replace "$(cat "$work/address1")" > "$work/out" 2>&1 ||
        fail "replace: $(cat "$work/out")"
    ctl_at 3 replace --yes "$(id_of 2)" > "$work/out" 2>&1 || fail "replace: $(cat "$work/out")"
    wait_until "$deadline" nobody_refills || fail "$(cat "$work/repair.log")"
    has_value 3 carts acknowledged || fail "what node 3 held is lost"
    ctl_at 3 get later > /dev/null 2>&1 || code=$?
    equal 3 "$code" "exit code of a get of what nobody has"
    start old1 "$dynamod" --data "$work/volume1" --listen 127.0.0.1:0 --source
    wait_until "$deadline" grep -q 'all that it held is handed over' "$work/logs/old1" ||
        fail "$(tail -n 5 "$work/logs/old1")"
    for node in 1 2 3; do
        has_value "$node" later "only there" || fail "node $node has not got it"
    done
    end old1 || fail "the source does not stop"
}

test_hints_are_dropped_after_a_question() {
    local code=0
    node_kill 2
    echo v | ctl_at 1 put hinted - > /dev/null || fail "put"
    echo no | ctl_at 1 hints --drop "$(cat "$work/address2")" > "$work/out" 2>&1 || code=$?
    equal 1 "$code" "exit code when not confirmed"
    ctl_at 1 hints --drop "$(id_of 2)" --yes --json > "$work/out" 2> "$work/errors" || true
    grep -q '"dropped"' "$work/out" || fail "$(cat "$work/out" "$work/errors")"
    node_start 2
    wait_until "$deadline" node_answers 2 || fail "node 2 does not answer"
}

cluster_start 3
run_tests "$0"
