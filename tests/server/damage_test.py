#!/usr/bin/env python3
"""Nodes whose files were damaged, mostly while they did not run: real processes, real files.

usage: damage_test.py DYNAMOD DYNAMOCTL

A lone node says what is lost, by name, and makes the rest usable when told to; one of three
salvages by itself and has everything again; what was never acknowledged as synced is cut off.
"""
import concurrent.futures, glob, hashlib, json, os, random, shutil, signal, socket, subprocess, sys, tempfile, time

DYNAMOD, DYNAMOCTL = sys.argv[1:3]
FILES = 120
HANG_S = 100
work = tempfile.mkdtemp(prefix="dynamofs-damage-")
os.environ["DYNAMOFS_RUNTIME_DIR"] = work + "/runtime"
# A process that ends by SIGBUS does so with sanitizers too.
for sanitizer in ("ASAN_OPTIONS", "TSAN_OPTIONS", "UBSAN_OPTIONS"):
    options = os.environ.get(sanitizer, "")
    os.environ[sanitizer] = (options + ":" if options else "") + "handle_sigbus=0"
running = []


def free_port():
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return one.getsockname()[1]


def content(name):
    return random.Random(name).randbytes(9000)


def until(what, probe):
    end = time.monotonic() + HANG_S
    while not probe():
        assert time.monotonic() < end, what + " does not come"
        time.sleep(0.1)


class Node:
    def __init__(self, name, join=()):
        self.data, self.join = f"{work}/{name}", join
        self.address = f"127.0.0.1:{free_port()}"
        self.log = self.data + ".log"

    def begin(self):
        command = [DYNAMOD, "--data", self.data, "--listen", self.address]
        command += ["--join", ",".join(self.join)] if self.join else []
        with open(self.log, "wb") as log:
            self.process = subprocess.Popen(command, stdout=log, stderr=log)
        running.append(self.process)

    def start(self):
        self.begin()
        until("the ring of " + self.address, lambda: self.process.poll() is not None or self.ctl("ring").returncode == 0)
        assert self.process.poll() is None, self.told()

    def stop(self, number=signal.SIGTERM):
        self.process.send_signal(number)
        self.process.wait(HANG_S)

    def told(self):
        with open(self.log) as log:
            return log.read()

    def ctl(self, *arguments, data=None):
        return subprocess.run([DYNAMOCTL, "--cluster", self.address, *arguments], input=data, capture_output=True, timeout=HANG_S)

    def members(self):
        done = self.ctl("status", "--json")
        return json.loads(done.stdout)["members"] if done.returncode == 0 else []

    def put(self, name, *options):
        done = self.ctl("put", *options, name, "-", data=content(name))
        assert done.returncode == 0, done.stderr

    def fill(self, first, end, *options):
        with concurrent.futures.ThreadPoolExecutor(8) as pool:
            list(pool.map(lambda i: self.put(f"f{i}", *options), range(first, end)))

    def holds(self, name):
        done = self.ctl("get", "--raw", name)
        assert done.returncode != 0 or done.stdout == content(name), name
        return done.returncode == 0

    def missing(self, first=0, end=FILES):
        with concurrent.futures.ThreadPoolExecutor(8) as pool:
            there = list(pool.map(lambda i: self.holds(f"f{i}"), range(first, end)))
        return {f"f{first + i}" for i, is_there in enumerate(there) if not is_there}

    def listed(self):
        done = self.ctl("ls", "/")
        assert done.returncode == 0, done.stderr
        return {line.split()[-1] for line in done.stdout.decode().splitlines()}

    def check(self, *options):
        done = subprocess.run([DYNAMOD, "--check", *options, "--data", self.data], capture_output=True, text=True, timeout=HANG_S)
        return done.returncode, done.stdout + done.stderr

    def files(self, pattern):
        return sorted(glob.glob(f"{self.data}/{pattern}"), key=os.path.getsize)

    def fingerprint(self):
        whole = hashlib.sha256()
        for path in sorted(glob.glob(self.data + "/db/*")):
            with open(path, "rb") as one:
                whole.update(path.encode() + one.read())
        return whole.hexdigest()


def overwrite(path, offset, size=300):
    with open(path, "r+b") as one:
        one.seek(offset)
        one.write(random.Random(path).randbytes(size))


def make_lone(name):
    node = Node(name)
    node.start()
    node.fill(0, FILES)
    return node


def make_table(node):
    """What is in the log becomes a table at the next start."""
    node.stop()
    node.start()
    node.stop()


