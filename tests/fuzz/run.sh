#!/bin/bash
# run.sh - builds the fuzz targets and runs each for a while.
#
# usage: tests/fuzz/run.sh [SECONDS]
#   SECONDS  in all, shared by the targets (default 60)
#
# Needs clang and libclang-rt-14-dev. Builds in build-fuzz/; what the fuzzers learn is kept in
# build-fuzz/corpus/ for the next run. Exits with 1 on any finding: a crash, a leak, undefined
# behaviour, an input over 10 s or over 1 GiB. The input is left in build-fuzz/findings/; run
# build-fuzz/tests/fuzz/fuzz_NAME FILE to see it again.

set -u
cd "$(dirname "$0")/../.." || exit 1

seconds=${1:-60}
targets="codec record frame manifest"
build=build-fuzz

if ! [[ "$seconds" =~ ^[1-9][0-9]*$ ]]; then
    echo "usage: tests/fuzz/run.sh [SECONDS]" >&2
    exit 2
fi
each=$(((seconds + 3) / 4))

fail() {
    echo "fuzz: $1" >&2
    exit 1
}

sanitizers=address,undefined
flags="-fsanitize=fuzzer-no-link -fno-sanitize-recover=all"
if [ ! -f "$build/build.ninja" ]; then
    CC=clang meson setup "$build" -Dfuzz=true -Db_sanitize=$sanitizers -Db_lundef=false \
        "-Dc_args=$flags" > /dev/null || fail "meson setup failed"
fi
names=()
for target in $targets; do
    names+=("tests/fuzz/fuzz_$target")
    mkdir -p "$build/seeds/$target" "$build/corpus/$target"
done
mkdir -p "$build/findings"
ninja -C "$build" -j2 "${names[@]}" tests/fuzz/make_seeds > "$build/build.log" ||
    { cat "$build/build.log"; fail "the build failed"; }
"$build/tests/fuzz/make_seeds" "$build/seeds" || fail "no seeds"

status=0
for target in $targets; do
    log=$build/$target.log
    if "$build/tests/fuzz/fuzz_$target" -max_total_time="$each" -max_len=65536 -timeout=10 \
        -rss_limit_mb=1024 -print_final_stats=1 -artifact_prefix="$build/findings/$target-" \
        "$build/corpus/$target" "$build/seeds/$target" > "$log" 2>&1; then
        runs=$(sed -n 's/^stat::number_of_executed_units: *//p' "$log")
        echo "fuzz_$target: $runs inputs in $each s, no finding"
    else
        tail -n 60 "$log"
        echo "fuzz_$target: a finding; see $build/findings/ and $log"
        status=1
    fi
done
exit $status
