#!/usr/bin/env python3
"""layers.py - the rules of the house that a compiler does not check.

usage: layers.py [ROOT]

Prints one line for each breach (FILE:LINE: rule: what is wrong) and exits with 1 if there is
any. docs/style.md and CONTRIBUTING.md say why each rule exists. test_layers.py proves that each
of them fires.
"""

import fnmatch
import os
import re
import sys

FILE_LINES_MAX = 800
FUNCTION_LINES_MAX = 70
PARAMETERS_MAX = 6
# Callbacks whose parameters a library gives.
CALLBACKS = {"ops_copy_file_range"}
SOURCE_DIRECTORIES = ("ring", "node", "fs", "tests", "examples")

# Which files of ours a file may include. The first pattern that matches a file decides; patterns
# match across slashes. tests/ and examples/ may include whatever they want to look at.
LAYERS = (
    ("ring/*", ("ring/*",)),
    (
        "node/core/*",
        ("ring/*", "node/wire/message*.h", "node/store/store.h", "node/core/*"),
    ),
    ("node/base/*", ("ring/*", "node/base/*")),
    ("node/wire/*", ("ring/*", "node/base/*", "node/wire/*")),
    ("node/store/*", ("ring/*", "node/base/*", "node/wire/*", "node/store/*")),
    ("node/net/*", ("ring/*", "node/base/*", "node/wire/*", "node/net/*")),
    ("node/client/*", ("ring/*", "node/base/*", "node/wire/*", "node/client/*")),
    ("node/dynamoctl/*", ("ring/*", "node/base/*", "node/wire/*", "node/client/*", "node/dynamoctl/*")),
    (
        "node/dynamod/main.c",
        (
            "ring/*",
            "node/base/*",
            "node/server/server.h",
            "node/server/options.h",
            "node/dynamod/*",
        ),
    ),
    (
        "node/dynamod/check.*",
        (
            "ring/*",
            "node/base/*",
            "node/wire/*",
            "node/store/*",
            "node/server/server_data.h",
            "node/dynamod/check.h",
        ),
    ),
    (
        "node/server/*",
        (
            "ring/*",
            "node/base/*",
            "node/wire/*",
            "node/core/*",
            "node/store/*",
            "node/net/*",
            "node/server/*",
        ),
    ),
    (
        "fs/model/*",
        (
            "ring/*",
            "node/base/*",
            "node/client/kv.h",
            "node/client/block_set.h",
            "node/client/collector.h",
            "fs/model/*",
        ),
    ),
    ("fs/fuse/*", ("ring/*", "node/base/*", "node/client/kv.h", "fs/model/*",
                   "fs/fuse/*")),
    (
        "fs/dynamofs/embed.*",
        ("ring/*", "node/base/*", "node/server/server.h", "fs/dynamofs/*"),
    ),
    ("fs/dynamofs/*", ("ring/*", "node/base/*", "node/client/kv.h", "fs/*")),
    ("tests/*", ("*",)),
    ("examples/*", ("*",)),
)

# A foreign header, and the only files of ring/, node/ and fs/ that may include it.
FOREIGN = (
    (
        "msgpack*",
        (
            "node/wire/record.c",
            "node/wire/codec.c",
            "node/wire/bounds.c",
            "node/wire/reader.*",
            "node/wire/writer.*",
        ),
    ),
    ("leveldb/*", ("node/store/leveldb/engine_leveldb.c", "node/store/leveldb/leveldb_internal.h")),
    ("uv.h", ("node/net/*", "node/server/*")),
    ("fuse*", ("fs/fuse/*",)),
    ("openssl/*", ("ring/hash.c", "node/base/secret.c", "node/net/tls*")),
)

# Folders without a circle of files: headers that include one another, or sources of which each
# names a function that the next defines. What is only called through a pointer does not count.
CIRCLE_FREE = (
    "ring/",
    "node/base/",
    "node/wire/",
    "node/store/",
    "node/core/",
    "node/net/",
    "node/client/",
    "node/server/",
    "node/dynamoctl/",
    "node/dynamod/",
    "fs/model/",
    "fs/fuse/",
    "fs/dynamofs/",
)

