"""content.py - what the workers of the torture test write, so that every read can be checked.

Two kinds of content. A *value* is one token and a filler that follows from it. A *set* is lines
under union: "+T" says that T was added, "-T" that it was removed, and whoever removes it drops
the first and adds the second, so that nothing that is merged ever shrinks. Both end in a way
that a cut or mixed content cannot. No content at all is right, too: an open made the file.
"""

import hashlib
import zlib


class Broken(Exception):
    """Bytes that nobody can have written."""


def value_of(token, size):
    filler = hashlib.shake_128(token.encode()).digest(size)
    return f"{token} {size}\n".encode() + filler


def token_of(content):
    """The token of a value, None if it is empty."""
    if content == b"":
        return None
    head = content[:100].partition(b"\n")[0].split(b" ")
    try:
        token, size = head[0].decode("ascii"), int(head[1])
    except (IndexError, ValueError):
        raise Broken(f"no header in {content[:60]!r}") from None
    if value_of(token, size) != content:
        raise Broken(f"not what {token} wrote: {len(content)} bytes, {size} of filler expected")
    return token


def bytes_of_set(lines):
    text = "".join(line + "\n" for line in sorted(lines)).encode()
    return text + f"= {len(lines)} {zlib.crc32(text):08x}\n".encode()


def set_of(content):
    if content == b"":
        return set()
    lines = content.decode("ascii", "replace").splitlines()
    if not lines[-1].startswith("= ") or content != bytes_of_set(set(lines[:-1])):
        raise Broken(f"not a whole set: {len(content)} bytes that end in {content[-60:]!r}")
    return set(lines[:-1])


def lines_after(lines, added, removed):
    """The set with `added`, and `removed` gone for good."""
    gone = {f"+{token}" for token in removed}
    return (lines - gone) | {f"+{token}" for token in added} | {f"-{token}" for token in removed}
