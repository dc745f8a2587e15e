#!/usr/bin/env python3
"""test_layers.py - proves that every rule of layers.py fires, and that good code passes.

Each case is a small text that breaks one rule, and the one rule that must be reported.
"""

import os
import sys
import unittest

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import layers


def source(path, code):
    return {path: f"/*\n * {os.path.basename(path)} - a sample.\n */\n{code}"}


def header(path, code, guard):
    return source(path, f"#ifndef {guard}\n#define {guard}\n{code}\n#endif\n")


def rules_of(texts):
    return [rule for _, _, rule, _ in layers.check_texts(texts)]


class IncludeRules(unittest.TestCase):
    def allowed(self, path, include):
        self.assertEqual(rules_of(source(path, f"#include {include}\n")), [], (path, include))

    def refused(self, path, include, rule):
        texts = source(path, f"#include {include}\n")
        self.assertEqual(rules_of(texts), [rule], (path, include))

    def test_downward_includes_pass(self):
        for path, include in (
            ("ring/clock.c", '"ring/ring.h"'),
            ("node/core/core.c", '"node/store/store.h"'),
            ("node/core/core.c", '"node/wire/message.h"'),
            ("node/store/store.c", '"node/wire/record.h"'),
            ("node/client/kv.c", '"node/wire/frame.h"'),
            ("node/server/server.c", '"node/core/core.h"'),
            ("fs/model/inode.c", '"node/client/kv.h"'),
            ("fs/dynamofs/embed.c", '"node/server/server.h"'),
            ("fs/fuse/ops_read.c", '"fs/model/inode.h"'),
            ("fs/dynamofs/main.c", '"fs/fuse/session.h"'),
            ("tests/core/test_core.c", '"node/core/core.h"'),
        ):
            self.allowed(path, include)

    def test_upward_and_sideward_includes_are_refused(self):
        for path, include in (
            ("ring/clock.c", '"node/wire/message.h"'),
            ("ring/clock.c", '"fs/model/inode.h"'),
            ("node/core/core.c", '"node/wire/codec.h"'),
            ("node/core/core.c", '"node/net/peer.h"'),
            ("node/core/core.c", '"node/store/engine.h"'),
            ("node/wire/codec.c", '"node/store/store.h"'),
            ("node/store/store.c", '"node/core/core.h"'),
            ("node/net/peer.c", '"node/core/core.h"'),
            ("node/client/kv.c", '"node/server/server.h"'),
            ("node/dynamoctl/ctl.c", '"node/core/core.h"'),
            ("node/dynamod/main.c", '"node/core/core.h"'),
            ("node/server/server.c", '"fs/fuse/session.h"'),
            ("node/server/server.c", '"node/client/kv.h"'),
            ("fs/model/inode.c", '"node/server/server.h"'),
            ("fs/model/inode.c", '"node/wire/message.h"'),
            ("fs/fuse/ops_read.c", '"node/client/pool.h"'),
            ("fs/fuse/ops_read.c", '"fs/dynamofs/options.h"'),
            ("fs/dynamofs/main.c", '"node/server/server.h"'),
            ("fs/model/inode.c", '"fs/fuse/session.h"'),
            ("fs/model/inode.c", '"inode.h"'),
        ):
            self.refused(path, include, "layer")

    def test_foreign_headers_have_their_files(self):
        for path, include in (
            ("node/wire/codec.c", "<msgpack.h>"),
            ("node/store/leveldb/engine_leveldb.c", "<leveldb/c.h>"),
            ("node/net/peer.c", "<uv.h>"),
            ("node/server/server.c", "<uv.h>"),
            ("fs/fuse/ops_read.c", "<fuse_lowlevel.h>"),
            ("ring/hash.c", "<openssl/evp.h>"),
            ("tests/wire/test_codec.c", "<msgpack.h>"),
        ):
            self.allowed(path, include)
        for path, include in (
            ("node/core/core.c", "<msgpack.h>"),
            ("node/wire/frame.c", "<msgpack.h>"),
            ("node/store/store.c", "<leveldb/c.h>"),
            ("node/core/core.c", "<uv.h>"),
            ("node/client/pool.c", "<uv.h>"),
            ("fs/model/inode.c", "<fuse_lowlevel.h>"),
            ("node/client/kv.c", "<openssl/rand.h>"),
        ):
            self.refused(path, include, "foreign")

    def test_an_include_in_a_comment_is_no_include(self):
        text = '/* as in:\n#include "fs/model/inode.h"\n*/\n'
        self.assertEqual(rules_of(source("ring/clock.c", text)), [])


