#!/usr/bin/env python3
"""Every header compiles alone: against headwise::compiled, its body by itself, and header-only.

    headers.py --compiler CXX [--mode compiled|body|header-only] [--part I/N] [--jobs N] [--stamps DIR] [FLAG...]

The first two and the rule `cycles` of rules.py say together what the third says, which takes three times as long and runs with
HEADWISE_LINT_ALL (bash tests/run.sh --full).

A header that passed is not compiled again while it, what it includes from headwise, and the command are unchanged (stamps in DIR).
"""

import argparse
import concurrent.futures
import hashlib
import os
import subprocess
import sys

from rules import read_headers

MODES = {"compiled": ["-DHEADWISE_COMPILED"], "body": ["-DHEADWISE_COMPILED"], "header-only": []}
# Rooms that read files: a size that is narrowed there is checked (checked_cast).
NARROWING = {"io", "text"}


def closure(headers, name, seen=None):
    seen = set() if seen is None else seen
    if name in headers and name not in seen:
        seen.add(name)
        for _, _, own in headers[name].includes:
            closure(headers, own, seen)
    return seen


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--compiler", required=True)
    parser.add_argument("--jobs", type=int, default=os.cpu_count())
    parser.add_argument("--stamps")
    parser.add_argument("--root", default=os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__)))))
    parser.add_argument("--mode", choices=list(MODES), action="append")
    parser.add_argument("--part", metavar="I/N", default="1/1", help="every N-th unit from the I-th on")
    args, flags = parser.parse_known_args()
    headers = read_headers(args.root)
    whole = [n for n, h in headers.items() if not h.fragment and not n.endswith(".inl.hpp")]
    body = [n for n in headers if n.endswith(".inl.hpp")]
    if args.stamps:
        os.makedirs(args.stamps, exist_ok=True)

    def check(job):
        name, mode = job
        strict = ["-Wconversion", "-Wno-sign-conversion"] if headers[name].room in NARROWING else []
        command = [args.compiler, "-std=c++20", "-fsyntax-only", "-Wall", "-Wextra", "-Wpedantic", "-Werror", "-x", "c++", "-I",
                   os.path.join(args.root, "include"), *strict, *flags, *MODES[mode], "-"]
        digest = hashlib.sha256(repr(command).encode())
        for part in sorted(closure(headers, name)):
            digest.update(headers[part].text.encode())
        stamp = args.stamps and os.path.join(args.stamps, f"{name}.{mode}".replace("/", "_"))
        if stamp and os.path.exists(stamp) and open(stamp).read() == digest.hexdigest():
            return job, None
        # Included twice: the guard works too.
        run = subprocess.run(command, input=f'#include "{name}"\n#include "{name}"\n', text=True, capture_output=True)
        if run.returncode:
            return job, run.stderr
        if stamp:
            with open(stamp, "w") as f:
                f.write(digest.hexdigest())
        return job, None

    part, parts = map(int, args.part.split("/"))
    jobs = [(name, mode) for mode in args.mode or MODES for name in (body if mode == "body" else whole)][part - 1::parts]
    failed = 0
    with concurrent.futures.ThreadPoolExecutor(args.jobs) as pool:
        for (name, mode), error in pool.map(check, jobs):
            if error is not None:
                failed += 1
                print(f"include/{name} does not compile alone ({mode}):\n" + "\n".join(error.splitlines()[:12]))
    print(f"{len(whole)} headers, {len(body)} bodies, {len(jobs)} units here, {failed} failed")
    return 1 if failed or not jobs else 0


if __name__ == "__main__":
    sys.exit(main())