BANNED = (
    "sprintf",
    "vsprintf",
    "strcpy",
    "strcat",
    "strtok",
    "gets",
    "atoi",
    "rand",
    "alloca",
    "gettimeofday",
)

INCLUDE = re.compile(r'^[ \t]*#[ \t]*include[ \t]+(["<])([^">]+)[">]', re.M)
UNFINISHED = re.compile(r"\b(TODO|FIXME|XXX)\b")
BANNED_CALL = re.compile(r"\b(" + "|".join(BANNED) + r")[ \t]*\(")
FUNCTION_NAME = re.compile(r"([A-Za-z_]\w*)\s*\(")
MACRO = re.compile(r"^#[ \t]*define[ \t]+(\w+)\([^)]*\)((?:[^\n]*\\\n)*[^\n]*)", re.M)
# Not of a member.
NAME = re.compile(r"(?<![.>\w])[A-Za-z_]\w*")
ASSERTION = re.compile(r"\b(assert_\w+|fail_msg|fail|expect_\w+)\s*\(")


def matches(path, patterns):
    return any(fnmatch.fnmatchcase(path, pattern) for pattern in patterns)


def line_of(text, offset):
    return text.count("\n", 0, offset) + 1


def split_code(text):
    """C text in two: the same text with comments and the insides of literals blanked, and the
    comments as (offset, text)."""
    token = re.compile(
        r'/\*.*?\*/|//[^\n]*|"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])*\'', re.S
    )
    comments = []
    pieces = []
    end = 0
    for found in token.finditer(text):
        pieces.append(text[end : found.start()])
        piece = found.group(0)
        blank = re.sub(r"[^\n]", " ", piece)
        if piece.startswith("/"):
            comments.append((found.start(), piece))
            pieces.append(blank)
        else:
            pieces.append(piece[0] + blank[1:-1] + piece[-1])
        end = found.end()
    pieces.append(text[end:])
    return "".join(pieces), comments


class Function:
    """A function definition: its name, parameters, and where its body is."""

    def __init__(self, name, parameters, line, body, is_static):
        self.name = name
        self.is_static = is_static
        self.parameters = parameters
        self.line = line
        self.body = body
        self.length = body.count("\n") - 2


def parameter_count(parameters):
    depth = 0
    count = 1
    for letter in parameters:
        depth += letter in "([{"
        depth -= letter in ")]}"
        count += letter == "," and depth == 0
    return 0 if parameters.strip() in ("", "void") else count


def functions_of(code):
    """The functions of blanked C text. In this tree the braces of a function stand alone in
    column 0 (clang-format sees to that)."""
    found = []
    for opening in re.finditer(r"^\{$", code, re.M):
        closing = re.compile(r"^\}", re.M).search(code, opening.end())
        head = code[: opening.start()].rstrip()
        if closing is None or not head.endswith(")"):
            continue
        start = matching_parenthesis(head)
        name = re.search(r"([A-Za-z_]\w*)\s*$", head[:start])
        if name is None:
            continue
        body = code[opening.start() : closing.start()]
        before = re.split(r"[;}]", head[: name.start()])[-1]
        found.append(
            Function(
                name.group(1),
                head[start + 1 : -1],
                line_of(code, opening.start()),
                body + "\n",
                re.search(r"\bstatic\b", before) is not None,
            )
        )
    return found


def matching_parenthesis(head):
    depth = 0
    for offset in range(len(head) - 1, -1, -1):
        depth += head[offset] == ")"
        depth -= head[offset] == "("
        if depth == 0:
            return offset
    return 0


def check_includes(path, text, code):
    for found in INCLUDE.finditer(text):
        quote, header = found.groups()
        if code[found.start() : found.end()].strip() == "":
            continue
        line = line_of(text, found.start(2))
        if quote == '"':
            yield from check_own_include(path, line, header)
        else:
            yield from check_foreign_include(path, line, header)


