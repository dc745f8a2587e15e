#!/usr/bin/env python3
"""worker.py - one process that works on one mount, and writes down what it was told.

usage: worker.py JSON

Every write is written down before it is tried, with the tokens that it was shown and will
supersede, and after it, with the answer. A write is acknowledged if its fsync or its close
returned success. The checker needs no more than these journals and what is there at the end.

Directories, by how exactly the checker can tell what may have been superseded:
sets/   lines under union: read all siblings, write them back with a line more
over/   values; what an overwrite supersedes has been read, and so has the one sibling of a
        write to NAME~v1
loose/  values that are written without looking, renamed over, unlinked, resolved by moving a
        sibling: whatever came before such an operation ended may have been superseded
carts/  examples/cart.py as a customer would run it
"""

import contextlib
import errno
import fcntl
import json
import os
import random
import re
import subprocess
import sys
import time

import content

# What an operation may say while links are cut and programs are killed. Anything else is wrong.
EXPECTED = {
    errno.EIO,
    errno.ETIMEDOUT,
    errno.EBUSY,
    errno.EAGAIN,
    errno.ENOENT,
    errno.ESTALE,
    errno.EHOSTUNREACH,
    errno.ENOTCONN,
    errno.ECONNABORTED,
    errno.EDQUOT,
}
MOUNT_IS_GONE = {errno.ENOTCONN, errno.ECONNABORTED}
GENERATION_S = 90  # then other files are used, and the old ones must stay as they are
SLOTS = {"sets": 3, "over": 3, "loose": 4}
LOOSE_REMOVED = 2  # loose files from this slot on are also removed
CART_TIMEOUT_S = 120


class NotShown(Exception):
    """An open file stands for versions that the listing does not show yet."""


