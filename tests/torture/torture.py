#!/usr/bin/env python3
"""torture.py - runs the torture test; see run.sh, which prepares and cleans up.

usage: torture.py --build BUILD --directory DIR --prefix NAME [--minutes M] [--seed S] [--no-wipe]
"""

import argparse
import collections
import json
import os
import random
import signal
import subprocess
import sys
import time

import checker
from cluster import Cluster, Failed, wait_until
from faults import Faults

# With R=1 a minority goes on writing, so that both sides of a cut make versions. W=1 is one copy,
# which may be lost with its disk.
MOUNTS = ["r=2,w=2", "r=1,w=2", "r=1,w=2"]
MOUNTS_WITHOUT_WIPE = ["r=2,w=2", "r=1,w=2", "r=1,w=1"]
WORKERS_PER_MOUNT = 2
HANG_S = 30
GRACE_S = 10  # of calm at the end, with the load on
AGREE_S = 120  # for all mounts to show the same
SETTLE_S = 180  # for hints to be delivered and repairs to find nothing
REPAIR_S = 60  # for one pass
END_S = 150  # for the workers to end: what they do has deadlines
WIPE_EVERY_S = 90
BEFORE_S = 10  # the deadline of an operation: so long ago can be why it failed
DIRECTORIES = ("sets", "over", "loose", "carts")
HERE = os.path.dirname(os.path.abspath(__file__))
CART = os.path.join(HERE, "..", "..", "examples", "cart.py")