def check_own_include(path, line, header):
    allowed = next((to for of, to in LAYERS if fnmatch.fnmatchcase(path, of)), ())
    if not matches(header, allowed):
        yield line, "layer", f"may not include {header}"


def check_foreign_include(path, line, header):
    if path.startswith(("tests/", "examples/")):
        return
    for pattern, users in FOREIGN:
        if fnmatch.fnmatchcase(header, pattern) and not matches(path, users):
            yield line, "foreign", f"<{header}> may only be included by {', '.join(users)}"


def check_sizes(code, functions):
    lines = code.count("\n")
    if lines > FILE_LINES_MAX:
        yield lines, "file-size", f"{lines} lines, at most {FILE_LINES_MAX}"
    for function in functions:
        if function.length > FUNCTION_LINES_MAX:
            yield (
                function.line,
                "function-size",
                f"{function.name} has {function.length} lines, at most {FUNCTION_LINES_MAX}",
            )
        parameters = parameter_count(function.parameters)
        if parameters > PARAMETERS_MAX and function.name not in CALLBACKS:
            yield (
                function.line,
                "parameters",
                f"{function.name} has {parameters} parameters, at most {PARAMETERS_MAX}",
            )


def check_words(code):
    for found in BANNED_CALL.finditer(code):
        yield line_of(code, found.start()), "banned", f"{found.group(1)}() is not used here"


def check_comments(text, comments):
    for offset, comment in comments:
        line = line_of(text, offset)
        if comment.startswith("//"):
            yield line, "comment-style", "comments are /* ... */"
        elif comment.strip("/*- \t\n") == "":
            yield line, "empty-comment", "a comment that says nothing"


def check_beginning(path, text, comments):
    name = os.path.basename(path)
    # A comment to clang-format may come before it.
    first = [comment for _, comment in comments[:2] if "clang-format" not in comment]
    if not text.startswith("/*") or not first or f"{name} - " not in first[0]:
        yield 1, "file-comment", f"the file begins with a comment '{name} - what it is'"
    if not path.endswith(".h"):
        return
    guard = re.sub(r"\W", "_", path).upper()
    wanted = re.compile(r"\s*#ifndef " + guard + r"\n#define " + guard + r"\n")
    if path.startswith(("tests/", "examples/")):
        wanted = re.compile(r"\s*#ifndef (\w+)\n#define \1\n")
    code = split_code(text)[0]
    if not wanted.match(code) or not code.rstrip().endswith("#endif"):
        yield 1, "guard", f"a header has the guard {guard}"


def check_unfinished(text):
    for found in UNFINISHED.finditer(text):
        yield line_of(text, found.start()), "unfinished", f"{found.group(1)} without an issue"


def check_c_file(path, text):
    """All breaches in one C file, as (line, rule, message)."""
    code, comments = split_code(text)
    functions = functions_of(code)
    yield from check_includes(path, text, code)
    yield from check_sizes(code, functions)
    yield from check_words(code)
    yield from check_comments(text, comments)
    yield from check_beginning(path, text, comments)
    yield from check_unfinished(text)


def check_assertions(texts):
    """Tests that assert nothing, neither themselves nor through a helper of tests/."""
    functions = []
    calls = {}
    for path, text in sorted(texts.items()):
        if not path.startswith("tests/") or not path.endswith((".c", ".h")):
            continue
        code = split_code(text)[0]
        for function in functions_of(code):
            functions.append((path, function))
            calls.setdefault(function.name, set()).update(FUNCTION_NAME.findall(function.body))
        for name, body in MACRO.findall(code):
            calls.setdefault(name, set()).update(FUNCTION_NAME.findall(body))
    asserting = {
        name for name, called in calls.items() if any(ASSERTION.match(c + "(") for c in called)
    }
    grew = True
    while grew:
        before = len(asserting)
        asserting |= {name for name, called in calls.items() if asserting & called}
        grew = len(asserting) > before
    for path, function in functions:
        is_test = function.name.startswith("test_") and "void **" in function.parameters
        if is_test and function.name not in asserting:
            yield path, function.line, "assertion", f"{function.name} asserts nothing"


