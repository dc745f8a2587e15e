#!/bin/sh
# Proves that ring/ and node/core/ are pure computation: their objects call nothing that could
# reach a socket, a file, a clock, a random source, a log or a thread, and have no writable data.
#
# usage: purity.sh BUILD_DIR
set -eu
LC_ALL=C
export LC_ALL

build=${1:?usage: purity.sh BUILD_DIR}
ring=$build/ring/libring.a
core=$build/node/core/libcore.a
message=$build/node/wire/libwire.a.p/message.c.o
for file in "$ring" "$core" "$message"; do
    if [ ! -r "$file" ]; then
        echo "purity: $file is missing: build it first" >&2
        exit 2
    fi
done

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

memory='malloc|calloc|realloc|free|qsort|bsearch'
bytes='memcpy|memmove|memset|memcmp|memchr|memrchr|memmem|bcmp'
text='strlen|strnlen|strcmp|strncmp|strchr|strrchr|strstr|strspn|strcspn'
common="$memory|$bytes|$text|__assert_fail|__stack_chk_fail|_GLOBAL_OFFSET_TABLE_"
common="$common|__(memcpy|memmove|memset)_chk"
instrumented='-fsanitize=|--coverage|-fprofile-arcs'
if grep -Eq -- "$instrumented" "$build/compile_commands.json"; then
    is_instrumented=yes
    common="$common|__(asan|ubsan|lsan|tsan|msan|hwasan|sanitizer|gcov)_.*"
else
    is_instrumented=no
fi

# nm knows a table of pointers as data, though it is read-only once it is relocated: only the
# section tells. Instrumentation adds data of its own.
writable() {
    nm -f sysv "$1" | awk -F'|' -v instrumented="$is_instrumented" '
        { gsub(/ /, "", $1); gsub(/ /, "", $3); gsub(/ /, "", $7) }
        $3 ~ /^[bBdDCsSgG]$/ && $7 !~ /^\.data\.rel\.ro/ {
            if (instrumented == "no" || ($1 !~ /^(__|\.L|_ubsan|\.?_?[Ll]?(asan|ubsan|gcov))/ &&
                                         $1 !~ /asan|ubsan|gcov|profile/)) print $1
        }'
}

undefined() {
    nm -u "$1" | awk '$1 == "U" || $1 == "w" || $1 == "v" { print $2 }' | sort -u
}

defined() {
    nm --defined-only "$1" | awk 'NF == 3 && $2 ~ /^[TRDBVW]$/ { print $3 }'
}

# check NAME ARCHIVE ALLOWED OWN_SYMBOLS...
failed=0
check() {
    name=$1
    archive=$2
    allowed=$3
    shift 3
    for owner in "$@"; do
        defined "$owner"
    done | sort -u > "$work/own"
    undefined "$archive" > "$work/undefined"
    if [ ! -s "$work/undefined" ]; then
        echo "purity: $archive calls nothing at all: is it empty?" >&2
        exit 2
    fi
    comm -23 "$work/undefined" "$work/own" | grep -Evx "$allowed" > "$work/foreign" || true
    while read -r symbol; do
        echo "purity: $name uses $symbol, which is not pure computation" >&2
        nm -A -u "$archive" | awk -v symbol="$symbol" '$NF == symbol { print "  in " $1 }' >&2
        failed=1
    done < "$work/foreign"
    writable "$archive" | sort -u > "$work/writable"
    while read -r symbol; do
        echo "purity: $name has writable data: $symbol" >&2
        failed=1
    done < "$work/writable"
}

check ring/ "$ring" "$common|EVP_[A-Za-z0-9_]+" "$ring"
# snprintf writes core's notes for people; the others drop what requests and results own.
check node/core/ "$core" \
    "$common|snprintf|__snprintf_chk|store_(request|result)_release|(hints|scrubbed_entries)_free" \
    "$ring" "$core" "$message"
exit "$failed"
