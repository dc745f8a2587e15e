#!/bin/bash
# run.sh - dynamofs against the least a FUSE file system can cost, in one call.
#
# usage: tests/bench/run.sh [BUILD] [--rounds N] [--files N] [--large MEBIBYTES]
#                           [--work WORK,...] [--only PARTY,...] [--raw FILE]
#   BUILD     a build directory (build/)
#   --rounds  how often each party runs, interleaved A B C A B C ... (3)
#   --files   files in each round (5000)
#   --large   of the file that is written and read in sequence (256)
#   --work    some of: files large kv (all)
#   --only    some of: passthrough embedded cluster
#   --raw     keep the result of every run in FILE
#
# passthrough: a bare FUSE passthrough over a local disk; embedded: `dynamofs` with its own node;
# cluster: three dynamod (N=3, R=2, W=2) and one mount. The data of all is on a new ext4 image
# with default options on a loop device. Prints a JSON object; the table goes to stderr.
# Needs root (loop device, dropping caches).

set -u

here=$(cd "$(dirname "$0")/../.." && pwd)
bench=$here/tests/bench
build=$here/build
rounds=3
files=5000
large=256
work=files,large,kv
only=passthrough,embedded,cluster
raw=
while [ $# -gt 0 ]; do
    case "$1" in
    --rounds) rounds=${2:?} && shift ;;
    --files) files=${2:?} && shift ;;
    --large) large=${2:?} && shift ;;
    --work) work=${2:?} && shift ;;
    --only) only=${2:?} && shift ;;
    --raw) raw=${2:?} && shift ;;
    -*)
        sed -n '2,17s/^# \{0,1\}//p' "$0"
        exit 2
        ;;
    *) build=$1 ;;
    esac
    shift
done
build=$(cd "$build" && pwd) || exit 1
for program in fs/dynamofs node/dynamod tests/bench/bench_files tests/bench/passthrough; do
    [ -x "$build/$program" ] || {
        echo "run.sh: $build has no $program: ninja -C $build" >&2
        exit 1
    }
done

scratch=$(mktemp -d "${TMPDIR:-/var/tmp}/dynamofs-bench.XXXXXX")
disk=$scratch/disk
point=$scratch/mount
results=$scratch/results.jsonl
loop=
party=
mounted_pid=
mkdir "$disk" "$point"

say() {
    echo "$*" >&2
}