class Worker:
    def __init__(self, options):
        self.name = options["name"]
        self.mount = options["mount"]
        self.begin = options["begin"]
        self.until = options["until"]
        self.cart = options["cart"]
        self.locks = options["locks"]
        self.stop_file = options["stop"]
        self.random = random.Random(options["seed"])
        self.sequence = 0
        # Line buffered: each record is with the kernel before the next call is made.
        self.journal = open(options["journal"], "w", buffering=1, encoding="ascii")
        self.state = os.open(options["state"], os.O_RDWR | os.O_CREAT, 0o644)
        self.tell("-", "")

    # --- the journal ---------------------------------------------------------------------------

    def log(self, **record):
        self.journal.write(json.dumps(record) + "\n")

    def tell(self, call, path):
        """What this process waits for, for whoever watches."""
        text = f"{time.monotonic():.3f} {call} {path}"
        os.pwrite(self.state, text[:199].ljust(199).encode() + b"\n", 0)

    def call(self, name, function, *arguments):
        """One system call on the mount; its errors are counted by kind."""
        self.tell(name, arguments[0] if isinstance(arguments[0], str) else "")
        try:
            return function(*arguments)
        except OSError as error:
            self.log(error=errno.errorcode.get(error.errno, str(error.errno)), call=name)
            if error.errno not in EXPECTED:
                self.breach(f"{name} failed with {errno.errorcode.get(error.errno)}")
            raise
        finally:
            self.tell("-", "")

    def breach(self, what):
        self.log(breach=what, time=time.monotonic())

    def intend(self, kind, file, **more):
        self.sequence += 1
        token = f"{self.name}.{self.sequence}"
        self.log(intent=token, kind=kind, file=file, time=time.monotonic(), **more)
        return token

    def answer(self, token, acked):
        self.log(answer=token, acked=acked, time=time.monotonic())

    # --- files ---------------------------------------------------------------------------------

    def path(self, file):
        return os.path.join(self.mount, file)

    def pick(self, directory):
        generation = int((time.monotonic() - self.begin) / GENERATION_S)
        return f"{directory}/f{self.random.randrange(SLOTS[directory])}.{generation}"

    @contextlib.contextmanager
    def alone(self, file):
        """Processes of one mount share an open file, so they take turns. The lock is beside the
        mount: it must outlive it."""
        with open(os.path.join(self.locks, file.replace("/", "_")), "w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield

    @contextlib.contextmanager
    def opened(self, file, flags):
        descriptor = self.call("open", os.open, self.path(file), flags, 0o644)
        try:
            yield descriptor
        finally:
            with contextlib.suppress(OSError):
                self.call("close", os.close, descriptor)

    def read(self, descriptor):
        pieces = []
        offset = 0
        while piece := self.call("read", os.pread, descriptor, 1 << 17, offset):
            pieces.append(piece)
            offset += len(piece)
        return b"".join(pieces)

    def attribute(self, descriptor, name):
        return self.call("getxattr", os.getxattr, descriptor, "user.dynamofs." + name)

    def siblings_of(self, file):
        directory, name = os.path.split(file)
        sibling = re.compile(re.escape(name) + r"~v[0-9]+")
        names = self.call("list", os.listdir, self.path(directory))
        return sorted(f"{directory}/{n}" for n in names if sibling.fullmatch(n))

    def versions(self, file, descriptor):
        """The contents of all versions that the open file stands for: exactly those that a write
        to it supersedes. Siblings that were opened at another clock are others."""
        clock = self.attribute(descriptor, "clock")
        count = int(self.attribute(descriptor, "siblings"))
        contents = [self.read(descriptor)]
        if count > 1:
            names = self.siblings_of(file)
            self.log(siblings=len(names))
            if len(names) < count:
                raise NotShown
            for name in names:
                with self.opened(name, os.O_RDONLY) as sibling:
                    contents.append(self.read(sibling))
                    if self.attribute(sibling, "clock") != clock:
                        raise NotShown
        if self.attribute(descriptor, "clock") != clock:
            raise NotShown
        return contents, count

    def parsed(self, file, parse, contents):
        try:
            return [parse(one) for one in contents]
        except content.Broken as broken:
            self.breach(f"{file}: {broken}")
            raise NotShown from None

    def think(self):
        """Between reading and writing: the longer, the more others write meanwhile."""
        time.sleep(self.random.choice([0.0, 0.02, 0.3]))

    def write_all(self, descriptor, data):
        """In place of what is there. False if it failed: then what close puts is cut, or empty."""
        try:
            self.call("truncate", os.ftruncate, descriptor, 0)
            written = 0
            while written < len(data):
                written += self.call("write", os.pwrite, descriptor, data[written:], written)
        except OSError as error:
            if error.errno not in MOUNT_IS_GONE:
                self.breach(f"a write to an open file failed with {error}: close will cut it")
            return False
        return True

    def finish(self, token, descriptor, written):
        """fsync, perhaps, and close. The descriptor is closed in any case."""
        acked = False
        if written and self.random.random() < 0.3:
            with contextlib.suppress(OSError):
                self.call("fsync", os.fsync, descriptor)
                acked = True
        with contextlib.suppress(OSError):
            self.call("close", os.close, descriptor)
            acked = acked or written
        self.answer(token, acked)
        return acked

    # --- the work ------------------------------------------------------------------------------

    def change_set(self):
        file = self.pick("sets")
        with self.alone(file):
            flags = os.O_RDWR | os.O_CREAT
            descriptor = self.call("open", os.open, self.path(file), flags, 0o644)
            try:
                contents, count = self.versions(file, descriptor)
                lines = set().union(*self.parsed(file, content.set_of, contents))
            except (OSError, NotShown):
                self.close(descriptor)
                raise
            live = sorted(line[1:] for line in lines if line[0] == "+")
            removed = self.random.sample(live, min(len(live), self.random.choice([0, 0, 0, 2])))
            token = self.intend("set", file, removed=removed)
            self.think()
            data = content.bytes_of_set(content.lines_after(lines, [token], removed))
            written = self.write_all(descriptor, data)
            if self.finish(token, descriptor, written) and count > 1:
                self.log(resolved=count)

    def close(self, descriptor):
        with contextlib.suppress(OSError):
            self.call("close", os.close, descriptor)

    def overwrite(self):
        """A write to NAME, or to one of its siblings, that knows what it supersedes."""
        file = self.pick("over")
        with self.alone(file):
            name = file
            flags = os.O_RDWR | os.O_CREAT
            if self.random.random() < 0.3:
                siblings = self.siblings_of(file)
                if siblings:
                    name, flags = self.random.choice(siblings), os.O_RDWR
            descriptor = self.call("open", os.open, self.path(name), flags, 0o644)
            try:
                if name == file:
                    contents, count = self.versions(file, descriptor)
                else:
                    contents, count = [self.read(descriptor)], 1
                seen = {*self.parsed(file, content.token_of, contents)} - {None}
            except (OSError, NotShown):
                self.close(descriptor)
                raise
            kind = "over" if name == file else "sibling"
            token = self.intend(kind, file, seen=sorted(seen))
            self.think()
            written = self.write_all(descriptor, content.value_of(token, self.size()))
            if self.finish(token, descriptor, written) and count > 1:
                self.log(resolved=count)

    def size(self):
        return self.random.choice([10, 100, 100, 1000, 8000, self.random.randrange(60000)])

    def write_blindly(self):
        file = self.pick("loose")
        with self.alone(file):
            flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC
            token = self.intend("blind", file)
            try:
                descriptor = self.call("open", os.open, self.path(file), flags, 0o644)
            except OSError:
                self.answer(token, False)
                raise
            written = self.write_all(descriptor, content.value_of(token, self.size()))
            self.finish(token, descriptor, written)

    def rename_over(self):
        file = self.pick("loose")
        with self.alone(file):
            source = f"loose/new.{self.name}.{self.sequence}"
            token = self.intend("blind", source)
            flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL
            try:
                descriptor = self.call("open", os.open, self.path(source), flags, 0o644)
            except OSError:
                self.answer(token, False)
                raise
            written = self.write_all(descriptor, content.value_of(token, self.size()))
            if not self.finish(token, descriptor, written):
                return
            moved = self.intend("rename", file, source=source, moves=token)
            acked = False
            try:
                self.call("rename", os.rename, self.path(source), self.path(file))
                acked = True
            finally:
                self.answer(moved, acked)

    def remove(self):
        """unlink, or a conflict that is settled by unlinking or moving a sibling."""
        slot = self.random.randrange(LOOSE_REMOVED, SLOTS["loose"])
        generation = int((time.monotonic() - self.begin) / GENERATION_S)
        file = f"loose/f{slot}.{generation}"
        with self.alone(file):
            siblings = self.siblings_of(file)
            how = self.random.choice(["unlink", "move"]) if siblings else "unlink"
            name = self.random.choice([*siblings, file])
            token = self.intend("remove", file)
            acked = False
            try:
                if how == "unlink" or name == file:
                    self.call("unlink", os.unlink, self.path(name))
                else:
                    self.call("rename", os.rename, self.path(name), self.path(file))
                acked = True
            finally:
                self.answer(token, acked)

    def look(self):
        """Lists a directory and reads what it shows of one file."""
        directory = self.random.choice(list(SLOTS))
        names = self.call("list", os.listdir, self.path(directory))
        if not names:
            return
        name = self.random.choice(names)
        file = f"{directory}/{name}"
        with self.alone(f"{directory}/{name.partition('~')[0]}"):
            with self.opened(file, os.O_RDONLY) as descriptor:
                self.call("stat", os.fstat, descriptor)
                parse = content.set_of if directory == "sets" else content.token_of
                self.parsed(file, parse, [self.read(descriptor)])

    def shop(self):
        generation = int((time.monotonic() - self.begin) / GENERATION_S)
        file = f"carts/c{generation}"
        token = self.intend("add", file)
        if self.run_cart(file, "add", token):
            self.answer(token, True)
            if self.random.random() < 0.25:
                removal = self.intend("take", file, item=token)
                self.answer(removal, self.run_cart(file, "remove", token))
        else:
            self.answer(token, False)

    def run_cart(self, file, verb, item):
        self.tell("cart", file)
        command = [sys.executable, self.cart, self.path(file), verb, item]
        # Not subprocess.run: one that hangs on the mount cannot be killed, only told of.
        with open(os.devnull, "r+") as nothing:
            shopper = subprocess.Popen(command, stdin=nothing, stdout=nothing,
                                       stderr=subprocess.PIPE, text=True)
        try:
            _, said = shopper.communicate(timeout=CART_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            self.breach(f"cart.py has not ended after {CART_TIMEOUT_S} s")
            raise NotShown from None
        finally:
            self.tell("-", "")
        if shopper.returncode != 0:
            self.log(error="cart", call="cart", said=said.strip()[-200:])
        return shopper.returncode == 0

    def run(self, shops):
        work = [(self.shop, 1)] if shops else [
            (self.change_set, 9),
            (self.overwrite, 6),
            (self.write_blindly, 2),
            (self.rename_over, 1),
            (self.remove, 1),
            (self.look, 4),
        ]
        functions = [function for function, _ in work]
        weights = [weight for _, weight in work]
        while time.monotonic() < self.until and not os.path.exists(self.stop_file):
            function = self.random.choices(functions, weights)[0]
            done = "done"
            try:
                function()
            except OSError as error:
                done = "failed"
                if error.errno in (errno.ENOTCONN, errno.ENOENT):
                    time.sleep(0.2)
            except NotShown:
                done = "put off"
            self.log(operation=function.__name__, done=done, time=time.monotonic())
            time.sleep(self.random.uniform(0.0, 1.5 if shops else 0.3))
        self.log(end=True)


def main():
    options = json.loads(sys.argv[1])
    Worker(options).run(options["shops"])


if __name__ == "__main__":
    main()
