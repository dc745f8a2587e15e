#!/usr/bin/env python3
"""writers.py - writes files and keeps a record of every close that succeeded.

usage: writers.py write DIRECTORY RECORD NAME STOP DEADLINE
       writers.py check DIRECTORY RECORD...

write: rewrites its own five files and creates new ones, until the file STOP is there or the mount
is gone. After a close that returned success, appends "FILE ROUND" to RECORD and syncs it; what an
error leaves open it records as "FILE ?ROUND". Exits with 1 if an operation took longer than DEADLINE
seconds: a hang, for a busy machine may need many times what a quiet one does.
check: each file holds the last acknowledged round, or one after it whose outcome was open.
"""

import errno
import os
import sys
import time

EXPECTED = (errno.EIO, errno.ETIMEDOUT, errno.EBUSY, errno.ENOTCONN, errno.ECONNABORTED)


def content(name, number):
    line = f"{name} {number}\n".encode()
    return line * (1 + number * 37 % 400)


def write(directory, record, name, stop, deadline):
    number = 0
    acknowledged = failed = 0
    slowest = 0.0
    with open(record, "a") as log:
        while not os.path.exists(stop):
            number += 1
            file = f"{name}-{number % 5}" if number % 25 else f"{name}-new-{number}"
            begin = time.monotonic()
            try:
                descriptor = os.open(
                    os.path.join(directory, file), os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o644
                )
                try:
                    os.write(descriptor, content(name, number))
                finally:
                    os.close(descriptor)
                log.write(f"{file} {number}\n")
                acknowledged += 1
            except OSError as error:
                if error.errno not in EXPECTED:
                    print(f"{file}: unexpected error: {error}")
                    return 1
                log.write(f"{file} ?{number}\n")
                failed += 1
                if error.errno in (errno.ENOTCONN, errno.ECONNABORTED):
                    break
            log.flush()
            os.fsync(log.fileno())
            took = time.monotonic() - begin
            slowest = max(slowest, took)
            if took > deadline:
                print(f"{file}: took {took:.1f} s")
                return 1
    print(f"{name}: {acknowledged} closed, {failed} failed, slowest {slowest:.2f} s")
    return 0 if acknowledged else 1


def read_record(path):
    """The last acknowledged round of each file, and the open ones after it."""
    files = {}
    with open(path) as record:
        for line in record:
            file, number = line.split()
            known = files.setdefault(file, [None, set()])
            if number.startswith("?"):
                known[1].add(int(number[1:]))
            else:
                files[file] = [int(number), set()]
    return files


def versions(directory, siblings, file):
    """The content of a file, or of all its siblings if there is a conflict."""
    found = []
    for name in siblings.get(file, [file]):
        with open(os.path.join(directory, name), "rb") as opened:
            found.append(opened.read())
    return found


def check(directory, records):
    lost = checked = 0
    siblings = {}
    for name in os.listdir(directory):
        file, mark, _ = name.partition("~v")
        if mark:
            siblings.setdefault(file, []).append(name)
    for record in records:
        for file, (number, undecided) in read_record(record).items():
            if number is None:
                continue
            checked += 1
            name = file.split("-")[0]
            allowed = {content(name, n) for n in undecided | {number}}
            try:
                found = versions(directory, siblings, file)
            except OSError as error:
                print(f"{file}: round {number} was acknowledged, but {error}")
                lost += 1
                continue
            if not any(one in allowed for one in found):
                lost += 1
                heads = [one[:30] for one in found]
                print(f"{file}: round {number} was acknowledged, but it holds {heads}")
    print(f"{checked} files checked, {lost} lost")
    return 1 if lost or not checked else 0


def main(arguments):
    if len(arguments) == 6 and arguments[0] == "write":
        _, directory, record, name, stop, deadline = arguments
        return write(directory, record, name, stop, float(deadline))
    if len(arguments) >= 3 and arguments[0] == "check":
        return check(arguments[1], arguments[2:])
    print(__doc__, file=sys.stderr)
    return 2


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
