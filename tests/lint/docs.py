#!/usr/bin/env python3
"""docs.py - the documents: links lead somewhere, man pages are well formed.

usage: docs.py [ROOT]
"""

import os
import re
import shutil
import subprocess
import sys

LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")


def files_under(root, suffixes):
    for parent, directories, names in os.walk(root):
        directories[:] = [d for d in directories if not d.startswith((".git", "build"))]
        for name in sorted(names):
            if name.endswith(suffixes):
                yield os.path.join(parent, name)


def broken_links(root):
    for path in files_under(root, (".md",)):
        with open(path, encoding="utf-8") as file:
            text = re.sub(r"```.*?```", "", file.read(), flags=re.S)
        for target in LINK.findall(text):
            target = target.split("#")[0]
            if target == "" or "://" in target or target.startswith("mailto:"):
                continue
            if not os.path.exists(os.path.join(os.path.dirname(path), target)):
                yield f"{os.path.relpath(path, root)}: broken link to {target}"


def man_warnings(root):
    if shutil.which("man") is None:
        sys.exit("docs.py: man is missing (apt-get install man-db groff-base)")
    for path in files_under(os.path.join(root, "docs", "man"), (".1", ".5", ".7", ".8")):
        done = subprocess.run(
            ["man", "--warnings", "-E", "UTF-8", "-l", "-Tutf8", "-Z", os.path.abspath(path)],
            capture_output=True,
            text=True,
            env={**os.environ, "LC_ALL": "C.UTF-8", "MANROFFSEQ": "", "MANWIDTH": "80"},
            check=False,
        )
        if done.returncode != 0 or done.stderr.strip():
            yield f"{os.path.relpath(path, root)}: {done.stderr.strip() or 'man failed'}"


def main():
    here = os.path.dirname(os.path.abspath(__file__))
    root = os.path.abspath(sys.argv[1] if len(sys.argv) > 1 else os.path.join(here, "..", ".."))
    breaches = [*broken_links(root), *man_warnings(root)]
    for breach in breaches:
        print(breach)
    sys.exit(1 if breaches else 0)


if __name__ == "__main__":
    main()
