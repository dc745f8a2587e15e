#!/bin/bash
# trace_test.sh - the same seed gives the same trace, byte for byte, whatever seeds ran before it.
#
# usage: trace_test.sh SIM [SEED...]

set -u
sim=$1
shift
[ $# -gt 0 ] || set -- 1 2 3 4 5
directory=$(mktemp -d) || exit 1
trap 'rm -rf "$directory"' EXIT
for seed in "$@"; do
    # Memory that nobody set would differ too.
    MALLOC_PERTURB_=85 "$sim" --seed "$seed" --trace | grep -v ' seeds, ' > "$directory/one"
    MALLOC_PERTURB_=170 "$sim" --seed "$seed" --trace | grep -v ' seeds, ' > "$directory/two"
    lines=$(wc -l < "$directory/one")
    if [ "$lines" -lt 100 ]; then
        echo "seed $seed: a trace of just $lines lines"
        exit 1
    fi
    cmp "$directory/one" "$directory/two" || exit 1
    echo "seed $seed: $lines lines"
    cat "$directory/one" >> "$directory/singly"
done

# Totals differ: they are of all seeds.
events() { grep -v -e ' seeds, ' -e '^faults:' -e '^lives:' -e '^due:' -e '^mounts:'; }

# In one process, if they follow one another.
count=$#
if [ $(($1 + count - 1)) -eq "${!count}" ]; then
    MALLOC_PERTURB_=85 "$sim" --seed "$1" --seeds "$count" --trace | events > "$directory/together"
    events < "$directory/singly" | cmp - "$directory/together" || exit 1
fi

# Mounts with files in blocks are a life that few seeds draw.
for seed in 1 2; do
    for perturb in 85 170; do
        MALLOC_PERTURB_=$perturb "$sim" --life blocks --seed "$seed" --trace | events > "$directory/$perturb"
    done
    [ "$(wc -l < "$directory/85")" -ge 100 ] && cmp "$directory/85" "$directory/170" || exit 1
done
