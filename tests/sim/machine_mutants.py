#!/usr/bin/env python3
"""machine_mutants.py - flips each condition, constant and statement, and says which flips survive.

usage: machine_mutants.py [--list] [--check] [--sample COUNT] [--draw NUMBER] [--seeds SEEDS]
                          [--jobs COUNT] [--report FILE] [--again FILE] [--sanitize]
                          [--tests PATTERN] [FILE...]

Makes one change at a time in a copy of the tree: a comparison reversed or moved by one, "and" for
"or", a constant one greater, a condition negated, true for false, a statement or an early return
dropped. All changes are built at once, each behind a switch that the environment sets; the few that
C does not allow this for have a build of their own. One test program after another runs that comes
by the changed line: those first that found most for the time they take, the simulator last, none
after the first that notices. A change that none notices survives. FILE: sources of ring/,
node/core/, node/store/apply*.c and node/store/plan.c; all by default.

--list     print the changes and make none
--check    make none, and say only whether equivalent.txt is as the source is
--sample   so many of the changes, drawn evenly
--draw     another sample
--seeds    of the simulator, for each change (150 by default; 0: unit tests alone)
--report   append a line for each change as it is judged: killed BY, SURVIVED, or does not build
--again    judge only what a report of before says survived
--sanitize with the sanitizers of addresses and undefined behaviour: slower, and finds leaks
--tests    only unit tests whose name matches

Survivors are printed in the end, with what was changed. tests/sim/equivalent.txt names those that
make no difference, everywhere in a file ("ring/ring.c: ...") or in one function ("ring/ring.c
ring_find: ..."), each with a reason. They are left out; it is an error if the source has such a
line no more.
Exit 0: all were judged, whatever became of them.
"""

import argparse
import collections
import concurrent.futures
import os
import pathlib
import queue
import random
import re
import resource
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
EQUIVALENT = ROOT / "tests/sim/equivalent.txt"
SOURCES = ("ring/*.c", "node/core/**/*.c", "node/store/apply*.c", "node/store/plan.c")
# Assertions, planted bugs and marks are no rules of ours.
NO_RULE = re.compile(r"assert|planted\(|\bmark(_if)?\(MARK_|\bmark_if\(|, MARK_\w+\);")
ASSERTION = re.compile(r"^\s+assert\(")
# Such a block is never entered in a shipping build.
ONLY_PLANTED = re.compile(r"^(\s*)if \(planted\((?!.*\|\|)")
SKIPPED = ("ring/planted.c", "ring/mark.c", "ring/status.c")
SIM = "sim"
# Fewer random histories than the test suite runs: they are for each change.
ENVIRONMENT = {"HISTORIES": "300", "UBSAN_OPTIONS": "halt_on_error=1"}
MEMORY_LIMIT = 8 << 30
SANITIZERS = ["-Db_sanitize=address,undefined", "-Db_lundef=false"]
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
DECLARATION = re.compile(r"^\s+(?!return\b|goto\b)(?:[a-z_]\w* )+\**[a-z_]\w*(?:\[[^\]]*\])*"
                         r"(?: =|;|,)")
FUNCTION = re.compile(r"^(?!typedef\b)[a-z][^=;()]*?(\w+)\([^;]*$")
EARLY_RETURN = re.compile(r"^ {8,}return\b.*;$")


class Change(collections.namedtuple("Change", "path number old new what function")):
    def key_here(self):
        """As key, for the function alone."""
        return self.key().replace(": ", f" {self.function}: ", 1)

    def key(self):
        """The same whatever stands above the line."""
        dropped = self.new.strip() == ";"
        return f"{self.path}: {self.what}: {self.old.strip()}" + (
            "" if dropped else f" -> {self.new.strip()}"
        )

    def shown(self):
        return self.key().replace(": ", f":{self.number + 1}: ", 1)


def code_lines(text):
    """(number, line) of the lines that are code inside functions; no comments, no asserts."""
    in_comment = in_function = False
    planted_end = None
    in_assertion = False
    for number, line in enumerate(text.splitlines()):
        if in_comment or line.lstrip().startswith("/*"):
            in_comment = "*/" not in line
            continue
        if line == "{":
            in_function = True
        elif line == "}":
            in_function = False
        elif in_assertion or ASSERTION.match(line):
            in_assertion = not line.endswith(";")
        elif planted_end is not None:
            planted_end = None if line.startswith(planted_end) else planted_end
        elif ONLY_PLANTED.match(line):
            planted_end = ONLY_PLANTED.match(line)[1] + "}"
        elif in_function and line and not NO_RULE.search(line):
            yield number, line


