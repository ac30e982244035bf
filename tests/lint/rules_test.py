#!/usr/bin/env python3
"""The lint itself: every rule finds its violation in a small tree, and nothing in a clean one."""

import os
import shutil
import subprocess
import tempfile
import unittest

import globals
import rules

CLEAN = {
    "core/a.hpp": "#pragma once\n#include <string>\n// std::abort() in a comment, and \"printf(\" below are words\n"
                  "inline const char* words() { return \"std::abort() printf(\"; }\n",
    "core/b.hpp": '#pragma once\n#include "headwise/core/a.hpp"\n#if HEADWISE_DEFINITIONS\n#include "headwise/core/b.inl.hpp"\n#endif\n',
    "core/b.inl.hpp": '#pragma once\n#include "headwise/core/b.hpp"\nHEADWISE_INLINE void f() { static const int kTable = 3; static constexpr int k = kTable; }\n',
    "linalg/dense.hpp": "#pragma once\n#include <Eigen/Dense>\n",
    "kernels/k.hpp": '#pragma once\n#include <cmath>\nHEADWISE_BEGIN_AVX2\n#include "headwise/kernels/k.inc.hpp"\nHEADWISE_END_TARGET\n',
    "kernels/k.inc.hpp": "inline float f(float x) { return x; }\n",
    "text/vocabulary.hpp": '#pragma once\n#include "headwise/io/json.hpp"\n// text/ may say llama\ninline constexpr int kLlamaVocabulary = 1;\n',
    "io/json.hpp": "#pragma once\n#include <nlohmann/json.hpp>\n",
    "families/llama.hpp": '#pragma once\n#include "headwise/core/a.hpp"\nstruct Llama {};\n',
    "headwise.hpp": '#pragma once\n#include "headwise/core/b.hpp"\n',
}

# (what the finding says, file, content)
VIOLATIONS = [
    ("arrows point down", "core/x.hpp", '#pragma once\n#include "headwise/io/json.hpp"\n'),
    ("arrows point down", "text/x.hpp", '#pragma once\n#include "headwise/models/m.hpp"\n'),
    ("arrows point down", "core/x.hpp", '#pragma once\n#include "headwise/headwise.hpp"\n'),
    ("by its full name", "core/x.hpp", '#pragma once\n#include "a.hpp"\n'),
    ("no room named", "utils/x.hpp", "#pragma once\n"),
    ("only the doors", "x.hpp", "#pragma once\n"),
    ("only in linalg/", "layers/x.hpp", "#pragma once\n#include <Eigen/Core>\n"),
    ("only in io/", "text/x.hpp", "#pragma once\n#include <nlohmann/json.hpp>\n"),
    ("only in text/", "io/x.hpp", "#pragma once\n#include <pcre2.h>\n"),
    ("only in text/", "io/x.hpp", "#pragma once\n#include <utf8proc.h>\n"),
    ("needs no library but Eigen", "headwise.hpp", '#pragma once\n#include "headwise/io/json.hpp"\n'),
    ("includes no family", "headwise.hpp", '#pragma once\n#include "headwise/families/llama.hpp"\n'),
    ("at most 400", "core/x.hpp", "#pragma once\n" + "\n" * 401),
    ("at most 120", "families/x.hpp", "#pragma once\n" + "\n" * 121),
    ("columns", "core/x.hpp", "#pragma once\n" + "/" * 141 + "\n"),
    ("blanks at the end", "core/x.hpp", "#pragma once \n"),
    ("#pragma once", "core/x.hpp", "int f();\n"),
    ("no header includes this body", "core/x.inl.hpp", "#pragma once\n"),
    ("not under `#if HEADWISE_DEFINITIONS`", "core/d.hpp", '#pragma once\n#include "headwise/core/b.inl.hpp"\n'),
    ("ends the program", "core/x.hpp", "#pragma once\ninline void f() { std::abort(); }\n"),
    ("ends the program", "core/x.hpp", "#pragma once\ninline void f() { exit(1); }\n"),
    ("ends the program", "core/x.hpp", "#pragma once\ninline void f() { std::terminate(); }\n"),
    ("prints", "core/x.hpp", "#pragma once\ninline void f() { std::cerr << 1; }\n"),
    ("prints", "core/x.hpp", '#pragma once\ninline void f() { std::printf("x"); }\n'),
    ("assert checks nothing", "io/x.hpp", "#pragma once\ninline void f(int n) { assert(n > 0); }\n"),
    ("mutable global", "core/x.hpp", "#pragma once\ninline int f() { static int calls = 0; return ++calls; }\n"),
    ("mutable global", "core/x.hpp", "#pragma once\ninline std::map<int, int> registry;\n"),
    ("mutable global", "core/x.hpp", "#pragma once\ninline int count = 0;\n"),
    ("mutable global", "core/x.hpp", "#pragma once\nthread_local int depth = 0;\n"),
    ("names the family llama", "models/x.hpp", "#pragma once\nstruct LlamaDecoder {};\n"),
    ("names the family gpt2", "layers/x.hpp", '#pragma once\ninline const char* f() { return "gpt2"; }\n'),
    ("inside a target region", "kernels/k.hpp", "#pragma once\nHEADWISE_BEGIN_AVX2\n#include <cmath>\nHEADWISE_END_TARGET\n"),
    ("outside a target region", "kernels/k.hpp", '#pragma once\n#include "headwise/kernels/k.inc.hpp"\n'),
    ("a fragment includes nothing", "kernels/k.inc.hpp", "#include <cmath>\n"),
    ("not closed", "kernels/k.hpp", "#pragma once\nHEADWISE_BEGIN_AVX2\n"),
]


