#!/usr/bin/env python3
"""mutants.py - plants each bug and demands that the simulator finds it.

usage: mutants.py [--only NAME[,NAME...]] SIM_PLANTED
       mutants.py --table [--starts COUNT] [--limit SEEDS] [--jobs COUNT] [--only ...] SIM_PLANTED
       mutants.py --renew [--limit SEEDS] [--jobs COUNT] [--only ...] SIM_PLANTED

Without a mode: each bug of planted.txt is planted and its seed run; if what a seed draws has
changed since, some hundred seeds from 1 on are searched. Exit 1 if a bug is not found, or is in
the program and not in the file. A bug with a life in that file is looked for in that life alone.

--table   from each of ten starting points, how many seeds until the bug is found; prints the
          median as a table. Takes an hour.
--renew   searches from seed 1 on and writes the seeds that were found to planted.txt.

A run that hangs counts as found: virtual time stands still then, which no right code does.
"""

import argparse
import concurrent.futures
import pathlib
import re
import statistics
import subprocess
import sys

SEEDS = pathlib.Path(__file__).with_name("planted.txt")
STEP = 10000  # between starting points
SEARCHED = 400  # seeds, when the one that is known does not do any more
HANGS_S = 1800
NOT_FOUND = "-"


def search(program, bug, life, first, count):
    """The first seed of `count` from `first` on that finds the bug, and what was seen; or None."""
    command = [program, "--bug", bug, "--seed", str(first), "--seeds", str(count)]
    command += ["--life", life] if life else []
    try:
        run = subprocess.run(
            command, capture_output=True, text=True, timeout=HANGS_S, check=False
        )
    except subprocess.TimeoutExpired:
        return first, "virtual time stands still"
    if run.returncode == 0:
        return None
    said = run.stderr + run.stdout
    seed = re.search(r"^seed (\d+) failed$", said, re.MULTILINE)
    if seed is None:
        sys.exit(f"mutants.py: {' '.join(command)}: exit {run.returncode} and no seed: {said[:300]}")
    seen = said.splitlines()[0]
    return int(seed.group(1)), re.sub(r"^.*Assertion", "assertion", seen)


def known_seeds():
    """Name to seed, NOT_FOUND for a bug that is not expected to be found, and life, which may be
    None; in the file's order."""
    known = {}
    for number, line in enumerate(SEEDS.read_text().splitlines(), 1):
        words = line.split()
        if not words or words[0].startswith("#"):
            continue
        if len(words) < 2 or not (words[1].isdigit() or words[1] == NOT_FOUND):
            sys.exit(f"{SEEDS}:{number}: a line is NAME SEED [LIFE], or NAME - REASON")
        life = words[2] if words[1] != NOT_FOUND and len(words) > 2 else None
        known[words[0]] = (words[1], life)
    return known


def check(program, bugs):
    known = known_seeds()
    missed = 0
    for bug in bugs:
        if bug not in known:
            print(f"{bug:22} is not in {SEEDS.name}")
            missed += 1
            continue
        seed, life = known[bug]
        if seed == NOT_FOUND:
            print(f"{bug:22} not searched for: see {SEEDS.name}")
            continue
        found = search(program, bug, life, int(seed), 1) or search(program, bug, life, 1, SEARCHED)
        missed += found is None
        print(f"{bug:22} " + (f"{found[0]:6}  {found[1]}" if found else "NOT FOUND"), flush=True)
    return missed


def table(program, bugs, arguments):
    known = known_seeds()
    starts = [1 + STEP * i for i in range(arguments.starts)]
    print(f"| bug | median of {len(starts)} | found | seen as |\n| --- | --- | --- | --- |")
    slow = 0
    with concurrent.futures.ThreadPoolExecutor(arguments.jobs) as pool:
        for bug in bugs:
            life = known.get(bug, (NOT_FOUND, None))[1]
            found = list(
                pool.map(
                    lambda start, bug=bug, life=life: search(
                        program, bug, life, start, arguments.limit
                    ),
                    starts,
                )
            )
            needed = [
                hit[0] - start + 1 if hit else arguments.limit + 1
                for hit, start in zip(found, starts)
            ]
            median = statistics.median_high(needed)
            hits = [hit for hit in found if hit]
            slow += median > arguments.limit
            shown = f"over {arguments.limit}" if median > arguments.limit else median
            seen = hits[0][1] if hits else ""
            print(f"| {bug} | {shown} | {len(hits)} of {len(starts)} | {seen} |", flush=True)
    return slow


def renew(program, bugs, arguments):
    old = known_seeds() if SEEDS.exists() else {}
    lives = {bug: old.get(bug, (NOT_FOUND, None))[1] for bug in bugs}
    with concurrent.futures.ThreadPoolExecutor(arguments.jobs) as pool:
        found = list(
            pool.map(lambda bug: search(program, bug, lives[bug], 1, arguments.limit), bugs)
        )
    for bug, hit in zip(bugs, found):
        old[bug] = (str(hit[0]) if hit else NOT_FOUND, lives[bug])
        print(f"{bug:22} {old[bug][0]}")
    lines = ["# A seed that finds each planted bug. Written by mutants.py --renew."]
    lines += [f"{bug} {seed} {life or ''}".rstrip() for bug, (seed, life) in old.items()]
    SEEDS.write_text("\n".join(lines) + "\n")
    return 0


def main():
    parser = argparse.ArgumentParser(description="plants bugs and demands that they are found")
    parser.add_argument("--table", action="store_true")
    parser.add_argument("--renew", action="store_true")
    parser.add_argument("--starts", type=int, default=10)
    parser.add_argument("--limit", type=int, default=1000)
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--only", default="")
    parser.add_argument("program")
    arguments = parser.parse_args()
    listed = subprocess.run([arguments.program, "--bugs"], capture_output=True, text=True, check=True)
    bugs = listed.stdout.split()
    if arguments.only:
        wanted = arguments.only.split(",")
        unknown = [name for name in wanted if name not in bugs]
        if unknown:
            sys.exit(f"mutants.py: there is no bug {unknown[0]}")
        bugs = wanted
    if arguments.table:
        missed = table(arguments.program, bugs, arguments)
    elif arguments.renew:
        missed = renew(arguments.program, bugs, arguments)
    else:
        missed = check(arguments.program, bugs)
    sys.exit(missed > 0)


if __name__ == "__main__":
    main()