def code_with_functions(text):
    """The same, and the name of the function that each line is in."""
    heads = [(number, FUNCTION.match(line)[1]) for number, line in enumerate(text.splitlines())
             if FUNCTION.match(line)]
    for number, line in code_lines(text):
        yield number, line, [name for first, name in heads if first < number][-1]


def flips_of(line):
    """(new line, what) for each change of one line."""
    code = re.sub(r"/\*.*?\*/|\"[^\"]*\"", lambda found: " " * len(found.group()), line)
    for found in SWAPPED.finditer(code):
        old = found.group()
        if old in "<>" and not (code[found.start() - 1] == code[found.end()] == " "):
            continue
        yield line[: found.start()] + SWAPS[old] + line[found.end() :], f"{old} is {SWAPS[old]}"
    for found in CONSTANT.finditer(code):
        is_octal = found.group().startswith("0") and found.group() != "0"
        greater = f"0{int(found.group(), 8) + 1:o}" if is_octal else str(int(found.group()) + 1)
        yield line[: found.start()] + greater + line[found.end() :], f"{found.group()} is {greater}"
    condition = CONDITION.match(line)
    if condition and not SWAPPED.search(code):
        yield f"{condition[1]}!({condition[2]}){condition[3]}", "condition negated"
    indent = re.match(r"\s*", line).group()
    if STATEMENT.match(line) and not DECLARATION.match(line):
        yield indent + ";", "statement dropped"
    if EARLY_RETURN.match(line):
        yield indent + ";", "early return dropped"


def all_changes(files):
    if not files:
        files = sorted(
            str(path.relative_to(ROOT)) for pattern in SOURCES for path in ROOT.glob(pattern)
        )
    return [
        Change(path, number, line, new, what, function)
        for path in files
        if path not in SKIPPED
        for number, line, function in code_with_functions((ROOT / path).read_text())
        for new, what in flips_of(line)
    ]


def read_equivalent(text):
    """The keys of changes that make no difference, of lines with an indented reason for those
    above it; and the keys that have none."""
    keys = []
    unexplained = []
    for line in text.splitlines():
        if line.startswith("#") or not line.strip():
            continue
        if line.startswith(" "):
            unexplained = []
        else:
            keys.append(line)
            unexplained.append(line)
    return keys, unexplained


def files_of(keys):
    return sorted({re.split("[: ]", key)[0] for key in keys})


def faults_of_equivalent(text, changes):
    """(what is wrong, key) for each line that cannot stand, given all changes of its files."""
    keys, unexplained = read_equivalent(text)
    there = {key for change in changes for key in (change.key(), change.key_here())}
    yield from (("has no reason", key) for key in unexplained)
    yield from (("is not in the source", key) for key in keys if key not in there)
    yield from (("is there twice", key) for key, count in collections.Counter(keys).items()
                if count > 1)


def demand_equivalent():
    """The keys of the file, all of which stand for a change that the source has."""
    text = EQUIVALENT.read_text()
    keys = read_equivalent(text)[0]
    there = [path for path in files_of(keys) if (ROOT / path).exists()]
    faults = list(faults_of_equivalent(text, all_changes(there) if there else []))
    for fault, key in faults:
        print(f"{EQUIVALENT.name}: {fault}: {key}", file=sys.stderr)
    if faults:
        sys.exit(2)
    return set(keys)


def statements(lines):
    """(first, last) line numbers of whole statements, also of heads that end in a brace."""
    first, open_parentheses = None, 0
    for number, line in code_lines("\n".join(lines)):
        code = re.sub(r"/\*.*?\*/|\"[^\"]*\"|'.'", "", line).rstrip()
        if first is None:
            first, open_parentheses = number, 0
        open_parentheses += code.count("(") - code.count(")")
        if open_parentheses <= 0 and code.endswith((";", "{", "}", ":")):
            yield first, number
            first = None


def chosen_of(original, others):
    """An expression that is one of the others when its number is the switched one."""
    return "(" + "".join(f"mutant_is({i}) ? ({text}) : " for i, text in others) + f"({original}))"


# Every second group is an expression, of which there may be several.
HEAD = re.compile(r"^(\s*(?:(?:} else )?if|while|} while) \()(.*)(\) \{|\);)$", re.DOTALL)
FOR = re.compile(r"^(\s*for \([^;=]* = )([^;]*)(;\s+)([^;]*)(;\s+)([^;]*)(\) \{)$", re.DOTALL)
FOR_WITHOUT_START = re.compile(r"^(\s*for \(;\s+)([^;]*)(;\s+)([^;]*)(\) \{)$", re.DOTALL)
INITIALISED = re.compile(r"^([^={}]*[^={}!<>]=\s+)([^{].*)(;)$", re.DOTALL)


