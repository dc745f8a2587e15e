#!/usr/bin/env python3
"""test_checker.py - the checker of the torture test sees what is wrong, and nothing else.

Each case is a small history, what is there at the end, and what must be said of it.
"""

import os
import sys
import unittest

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import checker
import content


class History:
    """Builds the journal of some writes, one after the other unless told otherwise."""

    def __init__(self):
        self.records = []
        self.time = 0

    def write(self, token, kind, file, acked=True, answered=True, **more):
        self.time += 10
        self.records.append(
            {"intent": token, "kind": kind, "file": file, "time": self.time, **more}
        )
        if answered:
            self.records.append({"answer": token, "acked": acked, "time": self.time + 5})

    def add(self, token, acked=True, removed=(), **more):
        self.write(token, "set", "sets/f", acked, removed=list(removed), **more)

    def over(self, token, seen=(), acked=True, **more):
        self.write(token, "over", "over/f", acked, seen=list(seen), **more)


def value(token):
    return content.value_of(token, 10)


class Checked(unittest.TestCase):
    def said(self, history, state, *starts):
        said = list(checker.breaches(history.records, state))
        self.assertEqual(len(said), len(starts), said)
        for text, start in zip(said, starts):
            self.assertTrue(text.startswith(start), text)


class Sets(Checked):
    def setUp(self):
        self.history = History()
        self.history.add("a")
        self.history.add("b")

    def test_union_of_siblings_passes(self):
        state = {
            "sets/f": content.bytes_of_set({"+a"}),
            "sets/f~v1": content.bytes_of_set({"+a"}),
            "sets/f~v2": content.bytes_of_set({"+b"}),
        }
        self.said(self.history, state)

    def test_acknowledged_line_that_is_missing_is_lost(self):
        self.said(self.history, {"sets/f": content.bytes_of_set({"+a"})}, "lost: line +b")

    def test_file_that_is_missing_is_lost(self):
        self.said(self.history, {}, "lost: line +a", "lost: line +b")

    def test_line_of_open_outcome_may_be_there_or_not(self):
        self.history.add("c", acked=False)
        self.history.add("d", answered=False)
        self.said(self.history, {"sets/f": content.bytes_of_set({"+a", "+b", "+c"})})

    def test_removed_line_passes_only_with_its_removal(self):
        self.history.add("c", acked=False, removed=["a"])
        self.said(self.history, {"sets/f": content.bytes_of_set({"-a", "+b", "+c"})})
        self.said(self.history, {"sets/f": content.bytes_of_set({"+b"})}, "lost: line +a")

    def test_acknowledged_removal_that_is_missing_is_lost(self):
        self.history.add("c", removed=["a"])
        self.said(self.history, {"sets/f": content.bytes_of_set({"+a", "+b", "+c"})}, "lost: line -a")

    def test_line_that_nobody_wrote_is_invented(self):
        state = {"sets/f": content.bytes_of_set({"+a", "+b", "+x"})}
        self.said(self.history, state, "invented: line +x")

    def test_cut_content_is_told(self):
        data = content.bytes_of_set({"+a", "+b"})
        self.said(self.history, {"sets/f": data[:-1]}, "sets/f: not a whole set", "lost", "lost")


