#!/bin/bash
# soak.sh - runs many seeds of the simulator on all cores.
#
# usage: tests/soak.sh [SEEDS [FIRST]]   (100,000 seeds from seed 1 by default)
#   SIM   the simulator (build/sim_marks by default)
#
# Prints in the end what was simulated, and how often each rare state was reached (ring/mark.h).
# Stops at the first seed that fails, with the command that shows it again. Exit 1 then, and
# also when 100,000 seeds or more never reached one of these states.

set -u
cd "$(dirname "$0")/.." || exit 1

seeds=${1:-100000}
first=${2:-1}
sim=${SIM:-build/sim_marks}
all_marks_from=100000
chunk=200
workers=$(nproc)
pids=
case "$seeds$first" in
*[!0-9]*)
    sed -n '2,9s/^# \{0,1\}//p' "$0"
    exit 2
    ;;
esac
if [ ! -x "$sim" ]; then
    echo "soak.sh: $sim is missing: build it with ninja -C build sim_marks" >&2
    exit 2
fi
directory=$(mktemp -d) || exit 1

finish() {
    for pid in $pids; do
        kill "$pid" 2> /dev/null
    done
    wait
    rm -rf "$directory"
}
trap finish EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

# work NUMBER - every so many chunks one, from chunk NUMBER on.
work() {
    local from=$((first + $1 * chunk)) end=$((first + seeds)) count
    trap 'kill $! 2> /dev/null; exit 143' TERM
    while [ "$from" -lt "$end" ]; do
        count=$((end - from < chunk ? end - from : chunk))
        "$sim" --seed "$from" --seeds "$count" --marks > "$directory/last.$1" 2>&1 &
        if ! wait $!; then
            cp "$directory/last.$1" "$directory/failed.$1"
            echo "of seeds $from to $((from + count - 1))" >> "$directory/failed.$1"
            return 1
        fi
        cat "$directory/last.$1" >> "$directory/done.$1"
        from=$((from + workers * chunk))
    done
}

# Adds up what the chunks printed.
summary() {
    cat "$directory"/done.* 2> /dev/null | awk -v real="$SECONDS" '
        / seeds, / {
            for (i = 1; i < NF; i++) {
                if ($(i + 1) == "seeds,") seeds += $i
                if ($(i + 1) == "steps,") steps += $i
                if ($(i + 1) == "virtual") hours += $i
                if ($(i + 1) == "acknowledged") acknowledged += $i
            }
        }
        /^faults:/ {
            for (i = 2; i < NF; i += 2) {
                if (!($i in faults)) order[++kinds] = $i
                faults[$i] += $(i + 1)
            }
        }
        END {
            printf "%d seeds, %.0f steps, %.1f virtual hours, %.0f acknowledged puts and deletes, %d s\nfaults:",
                seeds, steps, hours, acknowledged, real
            for (i = 1; i <= kinds; i++) printf " %s %.0f", order[i], faults[order[i]]
            printf "\n"
        }'
}

# Adds up the marks, the rarest first. The last line says how many were reached; fails if it must.
marks() {
    cat "$directory"/done.* | awk '
        $1 == "mark" {
            name = $2
            count[name] += $3
            sub(/^mark [^ ]+ [^ ]+ /, "")
            text[name] = $0
        }
        END { for (name in count) printf "%12d %s: %s\n", count[name], name, text[name] }
    ' | sort -n -k 1,1 -k 2 > "$directory/marks"
    cat "$directory/marks"
    awk -v seeds="$seeds" -v all_from="$all_marks_from" '
        { reached += $1 > 0 }
        END {
            printf "no seed failed; %d of %d marks reached\n", reached, NR
            exit NR == 0 || (reached < NR && seeds >= all_from)
        }' "$directory/marks"
}

if ! "$sim" --seeds 0 --marks > /dev/null; then
    exit 2
fi
for ((i = 0; i < workers; i++)); do
    work "$i" &
    pids="$pids $!"
done
for ((i = 0; i < workers; i++)); do
    if ! wait -n; then
        cat "$directory"/failed.*
        summary
        exit 1
    fi
done
summary
marks
