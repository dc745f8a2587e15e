#!/bin/bash
# cluster.sh - a cluster of storage nodes and mounts on this machine, to try things out.
#
# usage: examples/cluster.sh up [-n NODES] [-m MOUNTS] [--dir DIR] [--build BUILD] [--port PORT]
#        examples/cluster.sh status|down|stop I|start I|addresses [--dir DIR] [--build BUILD]
#   up         starts NODES storage nodes (3) and MOUNTS mounts (1) of them
#   status     what runs, and what the cluster says of itself
#   stop I     ends node number I at once, as a crash would; its data stays
#   start I    starts it again on its data
#   addresses  HOST:PORT,... of the nodes, for --cluster
#   down       unmounts and stops all that `up` started; the data stays in DIR
# Everything lives in DIR (default: $TMPDIR/dynamofs-cluster-UID): nodeI/ with data, log and
# process id, mountI/ the mount points. Node I listens on a free port of 127.0.0.1 from PORT
# (7501) on. Up again with the same DIR brings the same files back.

set -u

here=$(cd "$(dirname "$0")/.." && pwd)
directory=${TMPDIR:-/tmp}/dynamofs-cluster-$(id -u)
build=${DYNAMOFS_BUILD:-$here/build}
nodes=3
mounts=1
port=7501
wait_tenths=200

fail() {
    echo "cluster.sh: $*" >&2
    exit 1
}

usage() {
    sed -n '2,16s/^# \{0,1\}//p' "$0"
    exit "${1:-2}"
}

# The built program if there is one, else the installed one.
program() {
    local found
    for found in "$build/node/$1" "$build/fs/$1"; do
        if [ -x "$found" ]; then
            echo "$found"
            return
        fi
    done
    command -v "$1" || fail "no $1 in $build nor in PATH: build first, or give --build"
}

# running FILE WORD - the process id in FILE, if that process runs and WORD is on its command line
# (ids are used again after a while).
running() {
    local pid
    pid=$(cat "$1" 2> /dev/null) || return 1
    tr '\0' '\n' < "/proc/$pid/cmdline" 2> /dev/null | grep -qxF -- "$2" || return 1
    [ "$(sed -n 's/^State:\t\(.\).*/\1/p' "/proc/$pid/status" 2> /dev/null)" != Z ] || return 1
    echo "$pid"
}

# wait_until COMMAND... - until it succeeds, or 20 s have passed.
wait_until() {
    local count=0
    until "$@"; do
        count=$((count + 1))
        [ "$count" -lt "$wait_tenths" ] || return 1
        sleep 0.1
    done
}

not_running() {
    ! running "$1" "$2" > /dev/null
}

# A child that was just started may not have reached its program yet, so its command line tells
# nothing.
child_died() {
    ! kill -0 "$(cat "$1")" 2> /dev/null
}

addresses() {
    cat "$directory"/node*/address 2> /dev/null | paste -s -d ,
}

port_is_free() {
    ! (exec 3<> "/dev/tcp/127.0.0.1/$1") 2> /dev/null
}

choose_addresses() {
    local i
    for ((i = 1; i <= nodes; i++)); do
        mkdir -p "$directory/node$i"
        [ ! -f "$directory/node$i/address" ] || continue
        until port_is_free "$port"; do
            port=$((port + 1))
        done
        echo "127.0.0.1:$port" > "$directory/node$i/address"
        port=$((port + 1))
    done
}

start_node() {
    local node=$directory/node$1 address others
    [ -f "$node/address" ] || fail "there is no node $1 in $directory"
    running "$node/pid" "$node/data" > /dev/null && return
    address=$(cat "$node/address")
    others=$(addresses | tr ',' '\n' | grep -vxF "$address" | paste -s -d ,)
    setsid "$(program dynamod)" --data "$node/data" --listen "$address" ${others:+--join "$others"} \
        >> "$node/log" 2>&1 < /dev/null &
    echo $! > "$node/pid"
}

node_is_ready() {
    "$(program dynamoctl)" --cluster "$(cat "$directory/node$1/address")" ring > /dev/null 2>&1
}

ready_or_dead() {
    node_is_ready "$1" || child_died "$directory/node$1/pid"
}

await_node() {
    wait_until ready_or_dead "$1"
    node_is_ready "$1" && return
    tail -n 5 "$directory/node$1/log" >&2
    fail "node $1 does not answer; see $directory/node$1/log"
}

