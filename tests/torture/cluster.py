"""cluster.py - five nodes and three mounts, each in a network namespace of its own.

All namespaces hang on a bridge in one more, so that nothing of it is seen from the host. A cut
is a set of source addresses that a namespace drops, which has a direction. Every process is a
child of ours; its id is kept in a file, so that run.sh can end what a killed script left.
"""

import glob
import json
import os
import shutil
import signal
import subprocess
import time

PORT = 7450
NODES = 5
START_S = 30
NOISE_SIZE = 4096


class Failed(Exception):
    """The test cannot go on."""


def run(*command, timeout=60, **options):
    return subprocess.run(command, check=True, capture_output=True, text=True, timeout=timeout,
                          stdin=options.pop("stdin", subprocess.DEVNULL), **options)


def wait_until(seconds, condition):
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > end:
            return False
        time.sleep(0.1)
    return True


class Network:
    """Namespaces PREFIX1 ... on a bridge in PREFIXhub; `prefix` is unique and short."""

    def __init__(self, prefix):
        self.prefix = prefix
        self.addresses = {}
        self.cuts = {}
        self.add("hub")
        self.ip("hub", "link", "add", "bridge", "type", "bridge")
        self.ip("hub", "addr", "add", "10.77.0.100/24", "dev", "bridge")
        self.ip("hub", "link", "set", "bridge", "up")

    def name(self, member):
        return self.prefix + member

    def ip(self, member, *arguments):
        run("ip", "-n", self.name(member), *arguments)

    def inside(self, member):
        """What to put before a command that is to run there. Not `ip netns exec`: that gives it
        a view of the mounts of its own."""
        return ["nsenter", f"--net=/run/netns/{self.name(member)}"]

    def add(self, member):
        run("ip", "netns", "add", self.name(member))
        self.ip(member, "link", "set", "lo", "up")

    def join(self, member, address):
        self.add(member)
        run("ip", "-n", self.name("hub"), "link", "add", f"to-{member}", "type", "veth", "peer",
            "name", "eth0", "netns", self.name(member))
        self.ip("hub", "link", "set", f"to-{member}", "master", "bridge", "up")
        self.ip(member, "addr", "add", f"{address}/24", "dev", "eth0")
        self.ip(member, "link", "set", "eth0", "up")
        self.nft(member, "add table inet torture\n"
                         "add set inet torture cut { type ipv4_addr; }\n"
                         "add chain inet torture input { type filter hook input priority 0; }\n"
                         "add rule inet torture input ip saddr @cut drop\n")
        self.addresses[member] = address
        self.cuts[member] = frozenset()

    def nft(self, member, script):
        run(*self.inside(member), "nft", "-f", "-", stdin=None, input=script)

    def cut(self, pairs):
        """From now on exactly these (from, to) are cut."""
        for member, before in self.cuts.items():
            now = frozenset(self.addresses[source] for source, to in pairs if to == member)
            if now == before:
                continue
            script = "flush set inet torture cut\n"
            if now:
                script += f"add element inet torture cut {{ {', '.join(sorted(now))} }}\n"
            self.nft(member, script)
            self.cuts[member] = now


class Program:
    """A child process that may be killed and started again. It must not end by itself."""

    def __init__(self, network, name, directory):
        self.network = network
        self.name = name
        self.log = os.path.join(directory, "logs", name)
        self.pid_file = os.path.join(directory, "pids", name)
        self.child = None
        self.paused = False

    def spawn(self, *command):
        with open(self.log, "ab") as log:
            self.child = subprocess.Popen(
                [*self.network.inside(self.name), *command], stdin=subprocess.DEVNULL, stdout=log,
                stderr=log, start_new_session=True)
        with open(self.pid_file, "w", encoding="ascii") as file:
            file.write(str(self.child.pid))

    def runs(self):
        return self.child is not None and self.child.poll() is None

    def kill(self, number=signal.SIGKILL):
        if self.child is None:
            return None
        if self.child.poll() is None:
            self.child.send_signal(number)
        try:
            result = self.child.wait(30)
        except subprocess.TimeoutExpired:
            raise Failed(f"{self.name} does not end on {signal.Signals(number).name}") from None
        self.child = None
        self.paused = False
        os.unlink(self.pid_file)
        return result

    def pause(self):
        self.child.send_signal(signal.SIGSTOP)
        self.paused = True

    def go_on(self):
        if self.child is not None:
            self.child.send_signal(signal.SIGCONT)
        self.paused = False

    def ended_by_itself(self):
        return self.child is not None and self.child.poll() is not None