def findings(files):
    with tempfile.TemporaryDirectory() as root:
        for name, content in files.items():
            path = os.path.join(root, "include", "headwise", name)
            os.makedirs(os.path.dirname(path), exist_ok=True)
            with open(path, "w") as f:
                f.write(content)
        return [f"{name}:{line}: {what}" for name, line, what in rules.findings(root)[1]]


class Rules(unittest.TestCase):
    def test_a_clean_tree_has_no_findings(self):
        self.assertEqual(findings(CLEAN), [])

    def test_every_violation_is_found(self):
        for says, file, content in VIOLATIONS:
            with self.subTest(says=says, file=file):
                found = findings({**CLEAN, "models/m.hpp": "#pragma once\n", file: content})
                self.assertTrue(any(f.startswith(f"headwise/{file}:") and says in f for f in found) or
                                any(says in f and "reached from" in f for f in found), f"{file}: {found}")

    def test_a_body_that_meets_an_unfinished_header(self):
        body = '#pragma once\n#include "headwise/core/b.hpp"\n#include "headwise/core/c.hpp"\nHEADWISE_INLINE void f() { g(); }\n'
        for c, expected in (('#include "headwise/core/b.hpp"\nvoid g();\n', True), ('void g();\n#include "headwise/core/b.hpp"\n', False),
                            ("void g();\n", False)):
            found = findings({**CLEAN, "core/b.inl.hpp": body, "core/c.hpp": "#pragma once\n" + c})
            self.assertEqual(any("b.inl.hpp:3: is read before headwise/core/c.hpp is finished" in f for f in found), expected, found)

    def test_a_body_in_two_units(self):
        header = '#pragma once\n#if HEADWISE_DEFINITIONS\n#include "headwise/{0}/b.inl.hpp"\n#endif\n'
        for room, expected in (("core", False), ("kernels", True)):
            files = {f"{room}/{name}.hpp": header.format(room) for name in "bc"}
            found = findings({**CLEAN, **files, f"{room}/b.inl.hpp": "#pragma once\nHEADWISE_INLINE void f() {}\n"})
            self.assertEqual(any("define it twice" in f for f in found), expected, found)


class Globals(unittest.TestCase):
    SOURCE = """
        #include <atomic>
        #include <string>
        namespace hw {
        int counter;
        static std::atomic<int> hits{3};
        thread_local int depth;
        inline constexpr int kTable[2] = {1, 2};
        inline const char* const kNames[] = {"a", "b"};
        const std::string& name(int i) { static const std::string kName = kNames[i]; return kName; }
        int next(int i) { static int calls = 5; return ++calls + hits++ + depth++ + counter++ + kTable[i]; }
        }
    """

    @unittest.skipUnless(shutil.which(os.environ.get("CXX", "c++")) and shutil.which("objdump"), "no compiler here")
    def test_the_mutable_ones_are_found_and_only_those(self):
        with tempfile.TemporaryDirectory() as folder:
            object_file = os.path.join(folder, "x.o")
            subprocess.run([os.environ.get("CXX", "c++"), "-std=c++20", "-O1", "-fPIC", "-x", "c++", "-c", "-o", object_file, "-"],
                           input=self.SOURCE, text=True, check=True)
            count, found = globals.writable("objdump", object_file)
        self.assertGreater(count, 5)
        self.assertEqual(found, ["hw::counter", "hw::depth", "hw::hits", "hw::next(int)::calls"])


if __name__ == "__main__":
    unittest.main()