def needs_of(texts, folder):
    """What each file below `folder` needs of others there: {path: {other: (line, what)}}. A
    header that it includes, and the file that defines a function which it names."""
    codes = {
        path: split_code(text)[0]
        for path, text in texts.items()
        if path.startswith(folder) and path.endswith((".c", ".h"))
    }
    functions = {path: functions_of(code) for path, code in codes.items()}
    definers = {}
    for path in codes:
        for function in functions[path]:
            if not function.is_static:
                definers[function.name] = path
    needs = {}
    for path, code in codes.items():
        needs[path] = {}
        for found in INCLUDE.finditer(texts[path]):
            header = found.group(2)
            is_code = code[found.start() : found.end()].strip() != ""
            if is_code and header in codes and header != path:
                needs[path].setdefault(header, (line_of(code, found.start(2)), "includes"))
        own = {function.name for function in functions[path]}
        # A header only declares.
        for found in NAME.finditer(code) if path.endswith(".c") else ():
            definer = definers.get(found.group(0), path)
            if definer != path and found.group(0) not in own:
                what = "calls " + found.group(0) + " of"
                needs[path].setdefault(definer, (line_of(code, found.start()), what))
    return needs


def way_back(needs, start):
    """The shortest way along `needs` from `start` to itself, without its end; None."""
    ways = [[start]]
    seen = set()
    for way in ways:
        for other in sorted(needs[way[-1]]):
            if other == start:
                return way
            if other not in seen:
                seen.add(other)
                ways.append(way + [other])
    return None


def check_circles(texts):
    """The circles of files, each once: told at the file whose name comes first."""
    for folder in CIRCLE_FREE:
        needs = needs_of(texts, folder)
        told = set()
        for path in sorted(needs):
            way = way_back(needs, path)
            if way is None or told & set(way):
                continue
            told |= set(way)
            steps = []
            for step, other in zip(way, way[1:] + way[:1]):
                steps.append(f"{step} {needs[step][other][1]} {other}")
            yield path, needs[path][(way + way)[1]][0], "circle", ", ".join(steps)


def check_texts(texts):
    """All breaches in `texts` (path: text), as sorted (path, line, rule, message)."""
    breaches = []
    for path, text in texts.items():
        if path.endswith((".c", ".h")):
            breaches += [(path, *breach) for breach in check_c_file(path, text)]
        elif not path.startswith("tests/lint/"):
            breaches += [(path, *breach) for breach in check_unfinished(text)]
    breaches += check_assertions(texts)
    breaches += check_circles(texts)
    return sorted(breaches)


def read_tree(root):
    texts = {}
    for directory in SOURCE_DIRECTORIES:
        for parent, _, names in os.walk(os.path.join(root, directory)):
            for name in names:
                if name.endswith((".c", ".h", ".sh", ".py", ".build")):
                    path = os.path.relpath(os.path.join(parent, name), root)
                    with open(os.path.join(root, path), encoding="utf-8") as file:
                        texts[path] = file.read()
    return texts


def main():
    here = os.path.dirname(os.path.abspath(__file__))
    root = sys.argv[1] if len(sys.argv) > 1 else os.path.join(here, "..", "..")
    texts = read_tree(root)
    if not any(path.startswith("ring/") for path in texts):
        sys.exit(f"layers.py: no sources under {root}")
    breaches = check_texts(texts)
    for path, line, rule, message in breaches:
        print(f"{path}:{line}: {rule}: {message}")
    print(f"{len(texts)} files, {len(breaches)} breaches")
    sys.exit(1 if breaches else 0)


if __name__ == "__main__":
    main()