class Torture:
    def __init__(self, options):
        self.options = options
        self.random = random.Random(options.seed)
        self.directory = options.directory
        mounts = MOUNTS if options.wipe else MOUNTS_WITHOUT_WIPE
        self.cluster = Cluster(options.prefix, options.directory, options.build, mounts)
        self.event_log = open(self.file("logs", "events"), "w", buffering=1, encoding="utf-8")
        self.begin = time.monotonic()
        self.breaches = []
        self.workers = {}
        self.hung = set()
        self.lags = collections.Counter()
        self.faults = Faults(self.cluster, self.random, self.event, options.wipe)
        self.has = self.verbs()

    def file(self, *parts):
        return os.path.join(self.directory, *parts)

    def event(self, text):
        self.event_log.write(f"{time.monotonic() - self.begin:9.3f} {text}\n")

    def say(self, text):
        self.event(text)
        print(f"{time.monotonic() - self.begin:6.0f} s  {text}", flush=True)

    def breach(self, text):
        if text not in self.breaches:
            self.breaches.append(text)
            self.say(f"BREACH {text}")

    def verbs(self):
        """What dynamoctl can tell of the state of things."""
        said = "".join(self.cluster.ctl("--help")[1:])
        return {verb for verb in ("hints", "repair") if verb in said.split()}

    # --- the load ------------------------------------------------------------------------------

    def start_workers(self, until):
        os.mkdir(self.file("journals"))
        for mount in self.cluster.mounts:
            os.mkdir(self.file(f"locks-{mount.name}"))
            for i in range(WORKERS_PER_MOUNT + 1):
                self.start_worker(mount, i, until)

    def start_worker(self, mount, i, until):
        name = f"{mount.name}w{i}"
        options = {
            "name": name,
            "mount": mount.point,
            "begin": self.begin,
            "until": until,
            "cart": os.path.abspath(CART),
            "locks": self.file(f"locks-{mount.name}"),
            "stop": self.file("stop"),
            "journal": self.file("journals", name),
            "state": self.file("pids", f"{name}.state"),
            "seed": self.random.randrange(1 << 30),
            "shops": i == WORKERS_PER_MOUNT,
        }
        with open(self.file("logs", name), "wb") as log:
            child = subprocess.Popen(
                [sys.executable, os.path.join(HERE, "worker.py"), json.dumps(options)],
                stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True)
        with open(self.file("pids", name), "w", encoding="ascii") as file:
            file.write(str(child.pid))
        self.workers[name] = (child, options["state"])

    def workers_run(self):
        return any(child.poll() is None for child, _ in self.workers.values())

    def watch(self):
        """Nobody may end by itself, and no call may take for ever."""
        for program in self.cluster.programs():
            if not program.ended_by_itself():
                continue
            if program in self.cluster.mounts and not program.was_mounted:
                program.child = None
                program.start()  # it could not reach the cluster
                continue
            if program in self.cluster.nodes and program.damaged and program.child.returncode == 1:
                self.replace_disk(program)
                continue
            self.breach(f"{program.name} ended with {program.child.returncode}, see {program.log}")
            program.child = None
            raise Failed("a program broke")
        for mount in self.cluster.mounts:
            mount.mounted()
        for name, (child, state) in self.workers.items():
            if child.poll() not in (None, 0):
                raise Failed(f"worker {name} broke, see {self.file('logs', name)}")
            if child.poll() is None:
                self.watch_call(name, child, state)

    def replace_disk(self, node):
        """It found the damage where it cannot do without, said so and ended."""
        self.event(f"{node.name} refuses its damaged disk")
        self.faults.count["disk damaged, and replaced"] += 1
        node.kill()
        node.lose_disk()
        node.start()

    def watch_call(self, name, child, state):
        try:
            with open(state, encoding="utf-8", errors="replace") as file:
                since, call, path = file.read().rstrip().split(" ", 2)
        except (OSError, ValueError):
            return
        waited = time.monotonic() - float(since)
        if call in ("-", "cart") or waited < HANG_S or (name, since) in self.hung:
            return
        self.hung.add((name, since))
        with open(f"/proc/{child.pid}/stack", encoding="ascii") as stack:
            self.event(f"stack of {name}: " + " < ".join(stack.read().splitlines()))
        self.breach(f"{name}: {call} {path} has not returned after {waited:.0f} s")

    # --- the phases ----------------------------------------------------------------------------

    def run(self):
        self.cluster.start()
        for name in DIRECTORIES:
            os.mkdir(os.path.join(self.cluster.mounts[0].point, name))
        self.begin = time.monotonic()
        end = self.begin + self.options.minutes * 60
        self.start_workers(end + END_S)
        self.say(f"five nodes, three mounts, {len(self.workers)} workers; seed "
                 f"{self.options.seed}, {self.options.minutes:g} minutes")
        wipe_settled_at = self.begin + WIPE_EVERY_S
        while time.monotonic() < end:
            self.faults.tick()
            self.watch()
            time.sleep(0.1)
            if self.options.wipe and not self.faults.may_wipe and (
                    wipe_settled_at < time.monotonic() < end - WIPE_EVERY_S):
                self.heal()
                self.settle(is_idle=False)
                self.faults.may_wipe = True
                wipe_settled_at = time.monotonic() + WIPE_EVERY_S
        self.finish()

    def heal(self):
        self.say("healing: " + (", ".join(sorted(f.kind for f in self.faults.active)) or "nothing"))
        self.faults.heal()
        if not self.until(60, lambda: all(self.cluster.answers(n) for n in self.cluster.nodes)):
            raise Failed("a node does not answer after all was mended")
        if not self.until(60, lambda: all(m.answers() for m in self.cluster.mounts)):
            raise Failed("a mount does not answer after all was mended")

    def until(self, seconds, condition):
        def watched():
            self.watch()
            return condition()

        return wait_until(seconds, watched)

    def settle(self, is_idle):
        """Until hints are delivered and all replicas agree. Under load there is always something
        that a repair finds, but each must have compared all that it has with each other."""
        begin = time.monotonic()
        if "hints" in self.has and not self.until(SETTLE_S, self.no_hints):
            raise Failed(f"there are hints {SETTLE_S} s after all was mended")
        if "repair" in self.has and not self.until(SETTLE_S, lambda: self.repaired(is_idle)):
            raise Failed(f"there is something to repair {SETTLE_S} s after all was mended")
        for node in self.cluster.nodes:
            node.damaged = False
        self.say(f"settled in {time.monotonic() - begin:.1f} s")

    def no_hints(self):
        told = self.cluster.json("hints")
        self.event(f"hints: {told and told['total']['count']}")
        return told is not None and not told["unreachable"] and told["total"]["count"] == 0

    def repaired(self, is_idle):
        told = self.cluster.json("repair", "--wait", timeout=REPAIR_S)
        if told is None:
            self.event("repair: failed")
            return False
        self.event(f"repair: {told['keys_repaired']} keys, finished {told['finished']}, "
                   f"complete {told['complete']}")
        return told["finished"] and told["complete"] and (
            told["keys_repaired"] == 0 or not is_idle)

    def finish(self):
        self.heal()
        grace = time.monotonic() + GRACE_S
        self.until(GRACE_S + 1, lambda: time.monotonic() > grace)
        with open(self.file("stop"), "w", encoding="ascii"):
            pass
        if not self.until(END_S, lambda: not self.workers_run()):
            self.breach("workers have not ended")
        self.settle(is_idle=True)
        state = self.agreed("after everything was mended")
        self.judge(state)
        self.say("killing all nodes at once")
        for node in self.cluster.nodes:
            node.kill()
        for node in self.cluster.nodes:
            node.start()
        self.until(60, lambda: all(self.cluster.answers(n) for n in self.cluster.nodes))
        again = self.agreed("after all nodes were killed")
        if not same(again, state):
            self.breach("all nodes were killed, and came back with other files: "
                        + difference(state, again))
        self.cluster.stop()

    def agreed(self, when):
        """The files of a mount, once all show the same."""
        states = []

        def agree():
            states[:] = [self.files_of(mount) for mount in self.cluster.mounts]
            return None not in states and all(same(state, states[0]) for state in states)

        begin = time.monotonic()
        if not self.until(AGREE_S, agree):
            for mount, state in zip(self.cluster.mounts, states):
                if state is None:
                    self.breach(f"{mount.name} cannot be read {when}")
                elif states[0] is not None and not same(state, states[0]):
                    self.breach(f"{mount.name} shows other files than m1 {when}: "
                                + difference(states[0], state))
            raise Failed(f"the mounts do not agree {when}")
        self.say(f"the mounts agree {when}: {len(states[0])} files, "
                 f"{time.monotonic() - begin:.1f} s")
        return states[0]

    def files_of(self, mount):
        """{ name: content in hexadecimal } of a mount, None if it cannot be read just now. In
        another process: one that waits for a mount cannot be interrupted."""
        program = (
            "import json, os, sys\n"
            "files = {}\n"
            "for directory in sys.argv[2:]:\n"
            "    for name in os.listdir(os.path.join(sys.argv[1], directory)):\n"
            "        with open(os.path.join(sys.argv[1], directory, name), 'rb') as file:\n"
            "            files[directory + '/' + name] = file.read().hex()\n"
            "json.dump(files, sys.stdout)\n"
        )
        with open(self.file("logs", f"reader-{mount.name}"), "wb") as log:
            with open(self.file("read"), "w+", encoding="ascii") as output:
                reader = subprocess.Popen(
                    [sys.executable, "-c", program, mount.point, *DIRECTORIES],
                    stdin=subprocess.DEVNULL, stdout=output, stderr=log, start_new_session=True)
                try:
                    if reader.wait(AGREE_S) != 0:
                        return None
                except subprocess.TimeoutExpired:
                    self.breach(f"{mount.name} hangs while it is read")
                    return None
                output.seek(0)
                read = json.load(output)
        return {name: bytes.fromhex(data) for name, data in read.items()}

    # --- the verdict ---------------------------------------------------------------------------

    def records(self):
        return [record for name in sorted(self.workers) for record in self.journal(name)]

    def journal(self, name):
        with open(self.file("journals", name), encoding="ascii") as journal:
            return [json.loads(line) for line in journal if line.endswith("\n")]

    def judge(self, state):
        records = self.records()
        for breach in checker.breaches(records, state):
            self.breach(breach)
        self.figures(records, state)

    def figures(self, records, state):
        operations = collections.Counter()
        errors = collections.Counter()
        calls = 0
        for record in records:
            if "operation" in record:
                operations[f"{record['operation']} {record['done']}"] += 1
            if "error" in record:
                errors[f"{record['call']} {record['error']}"] += 1
            calls += "siblings" in record
        writes = checker.writes_of(records).values()
        resolved = [record["resolved"] for record in records if "resolved" in record]
        print()
        table("operations", operations)
        table("errors", errors)
        table("faults", self.faults.count)
        self.availability(records)
        print(f"writes      {len(writes)} tried, {sum(w.acked for w in writes)} acknowledged")
        print(f"conflicts   met {calls} times, at most "
              f"{max((r['siblings'] for r in records if 'siblings' in r), default=0)} siblings; "
              f"{len(resolved)} resolved by a write, {sum(resolved)} siblings; "
              f"{sum('~v' in name for name in state)} siblings at the end")
        back = list(checker.came_back(records, state))
        print(f"came back   {len(back)} values that were superseded")
        for text in back:
            self.event(f"came back: {text}")
        print(f"duration    {time.monotonic() - self.begin:.0f} s, seed {self.options.seed}")
        print(flush=True)


    def availability(self, records):
        """How many operations failed while so many nodes were bad. All ends of a cut count that
        are on its smaller side; a link cut between two nodes counts none."""
        done = collections.Counter()
        failed = collections.Counter()
        for name in self.workers:
            mount = name.partition("w")[0]
            for record in self.journal(name):
                if "operation" not in record or record["operation"] == "shop":
                    continue
                bad = self.faults.bad_before(record["time"], BEFORE_S)
                nodes = sum(one.startswith("n") for one in bad)
                where = f"{nodes} nodes bad" + (", and the mount" if mount in bad else "")
                done[where] += 1
                failed[where] += record["done"] == "failed" and record["operation"] != "remove"
        for i, where in enumerate(sorted(done)):
            print(f"{'' if i else 'failed':11} {failed[where]:7d}  of {done[where]} with {where} "
                  f"in the {BEFORE_S} s before")


