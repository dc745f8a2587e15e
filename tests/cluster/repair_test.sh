#!/bin/bash
# repair_test.sh - replicas that fell behind, lost their disk or hold damaged bytes agree again, by
# themselves: three real nodes, real kill -9, SIGSTOP, a deleted directory, noise in a file.
#
# usage: tests/cluster/repair_test.sh BUILD

. "$(dirname "$0")/../mount/lib.sh"

ctl() {
    "$dynamoctl" --cluster "$cluster" "$@"
}

# put_many FROM TO - keys d/FROM ... d/TO, each of which holds its own number, 4 KiB of it.
put_many() {
    local i
    for ((i = $1; i <= $2; i++)); do
        yes "$i" | head -c 4096 | ctl put "d/$i" - > /dev/null || fail "put d/$i"
    done
}

# have_all TO - every key can be read, with what was written.
have_all() {
    local i
    for ((i = 1; i <= $1; i++)); do
        [ "$(ctl get --raw "d/$i" | head -n 1)" = "$i" ] || fail "d/$i is lost or wrong"
    done
}

# figure NAME - of what `repair --wait --json` told last.
figure() {
    python3 -c 'import json, sys; print(json.load(open(sys.argv[1]))[sys.argv[2]])' \
        "$work/repair.json" "$1"
}

no_hints() {
    ctl hints --json | python3 -c '
import json, sys
told = json.load(sys.stdin)
sys.exit(sum(one["count"] for one in told["hints"]) + len(told["unreachable"]) > 0)'
}

nobody_refills() {
    ctl repair --wait --timeout 600 --json > "$work/repair.json"
}

test_node_that_was_killed_catches_up_by_hints() {
    put_many 1 50
    node_kill 3
    put_many 51 150
    node_start 3
    wait_until "$deadline" no_hints || fail "hints are left: $(ctl hints)"
    good nobody_refills
    equal 0 "$(figure keys_repaired)" "what was left to repair after the hints"
    have_all 150
}

test_node_that_was_stopped_catches_up_by_hints() {
    kill -STOP "$(pid_of node2)"
    put_many 151 250
    kill -CONT "$(pid_of node2)"
    wait_until "$deadline" no_hints || fail "hints are left: $(ctl hints)"
    good nobody_refills
    equal 0 "$(figure keys_repaired)" "what was left to repair after the hints"
    have_all 250
}

test_node_whose_directory_was_deleted_refills() {
    node_kill 2
    rm -rf "$work/node2"
    put_many 251 300
    node_start 2
    wait_until "$deadline" nobody_refills || fail "node 2 does not refill: $(ctl repair --wait 2>&1)"
    # It counts as a full replica now: with another one gone the two must have everything.
    node_kill 1
    have_all 300
    node_start 1
    wait_until "$deadline" no_hints || fail "hints are left: $(ctl hints)"
}

test_block_of_noise_is_found_named_and_repaired() {
    # A stop and a start move what is in the log to a table.
    end node3 || fail "node 3 does not stop"
    node_start 3
    wait_until "$deadline" node_answers 3
    end node3 || fail "node 3 does not stop"
    local table
    table=$(ls -S "$work"/node3/db/*.ldb | head -n 1)
    dd if=/dev/urandom of="$table" bs=1024 seek=64 count=4 conv=notrunc status=none
    node_start 3
    wait_until "$deadline" node_answers 3
    wait_until "$deadline" nobody_refills || fail "node 3 is not repaired: $(ctl repair --wait 2>&1)"
    grep -q "${table##*/}" "$work/logs/node3" || fail "the log does not name ${table##*/}"
    node_kill 1
    have_all 300
    node_start 1
}

cluster_start 3
run_tests "$0"