class Values(Checked):
    def setUp(self):
        self.history = History()
        self.history.over("a")

    def test_superseded_by_what_saw_it_passes(self):
        self.history.over("b", seen=["a"])
        self.said(self.history, {"over/f": value("b")})

    def test_chain_through_an_open_outcome_passes(self):
        self.history.over("b", seen=["a"], acked=False)
        self.history.over("c", seen=["b"])
        self.said(self.history, {"over/f": value("c")})

    def test_overwritten_by_what_did_not_see_it_is_lost(self):
        self.history.over("b")
        self.said(self.history, {"over/f": value("b")}, "lost: a")

    def test_superseded_by_what_vanished_is_lost(self):
        self.history.over("b", seen=["a"], acked=False)
        self.said(self.history, {}, "lost: a")

    def test_two_that_saw_each_other_do_not_excuse_each_other(self):
        self.history.over("b", seen=["a", "c"])
        self.history.over("c", seen=["b"])
        self.said(self.history, {}, "lost: a", "lost: b", "lost: c")

    def test_write_to_a_sibling_supersedes_just_that(self):
        self.history.over("b")
        self.history.write("c", "sibling", "over/f", seen=["a"])
        self.said(self.history, {"over/f": value("c")}, "lost: b")
        self.said(self.history, {"over/f": value("c"), "over/f~v1": value("b")})

    def test_wrong_bytes_are_told(self):
        self.said(self.history, {"over/f": value("a") + b"x"}, "over/f: not what", "lost: a")
        self.said(self.history, {"over/f": bytes(20)}, "over/f: no header", "lost: a")

    def test_value_that_nobody_wrote_is_invented(self):
        state = {"over/f": value("a"), "over/f~v1": value("x")}
        self.said(self.history, state, "invented: value x")

    def test_what_was_superseded_and_is_there_is_told(self):
        self.history.over("b", seen=["a"])
        state = {"over/f~v1": value("a"), "over/f~v2": value("b")}
        self.said(self.history, state)
        self.assertEqual(len(list(checker.came_back(self.history.records, state))), 1)
        state = {"over/f": value("b")}
        self.assertEqual(list(checker.came_back(self.history.records, state)), [])


class Loose(Checked):
    def setUp(self):
        self.history = History()
        self.history.write("a", "blind", "loose/f")

    def test_later_write_may_have_superseded_it(self):
        self.history.write("b", "blind", "loose/f")
        self.said(self.history, {"loose/f": value("b")})

    def test_earlier_write_cannot_have_superseded_it(self):
        self.history.write("b", "blind", "loose/f")
        self.said(self.history, {"loose/f": value("a")}, "lost: b")

    def test_removal_may_have_taken_it_also_if_it_failed(self):
        self.history.write("b", "remove", "loose/f", acked=False)
        self.said(self.history, {})

    def test_write_after_the_removal_must_be_there(self):
        self.history.write("b", "remove", "loose/f")
        self.history.write("c", "blind", "loose/f")
        self.said(self.history, {}, "lost: c")

    def test_renamed_content_is_at_the_target(self):
        self.history.write("b", "blind", "loose/new")
        self.history.write("c", "rename", "loose/f", source="loose/new", moves="b")
        self.said(self.history, {"loose/f": value("b")})
        self.said(self.history, {"loose/f": value("a")}, "lost: c")

    def test_failed_rename_leaves_the_content_somewhere(self):
        self.history.write("b", "blind", "loose/new")
        self.history.write("c", "rename", "loose/f", False, source="loose/new", moves="b")
        self.said(self.history, {"loose/f": value("a"), "loose/new": value("b")})
        self.said(self.history, {"loose/f": value("b")})
        self.said(self.history, {"loose/f": value("a")}, "lost: b")

    def test_name_that_nobody_made_is_invented(self):
        self.said(self.history, {"loose/f": value("a"), "loose/g": b""}, "invented: the name")


class Carts(Checked):
    def setUp(self):
        self.history = History()
        self.history.write("a", "add", "carts/c")
        self.history.write("b", "add", "carts/c", acked=False)

    def test_acknowledged_add_is_there_or_lost(self):
        self.said(self.history, {"carts/c": b"0123 a\n"})
        self.said(self.history, {"carts/c": b"0123 b\n"}, "lost: a")

    def test_what_somebody_took_out_may_be_gone(self):
        self.history.write("c", "take", "carts/c", acked=False, item="a")
        self.said(self.history, {"carts/c": b""})

    def test_item_that_nobody_added_is_invented(self):
        self.said(self.history, {"carts/c": b"0123 a\n4567 x\n"}, "invented: item 'x'")


class Journals(Checked):
    def test_what_a_worker_saw_is_told(self):
        history = History()
        history.records.append({"breach": "a call hung", "time": 1})
        self.said(history, {}, "a call hung")


if __name__ == "__main__":
    unittest.main()
