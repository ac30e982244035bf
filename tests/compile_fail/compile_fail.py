#!/usr/bin/env python3
"""Programs that must not compile, and the sentence that the user then reads.

    compile_fail.py --compiler CXX [FLAG...]

Every *.cpp beside this script begins with `// expect: SENTENCE` (several for several compilers: `// expect: A | B`) and may go on with
`// lines: N`, the most lines that the compiler may print (60 if it says nothing: a sentence under hundreds of lines is not readable).
It must compile with -DHEADWISE_CORRECT, which selects the corrected program (so that it fails for its reason and not for a typing
error), and without it must fail with the sentence in the compiler's output.
"""

import argparse
import os
import pathlib
import re
import subprocess
import sys

HERE = pathlib.Path(__file__).resolve().parent


def compile_case(compiler, flags, path):
    command = [compiler, "-std=c++20", "-fsyntax-only", "-I", str(HERE.parents[1] / "include"), *flags, str(path)]
    run = subprocess.run(command, capture_output=True, text=True, env={**os.environ, "LC_ALL": "C"})
    return run.returncode, run.stderr


def check(compiler, flags, path):
    head = re.match(r"// expect: (.+)\n(?:// lines: (\d+)\n)?", path.read_text())
    if not head:
        return "its first line is not `// expect: SENTENCE`"
    status, output = compile_case(compiler, [*flags, "-DHEADWISE_CORRECT"], path)
    if status != 0:
        return "its corrected program does not compile:\n" + "\n".join(output.splitlines()[:10])
    status, output = compile_case(compiler, flags, path)
    if status == 0:
        return "it compiles"
    if not any(sentence.strip() in output for sentence in head[1].split(" | ")):
        return f"the compiler does not say: {head[1]}\nIt says:\n" + "\n".join(output.splitlines()[:10])
    lines, most = len(output.splitlines()), int(head[2] or 60)
    return None if lines <= most else f"the compiler prints {lines} lines; at most {most} are readable"


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--compiler", required=True)
    args, flags = parser.parse_known_args()
    cases = sorted(HERE.glob("*.cpp"))
    failed = 0
    for path in cases:
        error = check(args.compiler, flags, path)
        failed += error is not None
        print(f"{'FAIL' if error else 'ok'} {path.name}" + (f": {error}" if error else ""))
    print(f"{len(cases)} cases, {failed} failed")
    return 1 if failed or not cases else 0


if __name__ == "__main__":
    sys.exit(main())
