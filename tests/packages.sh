#!/bin/sh
# packages.sh - installs those Debian packages of packages.txt that are missing.
# usage: packages.sh build|test     (test includes build)
# Does nothing, and needs no network and no root, when all are there.
set -eu

list="$(dirname "$0")/packages.txt"
case "${1:-test}" in
build) wanted=$(sed -e '/^# test/,$d' -e '/^#/d' "$list") ;;
test) wanted=$(sed -e '/^#/d' "$list") ;;
*)
    echo "usage: packages.sh build|test" >&2
    exit 2
    ;;
esac

if ! command -v dpkg-query > /dev/null; then
    echo "packages.sh: not a Debian system: install what packages.txt names by hand" >&2
    exit 0
fi

missing=
for package in $wanted; do
    state=$(dpkg-query -W -f '${db:Status-Status}' "$package" 2> /dev/null || true)
    [ "$state" = installed ] || missing="$missing $package"
done
[ -n "$missing" ] || exit 0

as_root=
if [ "$(id -u)" -ne 0 ]; then
    if ! command -v sudo > /dev/null; then
        echo "packages.sh: as root, install:$missing" >&2
        exit 1
    fi
    as_root=sudo
fi
echo "installing:$missing"
$as_root apt-get update -q
# Word splitting is wanted: one argument for each package.
$as_root env DEBIAN_FRONTEND=noninteractive \
    apt-get install -q -y --no-install-recommends $missing
