#!/bin/bash
# marks_test.sh - counting rare states changes nothing, and counts something.
#
# usage: marks_test.sh SIM SIM_MARKS

set -u
directory=$(mktemp -d) || exit 1
trap 'rm -rf "$directory"' EXIT
for seed in 1 2 3; do
    "$1" --seed "$seed" --trace | grep -v ' seeds, ' > "$directory/without"
    "$2" --seed "$seed" --trace | grep -v ' seeds, ' > "$directory/with"
    cmp "$directory/without" "$directory/with" || exit 1
done
"$2" --seeds 30 --marks > "$directory/marks" || exit 1
reached=$(awk '$1 == "mark" && $3 > 0' "$directory/marks" | wc -l)
named=$(grep -c '^mark ' "$directory/marks")
echo "$reached of $named marks in 30 seeds"
if [ "$reached" -lt 10 ] || [ "$named" -lt 60 ]; then
    exit 1
fi
if "$1" --seeds 1 --marks > /dev/null 2>&1; then
    echo "a build without marks pretends to count them"
    exit 1
fi
