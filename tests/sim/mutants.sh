#!/bin/bash
# mutants.sh - plants each bug and demands that the simulator finds it.
#
# usage: mutants.sh SIM_PLANTED [SEEDS]   (SEEDS: how many it may take, 10000 by default)
# Prints a table: the bug, the seeds it took, what was seen.

set -u
sim=$1
seeds=${2:-10000}
missed=0

for bug in $("$sim" --bugs); do
    if said=$("$sim" --bug "$bug" --seeds "$seeds" 2>&1); then
        printf '%-20s not found in %s seeds\n' "$bug" "$seeds"
        missed=$((missed + 1))
        continue
    fi
    seed=$(echo "$said" | sed -n 's/^seed \([0-9]*\) failed$/\1/p')
    # What the check says, or the assertion that failed.
    seen=$(echo "$said" | head -n 1 | sed 's/.*Assertion/assertion/')
    printf '%-20s %6s  %s\n' "$bug" "${seed:-?}" "$seen"
done
exit $((missed > 0))
