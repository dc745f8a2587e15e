#!/bin/sh
# Proves that purity.sh finds what it looks for, on small archives made here.
#
# usage: test_purity.sh COMPILER...
set -eu

checker=$(dirname "$0")/purity.sh
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
mkdir -p "$work/ring" "$work/node/core" "$work/node/wire/libwire.a.p"
echo '[]' > "$work/compile_commands.json"

compile() {
    "$@" -fPIE -c "$work/source.c" -o "$work/object.o"
}

# archive PLACE SOURCE: an archive of one object; the compiler is in "$compiler".
archive() {
    printf '%s\n' "$2" > "$work/source.c"
    # The compiler may come as several words.
    # shellcheck disable=SC2086
    compile $compiler
    rm -f "$work/$1"
    ar rcs "$work/$1" "$work/object.o"
}

compiler=$*
pure='#include <stdlib.h>
static const char *const table[] = {"a", "b"};
const char *ring_text(int i); const char *ring_text(int i) { return malloc(1) ? table[i] : 0; }'
core='#include <stdio.h>
const char *ring_text(int); int core_text(char *);
int core_text(char *to) { return snprintf(to, 9, "%s", ring_text(0)); }'
printf 'int message_text(void); int message_text(void) { return 1; }\n' > "$work/source.c"
# shellcheck disable=SC2086
compile $compiler
mv "$work/object.o" "$work/node/wire/libwire.a.p/message.c.o"

# expect NAME STATUS [TEXT]
expect() {
    status=0
    sh "$checker" "$work" > "$work/said" 2>&1 || status=$?
    if [ "$status" != "$2" ] || ! grep -q -- "${3:-}" "$work/said" && [ -n "${3:-}" ]; then
        echo "$1: expected status $2 and '${3:-}', got status $status:" >&2
        cat "$work/said" >&2
        exit 1
    fi
    echo "ok: $1"
}

archive ring/libring.a "$pure"
archive node/core/libcore.a "$core"
expect 'pure code and read-only tables pass' 0

archive ring/libring.a "$core"
expect 'ring/ may not print' 1 'ring/ uses snprintf'
archive ring/libring.a "$pure
#include <time.h>
long ring_now(void); long ring_now(void) { return (long)time(0); }"
expect 'ring/ may not read the clock' 1 'ring/ uses time'
archive ring/libring.a "$pure
static int count; int ring_next(void); int ring_next(void) { return ++count; }"
expect 'ring/ may not count in a static' 1 'ring/ has writable data: count'
archive ring/libring.a "$pure
int ring_level = 3;"
expect 'ring/ may not have a global setting' 1 'ring/ has writable data: ring_level'

archive ring/libring.a "$pure"
archive node/core/libcore.a "$core
#include <unistd.h>
int core_beep(void); int core_beep(void) { return (int)write(2, \"\", 1); }"
expect 'node/core may not write to a file' 1 'node/core/ uses write'
archive node/core/libcore.a "$core
int store_submit(int); int core_put(void); int core_put(void) { return store_submit(1); }"
expect 'node/core may not call the store' 1 'node/core/ uses store_submit'
archive node/core/libcore.a "$core
int store_result_release(int); int message_text(void); int core_drop(void);
int core_drop(void) { return store_result_release(message_text()); }"
expect 'node/core may release results and use messages' 0

rm "$work/node/core/libcore.a"
expect 'a missing archive is no pass' 2 'is missing'