class SizeRules(unittest.TestCase):
    def function(self, lines):
        return "int f(void)\n{\n" + "    g();\n" * lines + "}\n"

    def test_file_length(self):
        self.assertEqual(rules_of(source("ring/a.c", "int a;\n" * 797)), [])
        self.assertEqual(rules_of(source("ring/a.c", "int a;\n" * 798)), ["file-size"])

    def test_function_length(self):
        self.assertEqual(rules_of(source("ring/a.c", self.function(70))), [])
        self.assertEqual(rules_of(source("ring/a.c", self.function(71))), ["function-size"])

    def test_a_long_table_is_no_function(self):
        table = "static const int t[] =\n{\n" + "    1,\n" * 100 + "};\n"
        self.assertEqual(rules_of(source("ring/a.c", table)), [])

    def test_parameters(self):
        six = "int f(int a, int b, int c, int (*d)(int, int), int e, int g)\n{\n}\n"
        self.assertEqual(rules_of(source("ring/a.c", six)), [])
        seven = "int f(int a, int b, int c,\n      int d, int e, int g, int h)\n{\n}\n"
        self.assertEqual(rules_of(source("ring/a.c", seven)), ["parameters"])


class WordRules(unittest.TestCase):
    def test_banned_calls(self):
        for name in layers.BANNED:
            code = f"int f(void)\n{{\n    {name}(1);\n}}\n"
            self.assertEqual(rules_of(source("ring/a.c", code)), ["banned"], name)

    def test_names_that_contain_a_banned_one_pass(self):
        code = 'int f(void)\n{\n    snprintf("atoi(", my_rand(), brand());\n}\n'
        self.assertEqual(rules_of(source("ring/a.c", code)), [])

    def test_line_comments(self):
        self.assertEqual(rules_of(source("ring/a.c", "int a; // one\n")), ["comment-style"])
        self.assertEqual(rules_of(source("ring/a.c", 'char *a = "http://x";\n')), [])

    def test_empty_comments(self):
        self.assertEqual(rules_of(source("ring/a.c", "/* */\n")), ["empty-comment"])
        self.assertEqual(rules_of(source("ring/a.c", "/*\n * -----\n */\n")), ["empty-comment"])

    def test_unfinished_work(self):
        for word in ("TODO", "FIXME", "XXX"):
            texts = source("ring/a.c", f"/* {word}: later */\n")
            self.assertEqual(rules_of(texts), ["unfinished"], word)
            self.assertEqual(rules_of({"tests/run.sh": f"# {word}\n"}), ["unfinished"], word)
        self.assertEqual(rules_of({"tests/run.sh": "mktemp -d /tmp/a.XXXXXX\n"}), [])


class BeginningRules(unittest.TestCase):
    def test_guard(self):
        good = header("ring/a.h", "int a;", "RING_A_H")
        self.assertEqual(rules_of(good), [])
        self.assertEqual(rules_of(header("ring/a.h", "int a;", "A_H")), ["guard"])
        self.assertEqual(rules_of(source("ring/a.h", "int a;\n")), ["guard"])
        self.assertEqual(rules_of(source("ring/a.h", "#pragma once\nint a;\n")), ["guard"])

    def test_file_comment(self):
        self.assertEqual(rules_of({"ring/a.c": "int a;\n"}), ["file-comment"])
        self.assertEqual(rules_of({"ring/a.c": "/* b.c - another */\n"}), ["file-comment"])
        texts = {"ring/a.c": "/* clang-format off */\n/* a.c - this */\n"}
        self.assertEqual(rules_of(texts), [])