is_mounted() {
    grep -qF " $(cd "$1" && pwd -P) fuse.dynamofs " /proc/mounts
}

mounted_or_dead() {
    is_mounted "$1" || child_died "$1.pid"
}

start_mount() {
    local point=$directory/mount$1
    mkdir -p "$point" 2> /dev/null
    is_mounted "$point" && return
    setsid "$(program dynamofs)" -f --cluster "$(addresses)" "$point" \
        >> "$point.log" 2>&1 < /dev/null &
    echo $! > "$point.pid"
    wait_until mounted_or_dead "$point"
    is_mounted "$point" && return
    tail -n 5 "$point.log" >&2
    fail "cannot mount $point; see $point.log"
}

up() {
    local i
    mkdir -p "$directory" || exit 1
    program dynamod > /dev/null
    program dynamoctl > /dev/null
    [ "$mounts" -eq 0 ] || program dynamofs > /dev/null
    choose_addresses
    for ((i = 1; i <= nodes; i++)); do
        start_node "$i"
    done
    for ((i = 1; i <= nodes; i++)); do
        await_node "$i"
    done
    for ((i = 1; i <= mounts; i++)); do
        start_mount "$i"
    done
    status
}

status() {
    local node point pid
    for node in "$directory"/node*; do
        [ -f "$node/address" ] || continue
        pid=$(running "$node/pid" "$node/data") || pid=down
        printf '%-8s %-22s %s\n' "${node##*/}" "$(cat "$node/address")" "$pid"
    done
    for point in "$directory"/mount*; do
        [ -f "$point.pid" ] || continue
        pid=$(running "$point.pid" "$point") || pid=down
        printf '%-8s %-22s %s\n' "${point##*/}" "$point" "$pid"
    done
    [ -n "$(addresses)" ] || fail "nothing in $directory: use up"
    "$(program dynamoctl)" --cluster "$(addresses)" status
}

unmount() {
    local point=$1 pid
    if is_mounted "$point"; then
        fusermount3 -u "$point" || fail "$point is in use"
    fi
    if ! wait_until not_running "$point.pid" "$point"; then
        pid=$(running "$point.pid" "$point") && kill -KILL "$pid"
        echo "cluster.sh: ended the mount process of $point, which did not stop" >&2
    fi
    rm -f "$point.pid"
}

stop_node() {
    local node=$1 signal=$2 pid
    pid=$(running "$node/pid" "$node/data") && kill "-$signal" "$pid"
    if ! wait_until not_running "$node/pid" "$node/data"; then
        pid=$(running "$node/pid" "$node/data") && kill -KILL "$pid"
        echo "cluster.sh: killed ${node##*/}, which did not stop" >&2
    fi
    rm -f "$node/pid"
}

down() {
    local point node pid
    for point in "$directory"/mount*; do
        [ -f "$point.pid" ] && unmount "$point"
    done
    # All at once, so that none waits for another.
    for node in "$directory"/node*; do
        pid=$(running "$node/pid" "$node/data") && kill -TERM "$pid"
    done
    for node in "$directory"/node*; do
        [ -f "$node/pid" ] && stop_node "$node" TERM
    done
    return 0
}

[ $# -gt 0 ] || usage
verb=$1
shift
index=
case "$verb" in
stop | start)
    index=${1-}
    [[ $index =~ ^[0-9]+$ ]] || usage
    shift
    ;;
esac
while [ $# -gt 0 ]; do
    [ $# -gt 1 ] || usage
    case "$1" in
    -n) nodes=$2 ;;
    -m) mounts=$2 ;;
    --dir) directory=$2 ;;
    --build) build=$2 ;;
    --port) port=$2 ;;
    *) usage ;;
    esac
    shift 2
done
[[ $nodes$mounts$port =~ ^[0-9]+$ && $nodes -gt 0 ]] || usage
case "$directory" in
/*) ;;
*) directory=$PWD/$directory ;;
esac

case "$verb" in
up) up ;;
down) down ;;
status) status ;;
addresses) addresses ;;
stop) stop_node "$directory/node$index" KILL ;;
start) start_node "$index" && await_node "$index" ;;
help | --help) usage 0 ;;
*) usage ;;
esac
