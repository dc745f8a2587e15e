#!/usr/bin/env python3
"""cart.py - a shopping cart in a file that survives concurrent shoppers.

usage: cart.py FILE add ITEM
       cart.py FILE remove ITEM
       cart.py FILE show

The example of the Dynamo paper (section 4.4), with nothing but ordinary file calls: adding to a
cart must always work, so carts that diverged are merged when they are next written, and a merge
keeps whatever was added to either. As in the paper, an item that was removed can come back.
It runs on any file system; on dynamofs it also asks an open file how many versions it stands for.

FILE holds a line for each thing in the cart: an id that was drawn when it was added, and its
name. The ids make the union of two carts right, and repeating an add that may or may not have
happened harmless.
"""

import contextlib
import errno
import fcntl
import os
import random
import re
import secrets
import sys
import time

GIVE_UP_S = 60
# What may go away by itself: no quorum, a deadline, a busy node, a sibling that somebody merged
# while we read.
PASSING = {
    errno.EIO,
    errno.ETIMEDOUT,
    errno.EBUSY,
    errno.EAGAIN,
    errno.ENOENT,
    errno.ESTALE,
    errno.EHOSTUNREACH,
}


@contextlib.contextmanager
def opened(path, flags):
    """A file descriptor; an error of close is an error of ours: that is when a put is told."""
    descriptor = os.open(path, flags, 0o644)
    try:
        yield descriptor
    except BaseException:
        with contextlib.suppress(OSError):
            os.close(descriptor)
        raise
    os.close(descriptor)


@contextlib.contextmanager
def only_shopper_here(path):
    """Two processes on one mount see one file, as on any file system, so they take turns. Those
    on other mounts need no lock: their writes become siblings."""
    with opened(os.path.dirname(path) or ".", os.O_RDONLY | os.O_DIRECTORY) as directory:
        fcntl.flock(directory, fcntl.LOCK_EX)
        yield


def read_lines(descriptor):
    os.lseek(descriptor, 0, os.SEEK_SET)
    content = b""
    while piece := os.read(descriptor, 1 << 16):
        content += piece
    return set(content.decode().splitlines())


def siblings_of(path):
    """FILE~v1, FILE~v2, ... while there is a conflict."""
    directory, name = os.path.split(path)
    sibling = re.compile(re.escape(name) + r"~v[0-9]+")
    names = os.listdir(directory or ".")
    return [os.path.join(directory, n) for n in names if sibling.fullmatch(n)]


def superseded_by(descriptor):
    """How many versions a write to the open file will supersede. Read quorums overlap, but are not
    the same: an open may have met a version that a listing does not show for a moment yet."""
    try:
        return int(os.getxattr(descriptor, "user.dynamofs.siblings"))
    except OSError as error:
        if error.errno in (errno.ENODATA, errno.ENOTSUP):
            return 1  # not on dynamofs
        raise


def write_lines(descriptor, lines):
    content = "".join(line + "\n" for line in sorted(lines)).encode()
    os.ftruncate(descriptor, 0)
    os.lseek(descriptor, 0, os.SEEK_SET)
    while content:
        content = content[os.write(descriptor, content) :]


def update(path, change):
    """Applies `change` to the merged cart. The order matters: what a write supersedes is what the
    mount knew when FILE was opened, so everything is read after that, and nothing that was not
    read is superseded. A version that arrives meanwhile stays, as a sibling."""
    with only_shopper_here(path), opened(path, os.O_RDWR | os.O_CREAT) as cart:
        before = read_lines(cart)
        lines = set(before)
        siblings = siblings_of(path)
        for sibling in siblings:
            with opened(sibling, os.O_RDONLY) as version:
                lines |= read_lines(version)
        if superseded_by(cart) > max(1, len(siblings)):
            raise OSError(errno.EAGAIN, "a version is not shown yet", path)
        after = change(lines)
        if siblings or after != before:
            write_lines(cart, after)


def read_cart(path):
    lines = set()
    with only_shopper_here(path):
        for version in [path, *siblings_of(path)]:
            with opened(version, os.O_RDONLY) as descriptor:
                lines |= read_lines(descriptor)
    return lines


def until_it_works(action):
    deadline = time.monotonic() + GIVE_UP_S
    while True:
        try:
            return action()
        except OSError as error:
            if error.errno not in PASSING or time.monotonic() > deadline:
                raise
            time.sleep(random.uniform(0.01, 0.2))


def item_of(line):
    return line.partition(" ")[2]


def main():
    if len(sys.argv) not in (3, 4) or (len(sys.argv) == 3) != (sys.argv[2] == "show"):
        sys.exit(__doc__.split("\n\n")[1])
    path, verb = sys.argv[1:3]
    item = sys.argv[3] if len(sys.argv) == 4 else ""
    if "\n" in item:
        sys.exit("cart.py: an item is one line")
    if verb == "show":
        if not os.path.exists(path):
            return
        for line in sorted(until_it_works(lambda: read_cart(path)), key=item_of):
            print(item_of(line))
    elif verb == "add":
        line = f"{secrets.token_hex(8)} {item}"
        until_it_works(lambda: update(path, lambda lines: lines | {line}))
    elif verb == "remove":
        until_it_works(
            lambda: update(path, lambda lines: {l for l in lines if item_of(l) != item})
        )
    else:
        sys.exit(f"cart.py: unknown verb {verb}")


if __name__ == "__main__":
    try:
        main()
    except OSError as error:
        sys.exit(f"cart.py: {error}")