def switched_statement(original, others):
    tests = "".join(f"if (mutant_is({i})) {{\n{text}\n}} else " for i, text in others)
    return f"{{ {tests}{{\n{original}\n}} }}"


def switched(original, others):
    """Source that is `original`, or one of the others (number, text); None if it cannot be had."""
    shapes = (INITIALISED,) if DECLARATION.match(original) else (FOR, FOR_WITHOUT_START, HEAD)
    shape = next((shape for shape in shapes if shape.match(original)), None)
    if shape is None:
        is_statement = original.endswith(";") and original.count("{") == original.count("}")
        is_statement = is_statement and shapes[0] is FOR
        return switched_statement(original, others) if is_statement else None
    parts = list(shape.match(original).groups())
    for i in range(1, len(parts), 2):
        mine = []
        for number, text in others:
            found = shape.match(text)
            if not found or found.groups()[::2] != shape.match(original).groups()[::2]:
                return None
            if found[i + 1] != parts[i]:
                mine.append((number, found[i + 1]))
        # Whether a pointer is NULL, or a number not 0: both sides have one type.
        truth = "!!" if shape is HEAD else ""
        if mine:
            parts[i] = chosen_of(f"{truth}({parts[i]})", [(n, f"{truth}({t})") for n, t in mine])
    return "".join(parts)


# Stands in front of each source. MUTANT: the change that is made; "-1": none, and REACHED names a
# file to which the numbers of those are appended that a run came by.
SWITCH = """#include <stdio.h>
#include <stdlib.h>
static int mutant_now;
static unsigned char mutant_seen[%(count)d];
__attribute__((constructor)) static void mutant_read(void)
{
    mutant_now = atoi(getenv("MUTANT") ? getenv("MUTANT") : "0");
}
__attribute__((destructor)) static void mutant_write(void)
{
    FILE *file = mutant_now == -1 ? fopen(getenv("REACHED"), "a") : NULL;
    for (int i = 0; file && i < %(count)d; i++) {
        if (mutant_seen[i]) {
            fprintf(file, "%%d\\n", i + %(first)d);
        }
    }
    if (file) {
        fclose(file);
    }
}
static inline int mutant_is(int number)
{
    if (__builtin_expect(mutant_now == -1, 0)) {
        mutant_seen[number - %(first)d] = 1;
    }
    return __builtin_expect(mutant_now == number, 0);
}
"""


class Switchboard:
    """All changes of all files in one build, each behind a switch. Those that cannot be: alone."""

    def __init__(self, tree, changes):
        self.tree = tree
        self.changes = changes
        self.alone = set()
        self.where = {}  # path: [(first line, last line, numbers)] of what was written
        self.by_path = collections.defaultdict(list)
        for number, change in enumerate(changes, 1):
            self.by_path[change.path].append((number, change))

    def write(self, path):
        lines = (ROOT / path).read_text().splitlines()
        numbered = self.by_path[path]
        out = (SWITCH % {"first": numbered[0][0], "count": len(numbered)}).splitlines()
        self.where[path] = []
        ends = dict(statements(lines))
        placed = set()
        at = 0
        while at < len(lines):
            last = ends.get(at, at)
            mine = [(i, change) for i, change in numbered
                    if at <= change.number <= last and i not in self.alone]
            placed.update(i for i, _ in mine)
            original = "\n".join(lines[at : last + 1])
            others = [
                (i, "\n".join([*lines[at : change.number], change.new,
                               *lines[change.number + 1 : last + 1]]))
                for i, change in mine
            ]
            text = switched(original, others) if mine else original
            if text is None:
                self.alone.update(i for i, _ in mine)
                text = original
            elif mine:
                self.where[path].append((len(out) + 1, len(out) + 1 + text.count("\n"),
                                         [i for i, _ in mine]))
            out += text.split("\n")
            at = last + 1
        self.alone.update(i for i, _ in numbered if i not in placed)
        (self.tree / path).write_text("\n".join(out) + "\n")

    def part(self, output):
        """Takes out what the compiler refused. False: there was nothing to take."""
        before = len(self.alone)
        for path, line in re.findall(r"([\w./-]+\.c):(\d+):\d+: error", output):
            for known, places in self.where.items():
                if path.endswith(known):
                    # What is declared within a switch is missed further down.
                    above = [place for place in places if place[0] <= int(line)]
                    inside = [place for place in above if int(line) <= place[1]]
                    for place in inside or above[-1:]:
                        self.alone.update(place[2])
        return len(self.alone) > before