def table(title, counter):
    for i, (name, count) in enumerate(sorted(counter.items())):
        print(f"{title if i == 0 else '':11} {count:7d}  {name}")


def versions_of(state):
    """{ name: (its content, those of its siblings) }: each mount numbers siblings by itself."""
    siblings = checker.by_file({n: data for n, data in state.items() if checker.SIBLING.search(n)})
    bases = {checker.SIBLING.sub("", name) for name in state}
    return {base: (state.get(base), sorted(siblings[base])) for base in bases}


def same(one, other):
    return versions_of(one) == versions_of(other)


def difference(one, other):
    one, other = versions_of(one), versions_of(other)
    names = sorted(name for name in {*one, *other} if one.get(name) != other.get(name))
    return f"{len(names)} differ: " + ", ".join(
        f"{name} ({told(one.get(name))} and {told(other.get(name))})" for name in names[:5])


def told(file):
    if file is None:
        return "missing"
    base, siblings = file
    return f"{'no' if base is None else len(base)} bytes, {len(siblings)} siblings"


def parse():
    parser = argparse.ArgumentParser()
    parser.add_argument("--build", required=True)
    parser.add_argument("--directory", required=True)
    parser.add_argument("--prefix", required=True)
    parser.add_argument("--minutes", type=float, default=30)
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(1 << 31))
    parser.add_argument("--no-wipe", dest="wipe", action="store_false")
    return parser.parse_args()


def main():
    options = parse()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    torture = Torture(options)
    try:
        torture.run()
    except Failed as failed:
        torture.breach(str(failed))
    if torture.breaches:
        print(f"{len(torture.breaches)} breaches, seed {options.seed}:")
        for breach in torture.breaches[:50]:
            print(f"  {breach}")
        sys.exit(1)
    print("nothing acknowledged was lost")


if __name__ == "__main__":
    main()
