#!/bin/sh
# format.sh - every C file is as clang-format leaves it.
# usage: format.sh [ROOT]
set -eu
cd "${1:-$(dirname "$0")/../..}"
if ! command -v clang-format > /dev/null; then
    echo "format.sh: clang-format is missing (apt-get install clang-format)" >&2
    exit 1
fi
find ring node fs tests examples -name '*.[ch]' -print0 |
    xargs -0 clang-format --dry-run -Werror --style=file
