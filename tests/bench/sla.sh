#!/bin/bash
# sla.sh - the paper's promise, on three real nodes: 99.9 % within 300 ms at 500 a second, while a
# node is stopped; and that nothing is left to repair once it goes on.
#
# usage: tests/bench/sla.sh [BUILD] [--seconds N] [--rate N] [--size BYTES] [--no-handoff]
#   BUILD         a build directory (build/)
#   --seconds     of load (40): a quarter with all nodes well, the rest with one stopped
#   --rate        operations a second (500), half puts and half gets
#   --size        bytes of a value (1024)
#   --no-handoff  ends with the load: does not wait for hints and repair
#
# Three dynamod (N=3, R=2, W=2) on loopback keep their data under $TMPDIR (/var/tmp). One is stopped
# with SIGSTOP, which is worse than a crash: it still accepts connections. Prints a JSON object; the
# histograms go to stderr. Status 1 if the promise is broken; 77 if it is, but the machine was too
# busy to tell.

set -u

here=$(cd "$(dirname "$0")/../.." && pwd)
build=$here/build
seconds=40
rate=500
size=1024
handoff=yes
wait_s=120
pids=()
ports=()

usage() {
    sed -n '2,16s/^# \{0,1\}//p' "$0"
    exit 2
}

while [ $# -gt 0 ]; do
    case "$1" in
    --seconds) seconds=${2:-} && shift ;;
    --rate) rate=${2:-} && shift ;;
    --size) size=${2:-} && shift ;;
    --no-handoff) handoff= ;;
    -*) usage ;;
    *) build=$1 ;;
    esac
    shift
done
[[ $seconds =~ ^[0-9]+$ && $rate =~ ^[0-9]+$ && $size =~ ^[0-9]+$ && $seconds -ge 4 ]] || usage
build=$(cd "$build" && pwd) || exit 1
for program in node/dynamod node/dynamoctl tests/bench/bench_sla; do
    [ -x "$build/$program" ] || {
        echo "sla.sh: $build has no $program: ninja -C $build" >&2
        exit 1
    }
done

scratch=$(mktemp -d "${TMPDIR:-/var/tmp}/dynamofs-sla.XXXXXX")

fail() {
    echo "sla.sh: $*" >&2
    tail -n 5 "$scratch"/*.log >&2 2> /dev/null
    exit 1
}

# Ends the nodes and no other process: their ids are known.
finish() {
    local pid
    for pid in "${pids[@]}"; do
        kill -KILL "$pid" 2> /dev/null
        wait "$pid" 2> /dev/null
    done
    rm -rf "$scratch"
}
trap finish EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

port_is_free() {
    ! (exec 3<> "/dev/tcp/127.0.0.1/$1") 2> /dev/null
}

choose_ports() {
    local port=27601
    while [ ${#ports[@]} -lt 3 ]; do
        if port_is_free "$port"; then
            ports+=("$port")
        fi
        port=$((port + 1))
    done
}

addresses() {
    printf '127.0.0.1:%s\n' "${ports[@]}" | paste -s -d ,
}

# start_node INDEX
start_node() {
    local own=127.0.0.1:${ports[$1]} others
    others=$(addresses | tr ',' '\n' | grep -vxF "$own" | paste -s -d ,)
    "$build/node/dynamod" --data "$scratch/node$1" --listen "$own" --join "$others" \
        > "$scratch/node$1.log" 2>&1 &
    pids+=("$!")
}

# await SECONDS COMMAND... - until it succeeds.
await() {
    local end=$((SECONDS + $1))
    shift
    until "$@"; do
        [ $SECONDS -lt $end ] || return 1
        sleep 0.2
    done
}

# The ring has the three members, as node INDEX sees it.
node_is_ready() {
    "$build/node/dynamoctl" --cluster "127.0.0.1:${ports[$1]}" ring --json 2> /dev/null |
        python3 -c 'import json, sys; sys.exit(len(json.load(sys.stdin)["members"]) != 3)' \
            2> /dev/null
}

# How many hints the members keep that answer; the stopped one does not.
count_hints() {
    "$build/node/dynamoctl" --cluster "$(addresses)" hints --json > "$scratch/hints.json" \
        2> "$scratch/hints.log"
    python3 -c 'import json, sys; print(json.load(sys.stdin)["total"]["count"])' \
        < "$scratch/hints.json" 2>> "$scratch/hints.log" || echo unknown
}

no_hints_are_left() {
    [ "$(count_hints)" = 0 ] && [ ! -s "$scratch/hints.log" ]
}

# All members compare all; prints the number of keys that they repaired.
repair() {
    "$build/node/dynamoctl" --cluster "$(addresses)" repair --wait --json \
        > "$scratch/repair.json" 2> "$scratch/repair.log" || {
        cat "$scratch/repair.json" "$scratch/repair.log" >&2
        fail "the members could not compare their copies"
    }
    python3 -c '
import json, sys
told = json.load(sys.stdin)
if told["pairs"] == 0:
    sys.exit("sla.sh: repair compared nothing")
print(told["keys_repaired"])
' < "$scratch/repair.json"
}

choose_ports
for index in 0 1 2; do
    start_node $index
done
for index in 0 1 2; do
    await 20 node_is_ready $index || fail "the cluster does not form"
done

healthy=$((seconds / 4))
victim=${pids[0]}
"$build/tests/bench/bench_sla" --cluster "$(addresses)" --stop "$victim" --rate "$rate" \
    --size "$size" --healthy $healthy --stopped $((seconds - healthy))
status=$?
[ -z "$handoff" ] || echo "hints are kept for the stopped node: $(count_hints)" >&2
kill -CONT "$victim" || fail "the stopped node is gone"
[ -n "$handoff" ] || exit $status

resumed=$SECONDS
await $wait_s no_hints_are_left || fail "hints are left after $wait_s s: $(cat "$scratch/hints.json")"
echo "all hints were handed off $((SECONDS - resumed)) s after the node went on" >&2
repaired=$(repair) || exit 1
[ "$repaired" = 0 ] || fail "the nodes differed after the handoff: $repaired keys were repaired"
echo "repair found nothing to do" >&2
exit $status
