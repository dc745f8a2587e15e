"""faults.py - what goes wrong, and when: drawn from a seed, undone in time.

Most of the time at most a minority of the nodes is bad at once; now and then more, and now and
then none. Cuts and what happens to processes are drawn independently, so they meet.
"""

import collections
import time

MODES = [("minority", 2, 8), ("majority", 5, 1), ("none", 0, 1)]
MODE_S = (15, 40)
DURATION_S = 6
DURATION_MAX_S = 25
# A call on a paused mount waits that long before its own deadline begins to run.
PAUSE_MOUNT_MAX_S = 5


class Fault:
    def __init__(self, kind, nodes, end, undo=None, pairs=(), mount=None):
        self.kind = kind
        self.nodes = set(nodes)
        self.end = end
        self.undo = undo
        self.pairs = set(pairs)
        self.mount = mount


class Faults:
    def __init__(self, cluster, random, log, may_wipe):
        self.cluster = cluster
        self.random = random
        self.log = log
        self.may_wipe = may_wipe  # false too while an earlier loss is not made good
        self.active = []
        self.count = collections.Counter()
        self.history = []  # (time, names of what is bad), from then on
        self.limit = 2
        self.mode_end = 0
        self.next_at = 0
        self.kinds = [
            (self.pause, 3), (self.crash, 4), (self.isolate, 3), (self.split, 3), (self.link, 3),
            (self.crash_mount, 2), (self.pause_mount, 1), (self.wipe, 2),
        ]

    # --- the clockwork -------------------------------------------------------------------------

    def tick(self):
        now = time.monotonic()
        for fault in [f for f in self.active if f.end <= now]:
            self.finish(fault)
        if now >= self.mode_end:
            name, self.limit, _ = self.random.choices(MODES, [m[2] for m in MODES])[0]
            self.mode_end = now + self.random.uniform(*MODE_S)
            self.log(f"mode {name}")
        if now >= self.next_at:
            self.next_at = now + self.random.expovariate(1 / 1.5)
            if self.limit > 0:
                kinds, weights = zip(*self.kinds)
                self.random.choices(kinds, weights)[0]()

    def begin(self, fault, what):
        self.active.append(fault)
        self.count[fault.kind] += 1
        self.log(f"begin {fault.kind} {what}")
        self.cut()

    def finish(self, fault):
        self.active.remove(fault)
        self.log(f"end {fault.kind} {' '.join(sorted(fault.nodes))}")
        if fault.undo is not None:
            fault.undo()
        self.cut()

    def heal(self):
        for fault in list(self.active):
            self.finish(fault)

    def cut(self):
        """Makes the cuts those of the active faults; notes what is bad from now on."""
        self.history.append((time.monotonic(), self.bad() | self.other_ends()))
        self.cluster.network.cut(set().union(*(fault.pairs for fault in self.active)))

    def until(self, most=DURATION_MAX_S):
        duration = self.random.expovariate(1 / DURATION_S)
        return time.monotonic() + min(max(duration, 0.3), most)

    def bad(self):
        return set().union(*(fault.nodes for fault in self.active))

    def other_ends(self):
        """Of cut links with a mount, and mounts to which something is done."""
        ends = {name for fault in self.active for pair in fault.pairs for name in pair}
        mounts = {fault.mount for fault in self.active if fault.mount is not None}
        return mounts | {name for name in ends if name.startswith("m")}

    def bad_before(self, when, seconds):
        """What was bad at some time within the seconds before."""
        bad = set()
        for i, (begin, names) in enumerate(self.history):
            end = self.history[i + 1][0] if i + 1 < len(self.history) else when
            if begin <= when and end >= when - seconds:
                bad |= names
        return bad

    def room(self, nodes):
        return len(self.bad() | set(nodes)) <= self.limit

    def draw(self, programs):
        """One of the programs to which nothing is done just now, or None."""
        free = [p for p in programs if p.runs() and not p.paused]
        return self.random.choice(free) if free else None

    # --- processes -----------------------------------------------------------------------------

    def pause(self):
        node = self.draw(self.cluster.nodes)
        if node is not None and self.room([node.name]):
            node.pause()
            self.begin(Fault("SIGSTOP", [node.name], self.until(), node.go_on), node.name)

    def crash(self):
        node = self.draw(self.cluster.nodes)
        if node is not None and self.room([node.name]):
            node.kill()
            self.begin(Fault("kill -9", [node.name], self.until(), node.start), node.name)

    def wipe(self):
        """At once, or after it was alone with some mounts for a while: then nobody else has what
        it may have acknowledged wrongly."""
        node = self.draw(self.cluster.nodes)
        if node is None or not self.may_wipe or not self.room([node.name]):
            return
        self.may_wipe = False
        if self.random.random() < 0.5:
            node.kill()
            what = self.spoil(node)
            self.begin(Fault(what, [node.name], self.until(5), node.start), node.name)
            return
        some = {node.name, *(m.name for m in self.cluster.mounts if self.random.random() < 0.5)}
        pairs = {(a, b) for a in some for b in self.everybody() - some}
        pairs |= {(b, a) for a, b in pairs}

        def undo():
            node.kill()
            self.count[self.spoil(node)] += 1
            node.start()

        fault = Fault("alone, then disk gone", [node.name], self.until(), undo, pairs)
        self.begin(fault, " ".join(sorted(some)))

    def spoil(self, node):
        if self.random.random() < 0.4 and node.damage_disk(self.random):
            return "disk damaged"
        node.lose_disk()
        return "disk lost"

    def crash_mount(self):
        mount = self.draw(self.cluster.mounts)
        if mount is not None and mount.mounted():
            mount.crash()
            self.begin(Fault("mount kill -9", [], self.until(5), mount.start, mount=mount.name),
                       mount.name)

    def pause_mount(self):
        mount = self.draw(self.cluster.mounts)
        if mount is not None and mount.mounted():
            mount.pause()
            end = self.until(PAUSE_MOUNT_MAX_S)
            self.begin(Fault("mount SIGSTOP", [], end, mount.go_on, mount=mount.name), mount.name)

    # --- links ---------------------------------------------------------------------------------

    def everybody(self):
        return {program.name for program in self.cluster.programs()}

    def between(self, some, others):
        """Both directions, or one of the two."""
        there = {(a, b) for a in some for b in others}
        back = {(b, a) for a in some for b in others}
        return self.random.choice([
            ("both directions", there | back), ("both directions", there | back),
            ("outwards", there), ("inwards", back),
        ])

    def cut_off(self, kind, some, others):
        nodes = {name for name in some if name.startswith("n")}
        if not self.room(nodes):
            return
        how, pairs = self.between(some, others)
        what = f"{' '.join(sorted(some))} | {' '.join(sorted(others))} {how}"
        self.begin(Fault(f"{kind}, {how}", nodes, self.until(), pairs=pairs), what)

    def isolate(self):
        name = self.random.choice(self.cluster.nodes).name
        self.cut_off("node cut off", {name}, self.everybody() - {name})

    def split(self):
        """A minority of the nodes, with some of the mounts, against the rest."""
        nodes = self.random.sample([node.name for node in self.cluster.nodes], 2)
        mounts = [m.name for m in self.cluster.mounts if self.random.random() < 0.4]
        some = {*nodes, *mounts}
        self.cut_off("groups cut", some, self.everybody() - some)

    def link(self):
        """Between two, of which at most one is a mount."""
        one = self.random.choice(self.cluster.nodes).name
        other = self.random.choice(sorted(self.everybody() - {one}))
        if self.limit == 0:
            return
        how, pairs = self.between({one}, {other})
        fault = Fault(f"link cut, {how}", [], self.until(), pairs=pairs)
        self.begin(fault, f"{one} | {other} {how}")
