#!/usr/bin/env python3
"""What including headwise costs: user CPU seconds of the compiler at -O2, the least of five, against the budgets.

    python3 bench/compile/measure.py [--compiler g++] [--repeat 5] [--json] [UNIT...]

Every *.cpp beside this script is a unit; its first line says how it is compiled and how long that may take:
`// budget: header-only 30, compiled 2.5` (a delivery without a number is measured and has no budget). Exit status 1: a unit is above
its budget, or does not compile.
"""

import argparse
import json
import os
import pathlib
import re
import subprocess
import sys

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parents[1]
DELIVERIES = {"header-only": [], "compiled": ["-DHEADWISE_COMPILED"]}


def budgets(path):
    head = re.match(r"// budget: (.+)\n", path.read_text())
    if not head:
        sys.exit(f"measure: {path.name}: the first line is not `// budget: ...`")
    for item in head[1].split(","):
        delivery, *limit = item.split()
        if delivery not in DELIVERIES:
            sys.exit(f"measure: {path.name}: a delivery is {' or '.join(DELIVERIES)}, not {delivery}")
        yield delivery, float(limit[0]) if limit else None


def user_seconds(command):
    child = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    words = child.stderr.read()
    _, status, usage = os.wait4(child.pid, 0)
    child.returncode = os.waitstatus_to_exitcode(status)
    if child.returncode:
        sys.exit(f"measure: {' '.join(command)} fails:\n" + "\n".join(words.splitlines()[:20]))
    return usage.ru_utime


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--compiler", default=os.environ.get("CXX", "g++"))
    parser.add_argument("--repeat", type=int, default=5)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("units", nargs="*", metavar="UNIT", help="names without .cpp; all of them when none is named")
    args = parser.parse_args()

    rows = [{"unit": p.stem, "delivery": d, "budget_s": b, "user_s": float("inf")}
            for p in sorted(HERE.glob("*.cpp")) for d, b in budgets(p) if not args.units or p.stem in args.units]
    if not rows:
        parser.error("there is no such unit")
    eigen = next((str(p) for p in (pathlib.Path("/usr/include/eigen3"), pathlib.Path("/usr/local/include/eigen3")) if p.exists()), None)
    for _ in range(args.repeat):  # round after round, so that a loaded minute hits all of them
        for row in rows:
            command = [args.compiler, "-std=c++20", "-O2", "-c", "-o", os.devnull, "-I", str(ROOT / "include"),
                       *(["-isystem", eigen] if eigen else []), *DELIVERIES[row["delivery"]], str(HERE / (row["unit"] + ".cpp"))]
            row["user_s"] = min(row["user_s"], user_seconds(command))

    over = [row for row in rows if row["budget_s"] is not None and row["user_s"] > row["budget_s"]]
    if args.json:
        print(json.dumps(rows))
    else:
        print("| unit | delivery | user CPU s | budget |\n|---|---|---|---|")
        for row in rows:
            print(f"| {row['unit']} | {row['delivery']} | {row['user_s']:.2f} | {'' if row['budget_s'] is None else row['budget_s']} |")
    for row in over:
        print(f"measure: {row['unit']} ({row['delivery']}) is above its budget", file=sys.stderr)
    return 1 if over else 0


if __name__ == "__main__":
    sys.exit(main())
