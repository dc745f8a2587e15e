#!/bin/bash
# nightly.sh - what is too long for every run: many seeds, planted bugs from many starting points,
# machine-made mutants, an hour of torture, long fuzzing. Says what it ran, and how long.
#
# usage: tests/nightly.sh [--scale PERCENT] [BUILD]   (BUILD: build, made if it is not there)
#   --scale   10 runs a tenth of everything
#
# Needs what tests/run.sh needs. The last line is "N passed, N failed"; logs go to BUILD/nightly/.

set -u
cd "$(dirname "$0")/.." || exit 1

scale=100
if [ "${1-}" = --scale ]; then
    scale=${2-}
    shift 2 || scale=
fi
build=${1:-build}
case "$scale" in
'' | *[!0-9]* | 0)
    sed -n '5,8s/^# //p' "$0" >&2
    exit 2
    ;;
esac
tests/packages.sh test || exit 1
[ -f "$build/build.ninja" ] || meson setup "$build" --buildtype=release -Db_ndebug=false || exit 1
ninja -C "$build" --quiet || exit 1
build=$(cd "$build" && pwd)
logs=$build/nightly
mkdir -p "$logs"
passed=0
failed=0

# part COUNT - the share of COUNT that --scale leaves, at least 1.
part() {
    echo $(($1 * scale / 100 > 0 ? $1 * scale / 100 : 1))
}

# step NAME COMMAND... - runs it to its end, prints the command, its time and its last line.
step() {
    local name=$1 begin=$SECONDS log=$logs/$1.log
    shift
    echo "$name: $*"
    if "$@" > "$log" 2>&1 < /dev/null; then
        passed=$((passed + 1))
        echo "    ok, $((SECONDS - begin)) s: $(tail -n 1 "$log")"
    else
        failed=$((failed + 1))
        echo "    FAILED, $((SECONDS - begin)) s, see $log:"
        tail -n 20 "$log" | sed 's/^/    /'
    fi
}

echo "dynamofs $(git describe --always --dirty 2> /dev/null), $(date -u +%F), $(nproc) cores, scale $scale %"
step soak env SIM="$build/sim_marks" tests/soak.sh "$(part 100000)"
step planted tests/sim/mutants.py --table --limit "$(part 1000)" "$build/sim_planted"
step mutants tests/sim/machine_mutants.py --sample "$(part 1000)" --draw "$(date +%j)" \
    --report "$logs/mutants.txt"
step torture tests/torture/run.sh "$build" "$(part 60)"
step million tests/mount/million.sh "$build" "$(part 1000000)"
step large tests/mount/large_long.sh "$build" "$(part 2048)"
step fuzz tests/fuzz/run.sh "$(part 3600)"
echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]