class Node(Program):
    def __init__(self, network, name, directory, build, addresses):
        super().__init__(network, name, directory)
        self.data = os.path.join(directory, name)
        self.program = os.path.join(build, "node", "dynamod")
        self.address = f"{network.addresses[name]}:{PORT}"
        self.others = ",".join(a for a in addresses if a != self.address)
        self.damaged = False  # so that it may refuse its disk

    def start(self):
        if self.runs():
            return  # after another fault of the same time
        self.spawn(self.program, "--data", self.data, "--listen", self.address, "--join",
                   self.others, "--insecure")

    def lose_disk(self):
        """Only of one that is not running."""
        assert self.child is None
        shutil.rmtree(self.data)
        self.damaged = False


    def damage_disk(self, random):
        """Noise over a block of one of its tables. Only of one that is not running; false if it
        has no table yet."""
        assert self.child is None
        tables = sorted(glob.glob(os.path.join(self.data, "db", "*.ldb")))
        if not tables:
            return False
        table = random.choice(tables)
        with open(table, "r+b") as file:
            size = os.fstat(file.fileno()).st_size
            file.seek(random.randrange(max(1, size - NOISE_SIZE)))
            file.write(random.randbytes(min(NOISE_SIZE, size)))
        self.damaged = True
        return True


class Mount(Program):
    def __init__(self, network, name, directory, build, addresses, options):
        super().__init__(network, name, directory)
        self.options = options
        self.point = os.path.join(directory, name)
        self.program = os.path.join(build, "fs", "dynamofs")
        self.cluster = ",".join(addresses)
        self.was_mounted = False
        os.mkdir(self.point)

    def start(self):
        self.was_mounted = False
        self.spawn(self.program, "-f", "--cluster", self.cluster, "-o", self.options, self.point)

    def is_mounted(self):
        with open("/proc/mounts", encoding="utf-8", errors="replace") as mounts:
            return any(line.split()[1:3] == [self.point, "fuse.dynamofs"] for line in mounts)

    def mounted(self):
        self.was_mounted = self.was_mounted or self.runs() and self.is_mounted()
        return self.was_mounted

    def answers(self):
        """In another process: one that waits for a mount cannot be interrupted."""
        if not self.mounted():
            return False
        stat = subprocess.Popen(["stat", self.point], stdout=subprocess.DEVNULL,
                                stderr=subprocess.DEVNULL, start_new_session=True)
        try:
            return stat.wait(30) == 0
        except subprocess.TimeoutExpired:
            return False

    def crash(self):
        self.kill()
        self.forget()

    def forget(self):
        """Takes a mount point whose process is gone out of the tree."""
        if self.is_mounted():
            run("fusermount3", "-u", "-z", self.point)


class Cluster:
    def __init__(self, prefix, directory, build, mount_options):
        self.build = build
        self.directory = directory
        for name in ("logs", "pids"):
            os.makedirs(os.path.join(directory, name), exist_ok=True)
        self.network = Network(prefix)
        nodes = [f"n{i + 1}" for i in range(NODES)]
        mounts = [f"m{i + 1}" for i in range(len(mount_options))]
        for i, name in enumerate(nodes):
            self.network.join(name, f"10.77.0.{i + 1}")
        for i, name in enumerate(mounts):
            self.network.join(name, f"10.77.0.{i + 11}")
        self.addresses = [f"{self.network.addresses[name]}:{PORT}" for name in nodes]
        self.nodes = [Node(self.network, n, directory, build, self.addresses) for n in nodes]
        self.mounts = [Mount(self.network, name, directory, build, self.addresses, options)
                       for name, options in zip(mounts, mount_options)]

    def start(self):
        for node in self.nodes:
            node.start()
        if not wait_until(START_S, lambda: all(self.answers(node) for node in self.nodes)):
            raise Failed("the cluster does not form")
        for mount in self.mounts:
            mount.start()
        if not wait_until(START_S, lambda: all(mount.answers() for mount in self.mounts)):
            raise Failed("the mounts do not answer")

    def ctl(self, *arguments, address=None, timeout=30):
        """dynamoctl, run in the hub; (exit status, standard output, standard error)."""
        command = [*self.network.inside("hub"), os.path.join(self.build, "node", "dynamoctl"),
                   "--cluster", address or ",".join(self.addresses), *arguments]
        try:
            done = subprocess.run(command, capture_output=True, text=True, timeout=timeout,
                                  check=False, stdin=subprocess.DEVNULL)
        except subprocess.TimeoutExpired:
            return 124, "", f"no answer in {timeout} s"
        return done.returncode, done.stdout, done.stderr

    def answers(self, node):
        return self.ctl("ring", address=node.address)[0] == 0

    def json(self, *arguments, **options):
        """What dynamoctl says, None if it cannot tell."""
        status, said, _ = self.ctl("--json", *arguments, **options)
        if status != 0:
            return None
        try:
            return json.loads(said)
        except ValueError:
            return None

    def programs(self):
        return [*self.nodes, *self.mounts]

    def stop(self):
        """In order: each must end well by itself."""
        for mount in self.mounts:
            if mount.runs():
                run("fusermount3", "-u", mount.point)
                mount.child.wait(30)
                if mount.child.returncode != 0:
                    raise Failed(f"{mount.name} ended with {mount.child.returncode}")
                mount.kill()
        for node in self.nodes:
            if node.runs() and node.kill(signal.SIGTERM) != 0:
                raise Failed(f"{node.name} did not end well on SIGTERM")
