#!/usr/bin/env python3
"""text.py - comments and documents are laid out for the reader.

usage: text.py [ROOT]

No line of C or of Markdown is longer than 100 columns (tables and code blocks of Markdown may be).
In a comment, what goes on under a label ("Threads:  ...", " 3. ...") is indented as it is. A
comment that stands behind code does not end on a line of its own.
"""

import os
import re
import sys

WIDTH = 100
LABEL = re.compile(r"^ \*( +)(?:[A-Z][a-z]+:  +|\d+\. +)")
DANGLING = re.compile(r"^[^\n/*]*\S[^\n/*]*/\*[^\n]*\n\s+\*/$", re.M)


def files_under(root, suffixes):
    for top in ("ring", "node", "fs", "tests", "examples", "docs", "."):
        for parent, directories, names in os.walk(os.path.join(root, top)):
            if top == ".":
                directories.clear()
            directories.sort()
            for name in sorted(names):
                if name.endswith(suffixes):
                    yield os.path.join(parent, name)


def is_laid_out(line):
    """Lines of Markdown that cannot be broken."""
    words = line.split()
    return line.startswith(("|", "    ", "#")) or len(words) < 2 or len(max(words, key=len)) > 80


def breaches_of_markdown(text):
    is_code = False
    for number, line in enumerate(text.splitlines(), 1):
        if line.lstrip().startswith("```"):
            is_code = not is_code
        elif len(line) > WIDTH and not is_code and not is_laid_out(line):
            yield number, f"longer than {WIDTH} columns"


def breaches_of_c(text):
    column = 0
    for number, line in enumerate(text.splitlines(), 1):
        if len(line) > WIDTH:
            yield number, f"longer than {WIDTH} columns"
        label = LABEL.match(line)
        if label:
            column = label.end()
        elif not line.startswith(" * ") or re.match(r"^ \*( {2,}\S.*)?$", line) and column == 0:
            column = 0
        elif column > 0 and line[:column].strip(" *") != "":
            yield number, "goes on under a label, and is not indented as its text is"
            column = 0
    for found in DANGLING.finditer(text):
        yield text.count("\n", 0, found.start()) + 1, "the comment ends on a line of its own"


def main():
    here = os.path.dirname(os.path.abspath(__file__))
    root = os.path.abspath(sys.argv[1] if len(sys.argv) > 1 else os.path.join(here, "..", ".."))
    count = 0
    for path in files_under(root, (".c", ".h", ".md")):
        with open(path, encoding="utf-8") as file:
            text = file.read()
        check = breaches_of_markdown if path.endswith(".md") else breaches_of_c
        for number, what in check(text):
            print(f"{os.path.relpath(path, root)}:{number}: {what}")
            count += 1
    sys.exit(1 if count else 0)


if __name__ == "__main__":
    main()
