#!/usr/bin/env python3
"""docs.py - the documents: links lead somewhere, what comments cite is there, man pages are well
formed, and every source file has its place in a map.

A comment cites a page as docs/PAGE.md, and a heading of it as docs/PAGE.md, HEADING; of the design's
rules as docs/design.md, rule 2; a decision as decision 16.

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


def headings_of(path):
    with open(path, encoding="utf-8") as file:
        return [line.lstrip("#").strip() for line in file if line.startswith("#")]


def broken_citations(root):
    """What comments cite of docs/ and is not there."""
    decisions = {name[:4] for name in os.listdir(os.path.join(root, "docs", "decisions"))}
    for path in files_under(root, (".c", ".h", ".sh", ".py")):
        if os.path.samefile(path, __file__):
            continue
        with open(path, encoding="utf-8") as file:
            text = re.sub(r"\n[ \t]*(?:\*|#)?[ \t]*", " ", file.read())
        name = os.path.relpath(path, root)
        if re.search(r"(?<!docs/)\bdesign\.md", text):
            yield f"{name}: cites design.md without its folder"
        for number in re.findall(r"\b[Dd]ecisions? (\d+)", text):
            if f"{int(number):04}" not in decisions:
                yield f"{name}: cites decision {number}, which does not exist"
        for page, rest in re.findall(r"\b(docs/[\w/-]+\.md)\b(.{0,80})", text):
            if not os.path.exists(os.path.join(root, page)):
                yield f"{name}: cites {page}, which does not exist"
                continue
            cited = re.match(r", (?:rules? (\d)|([A-Z].*))", rest)
            if cited is None:
                continue
            wanted = f"Rule {cited[1]}:" if cited[1] else cited[2]
            headings = headings_of(os.path.join(root, page))
            if not any(h.startswith(wanted) if cited[1] else wanted.startswith(h) for h in headings):
                yield f"{name}: cites {page}, {wanted[:40]}, which is no heading of it"


def missing_from_maps(root):
    """Each source file is named once in the maps of docs/architecture.md."""
    with open(os.path.join(root, "docs", "architecture.md"), encoding="utf-8") as file:
        maps = file.read().partition("\n## A map of ")[2].partition("\n## State")[0]
    named = {}
    folder = ""
    for line in maps.splitlines():
        heading = re.match(r"\| `((?:ring|node|fs)/(?:\w+/)*)` \|", line)
        folder = heading[1] if heading else folder
        cells = line.split(" | ")
        names = cells[1 if heading else 0] if line.startswith("| ") and len(cells) > 1 else ""
        for name in re.findall(r"`([^`]+)`", names):
            if name.startswith("node/"):
                folder, name = os.path.dirname(name) + "/", os.path.basename(name)
            for stem in [name] if "." in name else [name + ".c", name + ".h"]:
                named[folder + stem] = named.get(folder + stem, 0) + 1
    for top in ("ring", "node", "fs"):
        for path in files_under(os.path.join(root, top), (".c", ".h")):
            name = os.path.relpath(path, root)
            if named.get(name, 0) != 1:
                yield f"docs/architecture.md: names {name} {named.get(name, 0)} times, not once"


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
    breaches = [*broken_links(root), *broken_citations(root), *missing_from_maps(root),
                *man_warnings(root)]
    for breach in breaches:
        print(breach)
    sys.exit(1 if breaches else 0)


if __name__ == "__main__":
    main()
