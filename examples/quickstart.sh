#!/bin/bash
# quickstart.sh - from a fresh clone to a mounted dynamofs, with a conflict made and resolved.
#
# usage: examples/quickstart.sh [MOUNTPOINT] [--data DIR] [--listen HOST:PORT] [--build BUILD]
#   MOUNTPOINT  where to mount (~/dynamofs); left mounted at the end
#   --data      where the embedded node keeps its data (the default of dynamofs)
#   --listen    where the embedded node listens (127.0.0.1:7450)
#   --build     build directory (build/)
# May be run again: it uses the mount that is there, and touches only MOUNTPOINT/quickstart/.

set -eu

here=$(cd "$(dirname "$0")/.." && pwd)
mountpoint=
data=
listen=127.0.0.1:7450
build=$here/build
while [ $# -gt 0 ]; do
    case "$1" in
    --data) data=${2:?} && shift ;;
    --listen) listen=${2:?} && shift ;;
    --build) build=${2:?} && shift ;;
    -*)
        sed -n '2,9s/^# \{0,1\}//p' "$0"
        exit 2
        ;;
    *) mountpoint=$1 ;;
    esac
    shift
done
mountpoint=${mountpoint:-$HOME/dynamofs}
second=

finish() {
    [ -n "$second" ] || return 0
    fusermount3 -u -z "$second" 2> /dev/null || true
    rmdir "$second" 2> /dev/null || true
}
trap finish EXIT

title() {
    printf '\n== %s\n' "$*"
}

# Shows a command as it would be typed, then runs it.
run() {
    printf '$ %s\n' "$*"
    eval "$*"
}

is_mounted() {
    grep -qF " $(cd "$1" && pwd -P) fuse.dynamofs " /proc/mounts
}

if [ ! -c /dev/fuse ]; then
    echo "quickstart.sh: /dev/fuse is missing: load the fuse module, or give the container the device" >&2
    exit 1
fi

title "building (the first time takes a minute)"
"$here/tests/packages.sh" build
[ -f "$build/build.ninja" ] || meson setup "$build" "$here" > /dev/null
ninja -C "$build" --quiet node/dynamod node/dynamoctl fs/dynamofs
PATH=$build/fs:$build/node:$PATH

title "mounting: one storage node inside the mount, nothing else needed"
mkdir -p "$mountpoint" 2> /dev/null || true
if is_mounted "$mountpoint"; then
    echo "$mountpoint is mounted already"
else
    run dynamofs ${data:+--data "$data"} --listen "$listen" "$mountpoint"
fi
cd "$mountpoint"
rm -rf quickstart
mkdir quickstart
cd quickstart

title "files are files"
run "echo 'milk' > cart.txt"
run "cat cart.txt"
run "ls -l"

title "two people who do not know of each other write one file"
second=$(mktemp -d "${TMPDIR:-/tmp}/dynamofs-second.XXXXXX")
run dynamofs --cluster "$listen" "$second"
echo "# both open cart.txt before either has closed it"
run "exec 3> cart.txt 4> '$second/quickstart/cart.txt'"
run "printf 'milk\ntea\n' >&3; printf 'milk\nbread\n' >&4"
run "exec 3>&- 4>&-"

title "neither write is lost: both are here"
run "ls"
run "head cart.txt~v*"

title "one line to reconcile them: here, all lines of both"
run "sort -u cart.txt~v1 cart.txt~v2 > /tmp/cart.\$\$ && cp /tmp/cart.\$\$ cart.txt"
rm -f "/tmp/cart.$$"
run "ls"
run "cat cart.txt"

title "it is still mounted"
echo "use it:        cd $mountpoint"
echo "look at it:    $build/node/dynamoctl --cluster $listen status"
echo "unmount:       fusermount3 -u $mountpoint"
echo "mount again:   $build/fs/dynamofs ${data:+--data $data }--listen $listen $mountpoint"