class CircleRules(unittest.TestCase):
    def texts(self, **files):
        texts = {}
        for name, code in files.items():
            texts.update(source(f"fs/model/{name}.c", code))
        return texts

    def test_calls_down_pass(self):
        texts = self.texts(
            a="int a_go(void)\n{\n    return b_go();\n}\n", b="int b_go(void)\n{\n}\n"
        )
        self.assertEqual(rules_of(texts), [])

    def test_two_files_that_call_one_another(self):
        texts = self.texts(
            a="int a_go(void)\n{\n    return b_go();\n}\n",
            b="int b_go(void)\n{\n    return a_go();\n}\n",
        )
        self.assertEqual(
            layers.check_texts(texts),
            [
                (
                    "fs/model/a.c",
                    6,
                    "circle",
                    "fs/model/a.c calls b_go of fs/model/b.c, "
                    "fs/model/b.c calls a_go of fs/model/a.c",
                )
            ],
        )

    def test_a_circle_of_three(self):
        texts = self.texts(
            a="int a_go(void)\n{\n    return b_go();\n}\n",
            b="int b_go(void)\n{\n    return c_go();\n}\n",
            c="int c_go(void)\n{\n    return a_go();\n}\n",
            d="int d_go(void)\n{\n    return a_go();\n}\n",
        )
        self.assertEqual(rules_of(texts), ["circle"])

    def test_a_function_in_a_table_is_needed_too(self):
        texts = self.texts(
            a="int a_go(void)\n{\n    return b_go();\n}\n",
            b="static int (*const t[])(void) = {a_go};\nint b_go(void)\n{\n}\n",
        )
        self.assertEqual(rules_of(texts), ["circle"])

    def test_headers_that_include_one_another(self):
        texts = header("fs/model/a.h", '#include "fs/model/b.h"', "FS_MODEL_A_H")
        texts.update(header("fs/model/b.h", '#include "fs/model/a.h"', "FS_MODEL_B_H"))
        self.assertEqual(rules_of(texts), ["circle"])

    def test_static_functions_members_and_comments_do_not_count(self):
        texts = self.texts(
            a="static int go(void)\n{\n    return b_go();\n}\n\nint a_go(void)\n{\n}\n",
            b="static int go(void)\n{\n}\n\nint b_go(void)\n{\n    /* a_go(); */\n"
            "    return go() + x.a_go + x->a_go(1);\n}\n",
        )
        self.assertEqual(rules_of(texts), [])

    def test_other_folders_may_have_circles(self):
        texts = source("tests/fs/a.c", "int a_go(void)\n{\n    return b_go();\n}\n")
        texts.update(source("tests/fs/b.c", "int b_go(void)\n{\n    return a_go();\n}\n"))
        self.assertEqual(rules_of(texts), [])


class AssertionRules(unittest.TestCase):
    def test_a_test_without_assertion(self):
        code = "static void test_a__b__c(void **state)\n{\n    f();\n}\n"
        self.assertEqual(rules_of(source("tests/ring/test_a.c", code)), ["assertion"])

    def test_an_assertion_in_a_helper_counts(self):
        code = (
            "static void check(int a)\n{\n    assert_int_equal(a, 1);\n}\n"
            "static void check_twice(int a)\n{\n    check(a);\n}\n"
            "static void test_a__b__c(void **state)\n{\n    check_twice(f());\n}\n"
        )
        self.assertEqual(rules_of(source("tests/ring/test_a.c", code)), [])

    def test_an_assertion_in_a_macro_counts(self):
        code = (
            "#define REFUSED(a) \\\n    assert_int_equal(a, 1)\n"
            "static void test_a__b__c(void **state)\n{\n    REFUSED(f());\n}\n"
        )
        self.assertEqual(rules_of(source("tests/ring/test_a.c", code)), [])

    def test_an_assertion_in_a_comment_does_not_count(self):
        code = "void test_a(void **state)\n{\n    /* assert_true(1) */\n}\n"
        self.assertEqual(rules_of(source("tests/ring/test_a.c", code)), ["assertion"])


class WholeTree(unittest.TestCase):
    def test_breaches_name_file_and_line(self):
        texts = source("ring/a.c", "int a;\nint b; // two\n")
        self.assertEqual(
            layers.check_texts(texts), [("ring/a.c", 5, "comment-style", "comments are /* ... */")]
        )


if __name__ == "__main__":
    unittest.main()
