#!/usr/bin/env python3
"""machine_mutants.py - flips each condition, constant and statement, and says which flips survive.

usage: machine_mutants.py [--list] [--sample COUNT] [--draw NUMBER] [--seeds SEEDS] [--jobs COUNT]
                          [--report FILE] [FILE...]

Makes one change at a time in a copy of the tree: a comparison reversed or moved by one, "and" for
"or", a constant one greater, a condition negated, true for false, a statement dropped. Builds the
unit tests of the changed directory and the simulator, and runs them: a change that neither notices
survives. FILE: sources of ring/, node/core/ and node/store/apply*.c; all of them by default.

--list     print the changes and make none
--sample   so many of the changes, drawn evenly; all by default, which takes a day
--draw     another sample
--seeds    of the simulator, for each change (300 by default)
--report   append a line for each change as it is judged: killed BY, SURVIVED, or does not build

Survivors are printed in the end, with what was changed. Exit 0: it reports and demands nothing.
"""

import argparse
import concurrent.futures
import pathlib
import queue
import random
import re
import shutil
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parents[2]
SOURCES = ("ring/*.c", "node/core/*.c", "node/store/apply*.c")
# Assertions, planted bugs and marks are no rules of ours.
NO_RULE = re.compile(r"assert|planted\(|\bmark(_if)?\(MARK_|\bmark_if\(|, MARK_\w+\);")
SKIPPED = ("ring/planted.c", "ring/mark.c", "ring/status.c")
HANGS_S = 900
SWAPS = {
    "<": "<=",
    "<=": "<",
    ">": ">=",
    ">=": ">",
    "==": "!=",
    "!=": "==",
    "&&": "||",
    "||": "&&",
    "true": "false",
    "false": "true",
}
SWAPPED = re.compile(r"(?<![-<>=!&|])(<=|>=|==|!=|&&|\|\||<|>)(?![<>=])|\b(true|false)\b")
CONSTANT = re.compile(r"(?<![\w.\"'%])(\d+)(?=[\s;,)\]])")
CONDITION = re.compile(r"^(\s*(?:} else )?if \()(.*)(\) \{)$")
STATEMENT = re.compile(r"^\s+(?!return\b|case\b|break\b|goto\b|continue\b|assert\b)[\w>.*()\[\]-]+"
                       r"(?:\(.*\)| [-+|&^]?= .*|\+\+|--);$")
DECLARATION = re.compile(r"^\s+(?:const |static |struct |enum |uint|int|bool|size_t|char|node_id|double)")


def code_lines(text):
    """(number, line) of the lines that are code inside functions; no comments, no asserts."""
    in_comment = in_function = False
    for number, line in enumerate(text.splitlines()):
        if in_comment or line.lstrip().startswith("/*"):
            in_comment = "*/" not in line
            continue
        if line == "{":
            in_function = True
        elif line == "}":
            in_function = False
        elif in_function and not NO_RULE.search(line):
            yield number, line


def changes_of(path):
    """(path, line number, new line, what) for each change of one file."""
    for number, line in code_lines((ROOT / path).read_text()):
        code = re.sub(r"/\*.*?\*/|\"[^\"]*\"", lambda found: " " * len(found.group()), line)
        for found in SWAPPED.finditer(code):
            old = found.group()
            if old in "<>" and not (code[found.start() - 1] == code[found.end()] == " "):
                continue
            yield path, number, line[: found.start()] + SWAPS[old] + line[found.end() :], (
                f"{old} is {SWAPS[old]}"
            )
        for found in CONSTANT.finditer(code):
            greater = str(int(found.group()) + 1)
            yield path, number, line[: found.start()] + greater + line[found.end() :], (
                f"{found.group()} is {greater}"
            )
        condition = CONDITION.match(line)
        if condition and not SWAPPED.search(code):
            yield path, number, f"{condition[1]}!({condition[2]}){condition[3]}", "condition negated"
        if STATEMENT.match(line) and not DECLARATION.match(line):
            yield path, number, re.match(r"\s*", line).group() + ";", "statement dropped"


def all_changes(files):
    if not files:
        files = sorted(
            str(path.relative_to(ROOT)) for pattern in SOURCES for path in ROOT.glob(pattern)
        )
    return [change for path in files if path not in SKIPPED for change in changes_of(path)]


