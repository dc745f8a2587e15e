#!/bin/bash
# run.sh - the tests on real mounts, with real programs.
#
# usage: tests/mount/run.sh BUILD_DIR [SUITE...]
# Suites: embedded cluster table conflicts posix errors crash disk large space.
# Needs /dev/fuse and the right to mount.

set -u
here=$(cd "$(dirname "$0")" && pwd)

if [ $# -lt 1 ] || [ ! -d "$1" ]; then
    sed -n '2,6s/^# \{0,1\}//p' "$0" >&2
    exit 2
fi
build=$(cd "$1" && pwd)
shift
[ $# -gt 0 ] || set -- embedded cluster table conflicts posix errors crash disk large space

failures=0
# Seconds; a busy machine needs many times what a quiet one does.
hangs=1800
for suite in "$@"; do
    if [ ! -f "$here/$suite.sh" ]; then
        echo "run.sh: there is no suite $suite" >&2
        exit 2
    fi
done
for suite in "$@"; do
    begin=$SECONDS
    echo "suite $suite"
    # A suite that hangs is a failure too; its own trap cleans up.
    if timeout --kill-after=30 "$hangs" "$here/$suite.sh" "$build"; then
        echo "suite $suite: ok, $((SECONDS - begin)) s"
    else
        echo "suite $suite: FAILED, $((SECONDS - begin)) s"
        failures=$((failures + 1))
    fi
done
[ "$failures" -eq 0 ] || echo "$failures of $# suites failed"
exit $((failures > 0))
