#!/usr/bin/env python3
"""report.py - puts the results of many benchmark runs together.

usage: report.py RESULTS.jsonl [META.json] > report.json      (the table goes to stderr)

Each line of RESULTS is {"round": n, "party": name, "run": name, "result": what the benchmark
printed}. A figure is the median over the rounds; a ratio is the median of the ratios to the
passthrough of the same round, since times on a shared machine only compare with their
neighbours. A phase that lost over a tenth of a core to other guests is dropped and counted; if that
leaves a party no round at all, it is kept and marked "stolen".
"""

import json
import statistics
import sys

LIMIT = "passthrough"
STOLEN_CORES_MAX = 0.1
STOLEN_SECONDS_MIN = 0.05  # the kernel counts in hundredths
FIGURES = ("per_second", "p50_us", "p99_us", "seconds")


def was_stolen(figures):
    stolen = figures["stolen_cores"]
    return stolen > STOLEN_CORES_MAX and stolen * figures["seconds"] > STOLEN_SECONDS_MIN


def collect(path):
    """{(run, phase): {party: {round: figures}}}, and how many phases were dropped."""
    collected = {}
    dropped = 0
    with open(path, encoding="utf-8") as file:
        for line in file:
            entry = json.loads(line)
            for phase, figures in entry["result"]["phases"].items():
                parties = collected.setdefault((entry["run"], phase), {})
                parties.setdefault(entry["party"], {})[entry["round"]] = figures
    for parties in collected.values():
        for party, rounds in parties.items():
            clean = {n: figures for n, figures in rounds.items() if not was_stolen(figures)}
            if clean:
                dropped += len(rounds) - len(clean)
                parties[party] = clean
    return collected, dropped


def median_of(rounds, figure):
    return statistics.median(figures[figure] for figures in rounds.values())


def ratio_of(rounds, limit):
    """Speed over the speed of the passthrough: 1 is the limit."""
    ratios = [
        limit[number]["seconds"] / figures["seconds"]
        for number, figures in rounds.items()
        if number in limit
    ]
    return statistics.median(ratios) if ratios else None


def summarise(collected):
    runs = {}
    for (run, phase), parties in collected.items():
        limit = parties.get(LIMIT, {})
        phases = runs.setdefault(run, {}).setdefault(phase, {})
        for party, rounds in parties.items():
            summary = {figure: round(median_of(rounds, figure), 3) for figure in FIGURES}
            summary["rounds"] = len(rounds)
            if any(was_stolen(figures) for figures in rounds.values()):
                summary["stolen"] = True
            ratio = ratio_of(rounds, limit)
            if ratio is not None:
                summary["ratio"] = round(ratio, 3)
            phases[party] = summary
    return runs


def table_of(runs):
    parties = []
    for phases in runs.values():
        for by_party in phases.values():
            parties += [party for party in by_party if party not in parties]
    for run, phases in runs.items():
        shown = [party for party in parties if any(party in p for p in phases.values())]
        yield ""
        yield f"{run:<22}" + "".join(f"{party:>34}" for party in shown)
        yield f"{'':<22}" + "".join(f"{'/s      p50 us   ratio':>34}" for _ in shown)
        for phase, by_party in phases.items():
            line = f"{phase:<22}"
            for party in shown:
                figures = by_party.get(party)
                if figures is None:
                    line += f"{'-':>34}"
                    continue
                ratio = f"{figures['ratio']:.2f}" if "ratio" in figures else ""
                line += f"{figures['per_second']:>16.0f}{figures['p50_us']:>10.0f}{ratio:>8}"
            yield line


def main():
    collected, dropped = collect(sys.argv[1])
    report = {"dropped_phases": dropped, "runs": summarise(collected)}
    if len(sys.argv) > 2:
        with open(sys.argv[2], encoding="utf-8") as file:
            report["machine"] = json.load(file)
    for line in table_of(report["runs"]):
        print(line, file=sys.stderr)
    print(json.dumps(report, indent=1))


if __name__ == "__main__":
    main()
