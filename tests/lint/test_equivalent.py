#!/usr/bin/env python3
"""test_equivalent.py - proves that machine_mutants.py refuses what stands in equivalent.txt and
should not: changes that the source has no more, without a reason, or twice.
"""

import os
import sys
import unittest

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "sim"))
import machine_mutants

CHANGES = [
    machine_mutants.Change("ring/a.c", 6, "    return a < b;", "    return a <= b;", "< is <=",
                           "first"),
    machine_mutants.Change("ring/a.c", 9, "    forget(a);", "    ;", "statement dropped", "second"),
]
EVERYWHERE = "ring/a.c: < is <=: return a < b; -> return a <= b;"
IN_ONE = "ring/a.c second: statement dropped: forget(a);"
REASON = "    A tie."


def faults(*lines):
    return list(machine_mutants.faults_of_equivalent("\n".join(lines), CHANGES))


class Equivalent(unittest.TestCase):
    def test_lines_of_the_source_with_a_reason_pass(self):
        self.assertEqual(faults("# Words.", EVERYWHERE, IN_ONE, REASON), [])
        self.assertEqual(faults(EVERYWHERE, REASON, "    More words.", IN_ONE, REASON), [])

    def test_a_line_that_the_source_has_no_more_is_refused(self):
        for stale in (
            EVERYWHERE.replace("a < b", "a < c"),
            EVERYWHERE.replace("ring/a.c", "ring/b.c"),
            EVERYWHERE.replace("a <= b", "a >= b"),
            IN_ONE.replace("second", "first"),
        ):
            self.assertEqual(faults(stale, REASON), [("is not in the source", stale)])

    def test_a_line_without_a_reason_is_refused(self):
        self.assertEqual(faults(IN_ONE, REASON, EVERYWHERE), [("has no reason", EVERYWHERE)])

    def test_a_line_that_is_there_twice_is_refused(self):
        self.assertEqual(faults(IN_ONE, REASON, IN_ONE, REASON), [("is there twice", IN_ONE)])


if __name__ == "__main__":
    unittest.main()
