#!/usr/bin/env python3
"""replace.py - a name that always exists can always be opened.

usage: replace.py WRITE_DIRECTORY READ_DIRECTORY READERS ROUNDS

Replaces `name` in WRITE_DIRECTORY by rename, ROUNDS times, while READERS processes open it in
READ_DIRECTORY, which may be another mount. Each content is whole, and no reader sees an older round
than it has seen before. Exits with 1 and says so if an open, an fstat or a read failed. There is
no limit of time: it ends with its rounds, after each reader has read the last one.
"""

import os
import sys


def read_rounds(directory, rounds):
    path = os.path.join(directory, "name")
    last = 0
    while last < rounds:
        descriptor = os.open(path, os.O_RDONLY)
        os.fstat(descriptor)
        text = os.read(descriptor, 4096).decode()
        os.close(descriptor)
        number = int(text.split()[0])
        if text != content(number) or number < last:
            raise ValueError(f"after round {last}: {text!r}")
        last = number


def content(number):
    return f"{number} " * (1 + number % 50)


def write_round(directory, number):
    new = os.path.join(directory, "name.new")
    with open(new, "w") as file:
        file.write(content(number))
    os.rename(new, os.path.join(directory, "name"))


def start_reader(directory, rounds):
    child = os.fork()
    if child == 0:
        try:
            read_rounds(directory, rounds)
        except (OSError, ValueError) as error:
            print(f"reader: {error}", flush=True)
            os._exit(1)
        os._exit(0)
    return child


def main():
    written, read, readers, rounds = *sys.argv[1:3], int(sys.argv[3]), int(sys.argv[4])
    write_round(written, 0)
    children = [start_reader(read, rounds) for _ in range(readers)]
    for number in range(1, rounds + 1):
        write_round(written, number)
    results = [os.waitpid(child, 0)[1] for child in children]
    return any(results)


if __name__ == "__main__":
    sys.exit(main())