def test_lone_node_with_a_bad_block():
    node = make_lone("block")
    make_table(node)
    code, text = node.check()
    assert code == 0 and "Nothing is damaged" in text, text
    overwrite(node.files("db/*.ldb")[-1], 200000)
    before = node.fingerprint()
    code, text = node.check()
    lost = {line[6:] for line in text.splitlines() if line.startswith("lost: ")}
    assert code == 1 and lost and "--repair" in text, text
    assert node.fingerprint() == before
    node.start()
    assert node.missing() == lost
    node.stop()
    code, text = node.check("--repair")
    assert code == 0, text
    code, text = node.check()
    assert code == 0, text
    node.start()
    assert node.missing() == lost
    assert node.listed() == {f"f{i}" for i in range(FILES)} - lost
    for name in lost:
        node.put(name)
    assert not node.missing()
    node.stop()


def refused(node):
    node.begin()
    assert node.process.wait(HANG_S) == 1
    text = node.told()
    assert f"--check --data {node.data}"[:60] in text, text
    return text


def test_lone_node_without_its_log():
    node = make_lone("log")
    make_table(node)
    node.start()
    node.fill(FILES, FILES + 20, "--sync")
    node.stop()
    os.unlink(node.files("db/*.log")[-1])
    assert "is missing" in refused(node)
    code, text = node.check()
    assert code == 1 and "is missing" in text, text
    code, text = node.check("--repair")
    assert code == 0, text
    node.start()
    assert not node.missing()
    assert len(node.missing(FILES, FILES + 20)) == 20
    node.stop()


def test_lone_node_with_a_short_table():
    node = make_lone("table")
    make_table(node)
    path = node.files("db/*.ldb")[-1]
    os.truncate(path, os.path.getsize(path) // 2)
    assert "instead of" in refused(node)
    code, text = node.check("--repair")
    assert code == 0, text
    node.start()
    assert node.listed() == {f"f{i}" for i in range(FILES)} - node.missing()
    node.put("again")
    node.stop()


def test_torn_tail():
    node = make_lone("torn")
    node.put("synced", "--sync")
    node.fill(200, 220)
    node.stop(signal.SIGKILL)
    path = node.files("db/*.log")[-1]
    overwrite(path, os.path.getsize(path) - 60000, 20000)
    node.start()
    assert "torn_tail_cut" in node.told(), node.told()
    assert not node.missing() and node.holds("synced")
    node.stop()


def make_three(name):
    nodes = [Node(f"{name}{i}") for i in range(3)]
    for node in nodes:
        node.join = [other.address for other in nodes if other is not node]
    for node in nodes:
        node.begin()
    until("the cluster", lambda: all(len(node.members()) == 3 for node in nodes))
    nodes[0].fill(0, FILES, "--sync")
    return nodes


def test_one_of_three():
    nodes = make_three("three")
    damages = {
        "a damaged log": lambda: overwrite(hurt.files("db/*.log")[-1], 50000),
        "a short table": lambda: os.truncate(hurt.files("db/*.ldb")[-1], 5000),
        "no manifest": lambda: [os.unlink(path) for path in hurt.files("db/MANIFEST*")],
        "no database": lambda: shutil.rmtree(hurt.data + "/db"),
        "damaged hints": lambda: overwrite(hurt.files("hints/db/*.log")[-1], 0, 30),
    }
    for number, (what, damage) in enumerate(damages.items()):
        hurt = nodes[number % 3]
        identity = {member["id"] for member in hurt.members()}
        hurt.stop() if what == "a damaged log" else make_table(hurt)
        if what == "damaged hints":
            nodes[(number + 1) % 3].put("while-away")
        damage()
        hurt.start()
        assert "salvaged_at_start" in hurt.told(), (what, hurt.told())
        assert {member["id"] for member in hurt.members()} == identity, what
        until("refilling after " + what, lambda: {m["state"] for m in hurt.members()} == {"UN"})
        assert not hurt.missing(), what
    for node in nodes:
        node.stop()


def test_table_cut_short_under_a_running_node():
    """LevelDB has its tables mapped: a page that is gone ends the process. The others go on."""
    nodes = make_three("cut")
    hurt = nodes[0]
    make_table(hurt)
    hurt.start()
    until("being well", lambda: {m["state"] for m in hurt.members()} == {"UN"})
    for path in hurt.files("db/*.ldb"):
        os.truncate(path, 5000)
    hurt.missing()  # which looks at what it is told, if anything
    if hurt.process.poll() is None:
        hurt.stop()
    assert hurt.process.returncode in (0, -signal.SIGBUS), hurt.process.returncode
    assert not nodes[1].missing() and not nodes[2].missing()
    hurt.start()
    assert "salvaged_at_start" in hurt.told(), hurt.told()
    until("refilling", lambda: {m["state"] for m in hurt.members()} == {"UN"})
    nodes[1].stop()
    assert not hurt.missing()
    for node in (hurt, nodes[2]):
        node.stop()


def main():
    try:
        for name, test in list(globals().items()):
            if name.startswith("test_"):
                print(name, flush=True)
                test()
    finally:
        for process in running:
            if process.poll() is None:
                process.kill()
                process.wait()
        shutil.rmtree(work)


main()
