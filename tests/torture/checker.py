"""checker.py - was anything that was acknowledged lost?

Pure: from the journals of the workers and the bytes that are there at the end, the breaches.

Claims: a line of a set that was acknowledged is in one of the siblings, unless its removal is.
An acknowledged value is there, or reaches one that is there, or a removal, along writes that
were shown what they supersede; a write of open outcome can supersede too. Nothing is there that
nobody wrote. An acknowledged add to a cart is there unless somebody tried to take it out.
Sound: what the checker cannot know for sure (see worker.py, loose/) it decides for the product.
"""

import collections
import math
import re

import content

SIBLING = re.compile(r"~v[0-9]+$")


class Write:
    def __init__(self, record):
        self.token = record["intent"]
        self.kind = record["kind"]
        self.file = record["file"]
        self.record = record
        self.begin = record["time"]
        self.end = math.inf
        self.acked = False

    def __str__(self):
        return f"{self.token} ({self.kind} of {self.file})"


def writes_of(records):
    """All writes of the journals, with their answers; those without one are of open outcome."""
    writes = {}
    for record in records:
        if "intent" in record:
            writes[record["intent"]] = Write(record)
    for record in records:
        if "answer" in record:
            write = writes[record["answer"]]
            write.acked = record["acked"]
            write.end = record["time"]
    return writes


def by_file(state):
    """What is there: { file: [content, ...] }, siblings with the file whose versions they are."""
    files = collections.defaultdict(list)
    for name, data in state.items():
        files[SIBLING.sub("", name)].append(data)
    return files


def check_sets(writes, files):
    for file, mine in group(writes, {"set"}).items():
        expected = set()
        possible = set()
        lines = set()
        for write in mine:
            own = content.lines_after(set(), [write.token], write.record["removed"])
            possible |= own
            expected |= own if write.acked else set()
        for data in files.get(file, []):
            try:
                lines |= content.set_of(data)
            except content.Broken as broken:
                yield f"{file}: {broken}"
        for line in sorted(expected - lines):
            if line[0] == "-" or f"-{line[1:]}" not in lines:
                yield f"lost: line {line} of {file}, acknowledged"
        for line in sorted(lines - possible):
            yield f"invented: line {line} of {file}"


def group(writes, kinds):
    groups = collections.defaultdict(list)
    for write in writes.values():
        if write.kind in kinds:
            groups[write.file].append(write)
    return groups


def live_tokens(files, file):
    """The tokens that are there, and what is wrong with the bytes."""
    tokens, wrong = set(), []
    for data in files.get(file, []):
        try:
            tokens.add(content.token_of(data))
        except content.Broken as broken:
            wrong.append(f"{file}: {broken}")
    return tokens - {None}, wrong


def reaching(live, edges):
    """All from which something in `live` is reached. `edges` lead from what superseded to what
    was superseded."""
    good = set(live)
    todo = list(live)
    while todo:
        for older in edges(todo.pop()):
            if older not in good:
                good.add(older)
                todo.append(older)
    return good


def check_values(writes, files):
    """over/: what each write superseded is known."""
    for file, mine in group(writes, {"over", "sibling"}).items():
        live, wrong = live_tokens(files, file)
        yield from wrong
        known = {write.token: write for write in mine}
        for token in sorted(live - known.keys()):
            yield f"invented: value {token} in {file}"
        good = reaching(live & known.keys(), lambda token: known[token].record["seen"])
        for write in mine:
            if write.acked and write.token not in good:
                yield f"lost: {write}, acknowledged, superseded by nothing that is there"


def check_loose(writes, files):
    """loose/: all that began before another write ended may be what that superseded."""
    moved = {w.record["moves"]: w for w in writes.values() if w.kind == "rename"}
    for file, mine in group(writes, {"blind", "rename", "remove"}).items():
        live, wrong = live_tokens(files, file)
        yield from wrong
        known = {write.record.get("moves", write.token): write for write in mine}
        for token in sorted(live - known.keys()):
            yield f"invented: value {token} in {file}"
        ends = {token for token, write in known.items() if write.kind == "remove"}
        if b"" in files.get(file, []):
            ends |= known.keys()  # an open that truncated and then failed
        good = reaching((live & known.keys()) | ends, lambda token: [
            older for older, write in known.items() if write.begin < known[token].end
        ])
        for token, write in known.items():
            # What a rename took away is looked for where it went.
            if write.acked and token not in good and (write.kind != "blind" or token not in moved):
                yield f"lost: {write}, acknowledged, nothing there can have superseded it"
    yield from check_moves(writes, files, moved)


def check_moves(writes, files, moved):
    """A rename that failed has lost nothing: the source is there, or the target has it, or had."""
    for token, rename in moved.items():
        source = writes[token]
        if not source.acked or rename.acked:
            continue
        at_source, _ = live_tokens(files, source.file)
        at_target, _ = live_tokens(files, rename.file)
        later = [w for w in writes.values() if w.file == rename.file and w.end > rename.begin
                 and w is not rename]
        if token not in at_source | at_target and not later:
            yield f"lost: {source}, acknowledged, by a rename to {rename.file} that failed"


def check_carts(writes, files):
    tried_to_take = {w.record["item"] for w in writes.values() if w.kind == "take"}
    for file, mine in group(writes, {"add"}).items():
        items = set()
        for data in files.get(file, []):
            items |= {l.partition(" ")[2] for l in data.decode("ascii", "replace").splitlines()}
        known = {write.token for write in mine}
        for item in sorted(items - known):
            yield f"invented: item {item!r} in {file}"
        for write in mine:
            if write.acked and write.token not in items | tried_to_take:
                yield f"lost: {write.token}, an acknowledged add to {file}"


def check_names(writes, files):
    known = {write.file for write in writes.values()}
    known |= {w.record["source"] for w in writes.values() if w.kind == "rename"}
    for file in sorted(set(files) - known):
        yield f"invented: the name {file}"


def breaches(records, state):
    """All breaches; `state` is { name: bytes } of all files of one mount at the end."""
    writes = writes_of(records)
    files = by_file(state)
    yield from (record["breach"] for record in records if "breach" in record)
    yield from check_names(writes, files)
    yield from check_sets(writes, files)
    yield from check_values(writes, files)
    yield from check_loose(writes, files)
    yield from check_carts(writes, files)


def came_back(records, state):
    """The values that are there although an acknowledged write superseded them: allowed (clocks
    are truncated, a put that was sent again can arrive late), but to be told."""
    writes = writes_of(records)
    files = by_file(state)
    for file, mine in group(writes, {"over", "sibling"}).items():
        live, _ = live_tokens(files, file)
        for write in mine:
            for token in sorted(live.intersection(write.record["seen"] if write.acked else [])):
                yield f"{writes[token]}, superseded by {write}"