class Bench:
    """A copy of the tree with a build of its own."""

    def __init__(self, directory, seeds):
        self.tree = directory / "tree"
        self.build = directory / "build"
        self.seeds = seeds
        shutil.copytree(ROOT, self.tree, ignore=shutil.ignore_patterns("build*", ".git"))
        self.run(
            ["meson", "setup", str(self.build), str(self.tree), "-Dwerror=false",
             "-Dbuildtype=plain", "-Dc_args=-O1"]
        ).check_returncode()
        targets = self.run(["ninja", "-C", str(self.build), "-t", "targets", "all"]).stdout
        self.tests = {
            area: sorted(set(re.findall(rf"^(tests/{area}/test_[^:/]+):", targets, re.MULTILINE)))
            for area in ("ring", "core", "store")
        }
        self.make("sim").check_returncode()

    def run(self, command):
        return subprocess.run(
            command, capture_output=True, text=True, timeout=HANGS_S, check=False, cwd=self.tree
        )

    def make(self, *targets):
        return self.run(["ninja", "-C", str(self.build), "--quiet", *targets])

    def judge(self, change):
        """"does not build", "killed by ...", or "SURVIVED"."""
        path, number, line, _ = change
        original = (ROOT / path).read_text()
        lines = original.splitlines()
        lines[number] = line
        try:
            (self.tree / path).write_text("\n".join(lines) + "\n")
            return self.verdict(path)
        except subprocess.TimeoutExpired:
            return "killed: it hangs"
        finally:
            (self.tree / path).write_text(original)

    def verdict(self, path):
        area = pathlib.Path(path).parent.name
        tests = self.tests[area]
        if self.make("sim", *tests).returncode != 0:
            return "does not build"
        for test in tests:
            if self.run([str(self.build / test)]).returncode != 0:
                return f"killed by {pathlib.Path(test).name}"
        run = self.run([str(self.build / "sim"), "--seeds", str(self.seeds)])
        if run.returncode != 0:
            seed = re.search(r"^seed (\d+) failed", run.stdout, re.MULTILINE)
            return f"killed by sim, seed {seed[1] if seed else '?'}"
        return "SURVIVED"


def shown(change):
    path, number, line, what = change
    old = (ROOT / path).read_text().splitlines()[number].strip()
    return f"{path}:{number + 1}: {what}: {old}" + ("" if line.strip() == ";" else f" -> {line.strip()}")


def judge_all(changes, arguments, report):
    verdicts = {}
    with tempfile.TemporaryDirectory(prefix="mutants-") as directory:
        benches = queue.Queue()
        for job in range(arguments.jobs):
            place = pathlib.Path(directory) / str(job)
            place.mkdir()
            benches.put(Bench(place, arguments.seeds))

        def judge(change):
            bench = benches.get()
            try:
                return change, bench.judge(change)
            finally:
                benches.put(bench)

        with concurrent.futures.ThreadPoolExecutor(arguments.jobs) as pool:
            for change, verdict in pool.map(judge, changes):
                verdicts.setdefault(verdict.split(" by ")[0], []).append(change)
                print(f"{verdict:28} {shown(change)}", file=report, flush=True)
    return verdicts


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--list", action="store_true")
    parser.add_argument("--sample", type=int, default=0)
    parser.add_argument("--draw", type=int, default=1)
    parser.add_argument("--seeds", type=int, default=300)
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--report", default="")
    parser.add_argument("files", nargs="*")
    arguments = parser.parse_args()
    changes = all_changes(arguments.files)
    if arguments.sample and arguments.sample < len(changes):
        changes = random.Random(arguments.draw).sample(changes, arguments.sample)
    if arguments.list:
        for change in changes:
            print(shown(change))
        return
    report = open(arguments.report, "a") if arguments.report else sys.stderr
    verdicts = judge_all(changes, arguments, report)
    survivors = verdicts.pop("SURVIVED", [])
    stillborn = len(verdicts.pop("does not build", []))
    print(f"{len(changes)} changes: {stillborn} do not build, "
          f"{sum(map(len, verdicts.values()))} found, {len(survivors)} survived")
    for change in survivors:
        print(f"  {shown(change)}")


if __name__ == "__main__":
    main()
