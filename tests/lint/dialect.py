#!/usr/bin/env python3
"""dialect.py - the C of the project is written one way where C allows several.

usage: dialect.py [ROOT]

- A pointer is tested as `if (pointer)` and `if (!pointer)`. `!= NULL` makes a truth value where one
  is compared or or-ed: `(a != NULL) == is_there`.
- sizeof of an expression has no parentheses: `sizeof *object`, `sizeof text`.
- Includes: the file's own header, the system's, the project's in the order of their names; cmocka
  after the headers that it needs.
"""

import os
import re
import sys

TYPE = re.compile(r"^(?:struct|enum|union|const|unsigned|int|char|bool|float|double|void|long)\b|\w+_t\b")
FOREIGN_TYPES = ("node_id", "msgpack_object")
SIZEOF = re.compile(r"\bsizeof\((\*{0,2}[A-Za-z_]\w*(?:(?:->|\.)\w+|\[\w+\])*)\)")
INCLUDE = re.compile(r'^#include (["<])([^">]+)[">]$', re.M)


def blank(text):
    """The text without comments and literals, of the same length."""
    token = re.compile(r'/\*.*?\*/|"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])*\'', re.S)
    return token.sub(lambda match: re.sub(r"[^\n]", " ", match[0]), text)


def is_truth_value(code, match):
    before = code[: match.start()]
    before = before[before.rfind("\n", 0, max(0, len(before) - 200)) + 1 :]
    after = code[match.end() : match.end() + 5]
    return bool(
        re.search(r"\|=\s[^;]*$|[!=]= \([^()]*$|assert_\w+\([^;]*$", before)
        or re.match(r"\)\s[!=]=", after)
    )


def breaches(path, text):
    code = blank(text)
    for match in re.finditer(r"[!=]=\s*NULL\b", code):
        if code[match.start()] == "=" or not is_truth_value(code, match):
            yield match.start(), "compares with NULL: write the pointer, or its negation"
    for match in SIZEOF.finditer(code):
        if not TYPE.search(match[1]) and match[1] not in FOREIGN_TYPES:
            yield match.start(), f"sizeof {match[1]} needs no parentheses"
    names = [(match[1], match[2], match.start()) for match in INCLUDE.finditer(text)]
    project = [name for kind, name, _ in names if kind == '"']
    own = os.path.splitext(path)[0] + ".h"
    if path.endswith(".c") and own in project and names[0][1] != own:
        yield names[0][2], "the file's own header comes first"
    rest = [entry for entry in names if entry[1] != own]
    kinds = "".join("p" if kind == '"' else "s" for kind, _, _ in rest)
    if path.endswith(".c") and re.search("ps", kinds[1:] if own not in project else kinds):
        yield names[0][2], "the system's headers come before the project's"
    sorted_part = [name for name in project if name != own]
    first = 1 if own not in project and kinds.startswith("p") and "s" in kinds else 0
    if path.endswith(".c") and sorted_part[first:] != sorted(sorted_part[first:]):
        yield names[0][2], "the project's headers are not in the order of their names"


def main():
    here = os.path.dirname(os.path.abspath(__file__))
    root = os.path.abspath(sys.argv[1] if len(sys.argv) > 1 else os.path.join(here, "..", ".."))
    count = 0
    for top in ("ring", "node", "fs", "tests", "examples"):
        for parent, directories, names in os.walk(os.path.join(root, top)):
            directories.sort()
            for name in sorted(names):
                path = os.path.relpath(os.path.join(parent, name), root)
                if not name.endswith((".c", ".h")):
                    continue
                with open(os.path.join(root, path), encoding="utf-8") as file:
                    text = file.read()
                for offset, what in breaches(path, text):
                    line = text.count("\n", 0, offset) + 1
                    print(f"{path}:{line}: {what}")
                    count += 1
    sys.exit(1 if count else 0)


if __name__ == "__main__":
    main()