fail() {
    say "run.sh: $*"
    tail -n 5 "$scratch"/*.log >&2 2> /dev/null
    exit 1
}

finish() {
    leave 2> /dev/null
    "$here/examples/cluster.sh" down --dir "$disk/cluster" --build "$build" > /dev/null 2>&1
    if [ -n "$loop" ]; then
        umount "$disk" && losetup -d "$loop"
    fi
    [ -z "$raw" ] || cp "$results" "$raw"
    rm -rf "$scratch"
}
trap finish EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

make_disk() {
    truncate -s 12G "$scratch/image" &&
        mkfs.ext4 -q -F "$scratch/image" &&
        loop=$(losetup --find --show "$scratch/image") &&
        mount "$loop" "$disk" && return
    loop=
    say "run.sh: no loop device here: the data goes to $scratch itself"
}

is_mounted() {
    mountpoint -q "$point"
}

await() {
    local count=0
    until "$@"; do
        count=$((count + 1))
        [ $count -lt 300 ] || return 1
        sleep 0.1
    done
}

ended() {
    ! kill -0 "$1" 2> /dev/null
}

# Mounts what $party names, its data where it was before.
enter() {
    case "$party" in
    passthrough)
        mkdir -p "$disk/passthrough"
        "$build/tests/bench/passthrough" "$disk/passthrough" "$point" > "$scratch/mount.log" 2>&1 &
        ;;
    embedded)
        "$build/fs/dynamofs" -f --data "$disk/embedded" --listen 127.0.0.1:0 "$point" \
            > "$scratch/mount.log" 2>&1 &
        ;;
    cluster)
        "$build/fs/dynamofs" -f \
            --cluster "$("$here/examples/cluster.sh" addresses --dir "$disk/cluster")" "$point" \
            > "$scratch/mount.log" 2>&1 &
        ;;
    esac
    mounted_pid=$!
    await is_mounted || fail "cannot mount $party"
}

leave() {
    is_mounted && fusermount3 -u "$point"
    if [ -n "$mounted_pid" ]; then
        await ended "$mounted_pid" || kill -KILL "$mounted_pid"
        wait "$mounted_pid" 2> /dev/null
    fi
    mounted_pid=
}

# A fresh mount over cold caches.
again() {
    leave
    sync
    echo 3 > /proc/sys/vm/drop_caches 2> /dev/null || say "run.sh: cannot drop the caches"
    enter
}

# record RUN COMMAND... - keeps what a benchmark prints.
record() {
    local run=$1 result
    shift
    result=$("$@" 2> "$scratch/bench.log") || fail "$party: $*"
    echo "{\"round\": $round, \"party\": \"$party\", \"run\": \"$run\", \"result\": $result}" |
        tr '\n' ' ' >> "$results"
    echo >> "$results"
}

# files RUN THREADS PHASES
run_files() {
    record "$1" "$build/tests/bench/bench_files" "$point" --json --files "$files" \
        --threads "$2" --phases "$3"
}

run_kv() {
    local addresses
    addresses=$("$here/examples/cluster.sh" addresses --dir "$disk/cluster")
    for in_flight in 1 32; do
        record "kv, $in_flight in flight" "$build/tests/bench/bench_kv" --cluster "$addresses" \
            --operations "$files" --size 1024 --in-flight $in_flight --json
    done
}

run_small() {
    local threads run
    for threads in 1 4; do
        run="files, $threads thread"
        [ $threads -eq 1 ] || run="${run}s"
        run_files "$run" $threads create,overwrite
        again
        run_files "$run" $threads list
        again
        run_files "$run" $threads read,reread
        again
        run_files "$run" $threads stat,rename,unlink
    done
    run_files "files, fsync" 1 create_sync
}

run_large() {
    record "$large MiB" "$build/tests/bench/bench_files" "$point" --json --large "$large" \
        --phases sequential_write
    again
    record "$large MiB" "$build/tests/bench/bench_files" "$point" --json --large "$large" \
        --phases sequential_read
}

has_work() {
    [[ ,$work, == *,$1,* ]]
}

run_party() {
    rm -rf "${disk:?}/$party"
    if [ "$party" = cluster ]; then
        "$here/examples/cluster.sh" up -n 3 -m 0 --dir "$disk/cluster" --build "$build" \
            --port 27501 > "$scratch/cluster.log" 2>&1 || fail "cannot start the cluster"
    fi
    enter
    ! has_work files || run_small
    ! has_work large || run_large
    rm -rf "$point/bench"
    leave
    if [ "$party" = cluster ]; then
        ! has_work kv || run_kv
        "$here/examples/cluster.sh" down --dir "$disk/cluster" --build "$build" ||
            fail "cannot stop the cluster"
    fi
    rm -rf "${disk:?}/$party"
}

make_disk
python3 - "$loop" > "$scratch/machine.json" <<'END'
import json, os, platform, sys
model = next((line.split(":")[1].strip() for line in open("/proc/cpuinfo") if "model name" in line), "?")
print(json.dumps({"cpus": os.cpu_count(), "model": model, "kernel": platform.release(),
                  "disk": "ext4 on a loop device" if sys.argv[1] else "the directory itself"}))
END
for ((round = 1; round <= rounds; round++)); do
    for party in ${only//,/ }; do
        say "round $round of $rounds: $party"
        run_party
    done
done
python3 "$bench/report.py" "$results" "$scratch/machine.json"
