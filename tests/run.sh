#!/bin/bash
# run.sh - builds dynamofs in every way that we promise, and runs every test.
#
# usage: tests/run.sh [--quick] [--keep]
#   --quick  one build, its unit tests, and the tests on a real mount
#   --keep   keep the logs of the steps that passed too
#
# For Debian 12, as root or with sudo: installs what is missing. Each step prints one line; what a
# failing step wrote is shown. The last line is "N passed, N failed". Builds go to build-test/.

set -u
cd "$(dirname "$0")/.." || exit 1

quick=no
keep=no
# Seconds after which a step counts as hanging; a busy machine needs many times what a quiet one does.
hangs=3000
for argument in "$@"; do
    case "$argument" in
    --quick) quick=yes ;;
    --keep) keep=yes ;;
    --help)
        sed -n '2,10s/^# \{0,1\}//p' "$0"
        exit 0
        ;;
    *)
        echo "run.sh: unknown option $argument" >&2
        exit 2
        ;;
    esac
done

root=$PWD
builds=$root/build-test
logs=$builds/logs
passed=0
failed=0
failures=
running=
mkdir -p "$logs"
# All that the tests make and mount is below it.
TMPDIR=$(mktemp -d "${TMPDIR:-/tmp}/dynamofs-run.XXXXXX") || exit 1
export TMPDIR

# Reports mounts and processes of ours that are still there; with "end", ends them too.
leftovers() {
    local found=0 directory pid program
    while read -r _ directory _; do
        case "$directory" in
        "$TMPDIR"/*)
            echo "still mounted: $directory"
            [ "${1-}" = end ] && fusermount3 -u -z "$directory"
            found=1
            ;;
        esac
    done < /proc/mounts
    for pid in /proc/[0-9]*; do
        program=$(readlink "$pid/exe" 2> /dev/null) || continue
        case "$program" in
        "$builds"/*)
            echo "still running: ${pid#/proc/} $(tr '\0' ' ' < "$pid/cmdline")"
            [ "${1-}" = end ] && kill -KILL "${pid#/proc/}"
            found=1
            ;;
        esac
    done
    return $found
}

finish() {
    if [ -n "$running" ]; then
        kill -TERM -- "-$running" 2> /dev/null
        wait "$running" 2> /dev/null
    fi
    leftovers end > /dev/null 2>&1
    # What a failed test left is worth a look.
    if [ "$failed" -eq 0 ]; then
        rm -rf --one-file-system "$TMPDIR"
    else
        rmdir "$TMPDIR" 2> /dev/null
    fi
}
trap finish EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

# step NAME COMMAND... - runs one step and counts it; what hangs is ended.
step() {
    local name=$1 log result begin=$SECONDS
    log=$logs/${name//[^a-z0-9]/-}.log
    shift
    printf '%-44s' "$name"
    timeout --kill-after=20 "$hangs" "$@" > "$log" 2>&1 < /dev/null &
    running=$!
    wait "$running"
    result=$?
    running=
    if [ "$result" -eq 0 ]; then
        printf 'ok    %4d s\n' $((SECONDS - begin))
        passed=$((passed + 1))
        [ "$keep" = yes ] || rm -f "$log"
        return 0
    fi
    printf 'FAIL  %4d s\n' $((SECONDS - begin))
    [ "$result" -ne 124 ] || echo "    hangs: ended after $hangs s"
    tail -n 200 "$log" | sed 's/^/    /'
    failed=$((failed + 1))
    failures="$failures    $name"$'\n'
    return 1
}

# build NAME CC [MESON OPTION...] - a build directory, configured once and brought up to date.
build() {
    local directory=$builds/$1 compiler=$2
    shift 2
    if [ ! -f "$directory/build.ninja" ]; then
        rm -rf "$directory"
        CC=$compiler meson setup "$directory" "$@" || return 1
    fi
    ninja -C "$directory" --quiet
}

# suites NAME SUITE... - the tests of those suites that exist in build NAME.
suites() {
    local directory=$builds/$1 suite known chosen=()
    shift
    known=$(meson test -C "$directory" --list 2> /dev/null | sed -n 's/^[^ ]*:\([^ ]*\) \/ .*/\1/p')
    known=" $(echo "$known" | tr '+\n' '  ') "
    for suite in "$@"; do
        case "$known" in
        *" $suite "*) chosen+=(--suite "$suite") ;;
        *) echo "there is no suite $suite" && return 1 ;;
        esac
    done
    meson test -C "$directory" --no-rebuild --print-errorlogs --num-processes 2 "${chosen[@]}"
}