class Bench:
    """A copy of the tree with a build of its own."""

    def __init__(self, directory, areas, arguments):
        self.directory = directory
        self.tree = directory / "tree"
        self.build = directory / "build"
        self.seeds = arguments.seeds
        self.sanitize = arguments.sanitize
        self.lock = threading.Lock()
        self.found = collections.Counter()
        self.cost = {}
        self.limits = {}
        self.reached = {}
        shutil.copytree(ROOT, self.tree, ignore=shutil.ignore_patterns("build*", ".git"))
        self.environment = {**os.environ, **ENVIRONMENT, "TMPDIR": str(directory)}
        self.demand(["meson", "setup", str(self.build), str(self.tree), "-Dwerror=false",
                     "-Dbuildtype=plain", "-Dc_args=-O1 -w",
                     *(SANITIZERS if self.sanitize else [])])
        targets = self.demand(["ninja", "-C", str(self.build), "-t", "targets", "all"])
        names = sorted(set(re.findall(r"^(tests/\w+/(?:test|property)_[^:/]+):", targets,
                                      re.MULTILINE)))
        self.tests = {
            area: [name for name in names
                   if name.startswith(f"tests/{area}/") and not name.endswith("_planted")
                   and re.search(arguments.tests, name)]
            for area in areas
        }
        self.all = [test for tests in self.tests.values() for test in tests]
        self.all += [SIM] if self.seeds else []

    def demand(self, command):
        done = subprocess.run(command, capture_output=True, text=True, check=False,
                              cwd=self.tree, env=self.environment)
        if done.returncode != 0:
            sys.exit(f"machine_mutants.py: {' '.join(command)}:\n{done.stdout}{done.stderr}")
        return done.stdout

    def make(self, *tests):
        done = subprocess.run(["ninja", "-C", str(self.build), "-k", "0", "--quiet", *tests],
                              capture_output=True, text=True, check=False, env=self.environment)
        return done.returncode, done.stdout + done.stderr

    def install(self, changes):
        """Builds the tree with a switch for each change; those that have none."""
        board = Switchboard(self.tree, changes)
        while True:
            for path in board.by_path:
                board.write(path)
            code, output = self.make(*self.all)
            if code == 0:
                return board.alone
            if not board.part(output):
                sys.exit(f"machine_mutants.py: the tree does not build:\n{output}")

    def measure(self):
        """Runs all tests with no change made: they must pass, and tell what they came by."""
        for test in self.all:
            trail = self.directory / "reached"
            trail.write_text("")
            before, begin = os.times(), time.monotonic()
            found = self.run(test, -1, 3600, 7200, {"REACHED": str(trail)})
            after, end = os.times(), time.monotonic()
            if found:
                sys.exit(f"machine_mutants.py: {test} fails though nothing is changed: {found}")
            spent = (after.children_user - before.children_user
                     + after.children_system - before.children_system)
            self.cost[test] = spent + 0.02
            self.reached[test] = set(map(int, trail.read_text().split()))
            # A hang that spins meets the first, however busy the machine; one that waits the other.
            self.limits[test] = (round(3 + 10 * spent), round(120 + 20 * (end - begin)))

    def run(self, test, mutant, cpu_s, wall_s, more=None):
        """What a test program found, or None. It is stopped at its first finding."""
        command = [str(self.build / test)]
        command += ["--seeds", str(self.seeds)] if test == SIM else []

        def limit():
            resource.setrlimit(resource.RLIMIT_CPU, (cpu_s, cpu_s))
            if not self.sanitize:  # which reserves terabytes
                resource.setrlimit(resource.RLIMIT_AS, (MEMORY_LIMIT, MEMORY_LIMIT))
            resource.setrlimit(resource.RLIMIT_CORE, (0, 0))

        environment = {**self.environment, **(more or {}), "MUTANT": str(mutant)}
        with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                              text=True, errors="replace", cwd=self.build, env=environment,
                              start_new_session=True, preexec_fn=limit) as process:
            hung = threading.Event()
            timer = threading.Timer(
                wall_s, lambda: (hung.set(), os.killpg(process.pid, signal.SIGKILL)))
            timer.start()
            found = None
            for line in process.stdout:
                failed = re.search(r"\[  FAILED  \] (\w+)|^seed (\d+) failed", line)
                if failed:
                    found = failed[1] or f"seed {failed[2]}"
                    os.killpg(process.pid, signal.SIGKILL)
                    break
            code = process.wait()
            timer.cancel()
        if found or code == 0:
            return found
        return "it hangs" if hung.is_set() or code in (-signal.SIGXCPU, -signal.SIGKILL) else (
            f"exit {code}")

    def ordered(self, path, mutant):
        """Tests that come by a change: those first that found most for the time they take."""
        with self.lock:
            return sorted(
                (test for test in self.all
                 if (test == SIM or test in self.tests[area_of(path)])
                 and ( mutant == 0 or mutant in self.reached[test])),
                key=lambda test: (test == SIM, self.cost[test] / (1 + 20 * self.found[path, test])),
            )

    def verdict(self, path, mutant, make=False):
        tests = self.ordered(path, mutant)
        for test in tests:
            if make and self.make(test)[0] != 0:
                return "does not build"
            found = self.run(test, mutant, *self.limits[test])
            if found:
                with self.lock:
                    self.found[path, test] += 1
                return f"killed by {pathlib.Path(test).name}: {found}"
        return "SURVIVED" if tests else "SURVIVED, never reached"

    def verdict_alone(self, change):
        """The same of a change that has no switch: it is built."""
        original = (ROOT / change.path).read_text()
        lines = original.splitlines()
        lines[change.number] = change.new
        (self.tree / change.path).write_text("\n".join(lines) + "\n")
        try:
            return self.verdict(change.path, 0, make=True)
        finally:
            (self.tree / change.path).write_text(original)


