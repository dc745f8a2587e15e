#!/bin/bash
# crash.sh - nodes and mounts are killed under load; what close acknowledged is there afterwards.
# usage: tests/mount/crash.sh BUILD_DIR

. "$(dirname "$0")/lib.sh"

writers=$(dirname "$0")/writers.py
timeout=5
cluster_start 3

# writers_start MOUNT - four of them, each with its own record.
writers_start() {
    local i
    rm -f "$work/stop"
    for i in 1 2 3 4; do
        start "writer$i" python3 "$writers" write "$work/$1" "$work/record-$1-$i" "w$i" \
            "$work/stop" "$((timeout + deadline))"
    done
}

writers_are_done() {
    local i
    for i in 1 2 3 4; do
        process_is_gone "$(pid_of "writer$i")" || return 1
    done
}

# writers_stop - and waits until all are done; fails if one says that something was wrong.
writers_stop() {
    local i
    touch "$work/stop"
    wait_until "$deadline" writers_are_done || fail "a writer hangs"
    for i in 1 2 3 4; do
        tail -n 1 "$work/logs/writer$i" | grep -q closed ||
            fail "writer $i: $(tail -n 1 "$work/logs/writer$i")"
        rm -f "$work/pids/writer$i"
    done
}

records_have_grown() {
    [ "$(cat "$work"/record-"$1"-* 2> /dev/null | wc -l)" -ge "$2" ]
}

# After another COUNT closes of the mount's writers.
await_closes() {
    local have
    have=$(cat "$work"/record-"$1"-* 2> /dev/null | wc -l)
    wait_until "$deadline" records_have_grown "$1" $((have + $2)) || fail "the writers stand still"
}

test_nodes_are_killed_in_turn__no_acknowledged_close_is_lost() {
    local i
    mount_start nodes --cluster "$cluster" -o timeout=$timeout
    writers_start nodes
    for i in 1 2 3 1 2 3; do
        await_closes nodes 300
        node_kill "$i"
        await_closes nodes 300
        node_start "$i"
        wait_until "$deadline" node_answers "$i" || fail "node $i does not come back"
    done
    writers_stop
    # Through a mount that has seen nothing of it.
    mount_start witness --cluster "$cluster"
    good python3 "$writers" check "$work/witness" "$work"/record-nodes-*
    good python3 "$writers" check "$work/nodes" "$work"/record-nodes-*
    mount_stop nodes
    mount_stop witness
}

test_mount_is_killed__no_acknowledged_close_is_lost() {
    mount_start victim --cluster "$cluster" -o timeout=$timeout
    writers_start victim
    await_closes victim 200
    end victim KILL
    writers_stop
    good fusermount3 -u -z "$work/victim"
    mount_start victim --cluster "$cluster"
    good python3 "$writers" check "$work/victim" "$work"/record-victim-*
    mount_stop victim
}

test_all_nodes_are_killed_at_once__no_acknowledged_close_is_lost() {
    local i
    mount_start power --cluster "$cluster" -o timeout=$timeout
    writers_start power
    await_closes power 200
    for i in 1 2 3; do
        kill -KILL "$(pid_of "node$i")"
    done
    for i in 1 2 3; do
        wait_until "$deadline" process_is_gone "$(pid_of "node$i")"
        node_start "$i"
    done
    for i in 1 2 3; do
        wait_until "$deadline" node_answers "$i" || fail "node $i does not come back"
    done
    await_closes power 200
    writers_stop
    good python3 "$writers" check "$work/power" "$work"/record-power-*
    mount_stop power
}

test_embedded_mount_is_killed__no_acknowledged_close_is_lost() {
    mount_start alone --data "$work/alone.data" --listen 127.0.0.1:0
    writers_start alone
    await_closes alone 300
    end alone KILL
    writers_stop
    good fusermount3 -u -z "$work/alone"
    mount_start alone --data "$work/alone.data" --listen 127.0.0.1:0
    good python3 "$writers" check "$work/alone" "$work"/record-alone-*
    mount_stop alone
}

has_names() {
    [ "$(ls "$1" 2> /dev/null | wc -l)" -ge "$2" ]
}

test_mount_is_killed_in_a_directory_rename__mv_again_finishes_it() {
    local i
    mount_start mover --cluster "$cluster"
    mkdir -p "$work/mover/old/sub"
    for i in $(seq 400); do
        echo "$i" > "$work/mover/old/$i"
        [ "$i" -gt 50 ] || echo "sub $i" > "$work/mover/old/sub/$i"
    done
    mount_start witness --cluster "$cluster"
    start mv mv "$work/mover/old" "$work/mover/new"
    wait_until "$deadline" has_names "$work/witness/new" 20 || fail "the rename does not begin"
    end mover KILL
    good fusermount3 -u -z "$work/mover"
    has_names "$work/witness/old" 1 || fail "the rename was through: nothing was tested"

    [ "$(stat -c %i "$work/witness/old")" != "$(stat -c %i "$work/witness/new")" ] ||
        fail "both directories have one inode number"
    good mv "$work/witness/old" "$work/witness/new"
    mount_start mover --cluster "$cluster"
    bad "No such file" ls "$work/mover/old"
    equal 401 "$(ls "$work/mover/new" | wc -l)" "names"
    for i in $(seq 400); do
        holds "$work/mover/new/$i" "$i"
    done
    equal 50 "$(ls "$work/mover/new/sub" | wc -l)" "names below"
    mount_stop witness
    mount_stop mover
}

run_tests "$0"