# True if this machine lets us make network namespaces, links between them, and rules.
namespaces() {
    local name=dynamofs-try-$$ good=1
    ip netns add "$name" 2> /dev/null || return 1
    ip netns exec "$name" ip link add try0 type veth peer name try1 2> /dev/null &&
        ip netns exec "$name" nft add table inet try 2> /dev/null && good=0
    ip netns del "$name"
    return $good
}

under_valgrind() {
    meson test -C "$builds/gcc" --no-rebuild --print-errorlogs --num-processes 2 --suite fs \
        --wrap 'valgrind --quiet --error-exitcode=9 --leak-check=full --errors-for-leak-kinds=definite --child-silent-after-fork=yes'
}

everything() {
    meson test -C "$builds/gcc" --no-rebuild --print-errorlogs --num-processes 2 --no-suite lint
}

summary() {
    echo
    if [ -n "$failures" ]; then
        echo "failed:"
        printf '%s' "$failures"
        echo "logs in $logs, data in $TMPDIR"
    fi
    echo "$passed passed, $failed failed"
    [ "$failed" -eq 0 ] || exit 1
    exit 0
}

export -f build suites under_valgrind everything leftovers
export root builds logs
# What runs in a sanitizer stops at the first error.
export UBSAN_OPTIONS=print_stacktrace=1:halt_on_error=1
export ASAN_OPTIONS=detect_stack_use_after_return=1
export TSAN_OPTIONS=halt_on_error=1:second_deadlock_stack=1:suppressions=$root/tests/tsan.supp

if [ ! -c /dev/fuse ]; then
    echo "run.sh: /dev/fuse is missing: load the fuse module, or give the container the device" >&2
    failed=1
    failures="    /dev/fuse is there"$'\n'
    summary
fi

# In the foreground: sudo may have to ask for a password.
if ! tests/packages.sh test; then
    echo "run.sh: packages are missing and could not be installed" >&2
    failed=1
    failures="    packages"$'\n'
    summary
fi

step "gcc: build" bash -c 'build gcc gcc' || summary
if [ "$quick" = yes ]; then
    step "gcc: unit tests" bash -c 'suites gcc unit'
    step "real mounts" tests/mount/run.sh "$builds/gcc"
    step "nothing left behind" bash -c leftovers
    summary
fi
step "gcc: all suites" bash -c everything
step "lint" bash -c 'suites gcc lint'
step "real mounts" tests/mount/run.sh "$builds/gcc"
step "example: the cart of two shoppers" tests/cluster/cart_test.sh "$builds/gcc"
step "example: quickstart" tests/cluster/quickstart_test.sh "$builds/gcc"
step "replicas agree again" tests/cluster/repair_test.sh "$builds/gcc"
step "places in the ring" tests/cluster/places_test.sh "$builds/gcc"
if namespaces; then
    step "torture: two minutes" tests/torture/run.sh "$builds/gcc" 2
else
    echo "torture: two minutes                        SKIPPED: no network namespaces here"
fi
step "valgrind: fs" bash -c under_valgrind
step "clang: build" bash -c 'build clang clang' &&
    step "clang: unit tests" bash -c 'suites clang unit'
step "address and undefined: build" \
    bash -c 'build asan clang -Db_sanitize=address,undefined -Db_lundef=false' &&
    step "address and undefined: suites" \
        bash -c 'suites asan unit property store server client fs'
step "thread: build" bash -c 'build tsan clang -Db_sanitize=thread -Db_lundef=false' &&
    step "thread: suites" bash -c 'suites tsan store server client fs'
step "fuzz: a minute" tests/fuzz/run.sh 60
step "nothing left behind" bash -c leftovers
summary