def area_of(path):
    return "ring" if path.startswith("ring/") else path.split("/")[1]


def judge_all(changes, arguments, report):
    verdicts = collections.defaultdict(list)

    def note(change, verdict):
        verdicts[re.split(" by |, ", verdict)[0]].append(change)
        print(f"{verdict:28} | {change.shown()}", file=report, flush=True)

    with tempfile.TemporaryDirectory(prefix="mutants-") as directory:
        areas = sorted({area_of(change.path) for change in changes})
        bench = Bench(pathlib.Path(directory), areas, arguments)
        alone = bench.install(changes)
        bench.measure()
        begin = time.monotonic()
        numbers = [i for i in range(1, len(changes) + 1) if i not in alone]
        with concurrent.futures.ThreadPoolExecutor(arguments.jobs) as pool:
            judged = pool.map(lambda i: bench.verdict(changes[i - 1].path, i), numbers)
            for number, verdict in zip(numbers, judged):
                note(changes[number - 1], verdict)
        for path in {change.path for change in changes}:
            (bench.tree / path).write_text((ROOT / path).read_text())
        for number in sorted(alone):
            note(changes[number - 1], bench.verdict_alone(changes[number - 1]))
        minutes = (time.monotonic() - begin) / 60
    print(f"{len(alone)} of {len(changes)} had a build of their own", file=sys.stderr)
    return verdicts, minutes


def chosen(arguments):
    equivalent = demand_equivalent()
    changes = [change for change in all_changes(arguments.files)
               if not {change.key(), change.key_here()} & equivalent]
    if arguments.again:
        survived = {
            re.sub(r":\d+: ", ": ", line.split(" | ", 1)[1].rstrip("\n"), count=1)
            for line in open(arguments.again, encoding="utf-8")
            if line.startswith("SURVIVED")
        }
        changes = [change for change in changes if change.key() in survived]
    if arguments.sample and arguments.sample < len(changes):
        drawn = random.Random(arguments.draw).sample(range(len(changes)), arguments.sample)
        changes = [changes[i] for i in sorted(drawn)]
    return changes


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--list", action="store_true")
    parser.add_argument("--check", action="store_true")
    parser.add_argument("--sample", type=int, default=0)
    parser.add_argument("--draw", type=int, default=1)
    parser.add_argument("--seeds", type=int, default=150)
    parser.add_argument("--jobs", type=int, default=1)
    parser.add_argument("--report", default="")
    parser.add_argument("--again", default="")
    parser.add_argument("--sanitize", action="store_true")
    parser.add_argument("--tests", default="")
    parser.add_argument("files", nargs="*")
    arguments = parser.parse_args()
    if arguments.check:
        demand_equivalent()
        return
    changes = chosen(arguments)
    if arguments.list:
        for change in changes:
            print(change.shown())
        return
    report = open(arguments.report, "a", encoding="utf-8") if arguments.report else sys.stderr
    verdicts, minutes = judge_all(changes, arguments, report)
    survivors = verdicts.pop("SURVIVED", [])
    stillborn = len(verdicts.pop("does not build", []))
    print(f"{len(changes)} changes: {stillborn} do not build, "
          f"{sum(map(len, verdicts.values()))} found, {len(survivors)} survived; "
          f"{len(changes) / max(minutes, 1e-9):.1f} a minute")
    for change in survivors:
        print(f"  {change.shown()}")


if __name__ == "__main__":
    main()
