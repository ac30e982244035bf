#!/usr/bin/env python3
"""No mutable globals, as the linker sees them.

    globals.py NM LIBRARY     prints every writable symbol of the library that is not a constant set up on first use, exits 1 if any

A function-local `static const` that is computed lies in writable memory too, beside a guard variable of its name: those pass here
(rules.py reads the source for `static` without const).
"""

import re
import subprocess
import sys


def writable(nm, library):
    lines = subprocess.run([nm, "-C", library], check=True, capture_output=True, text=True).stdout.splitlines()
    symbols = [m.groups() for line in lines if (m := re.match(r"[0-9a-f]* +(\w) (.*)", line))]
    guarded = {name[len("guard variable for "):] for _, name in symbols if name.startswith("guard variable for ")}
    ours = [name for kind, name in symbols if kind in "bBdDuGgSs"]
    return len(symbols), sorted({n for n in ours if n not in guarded and not n.startswith(("guard variable for ", "DW.ref.", "__"))
                                 and not re.match(r"\.L|std::|typeinfo|vtable", n)})


def main():
    count, found = writable(*sys.argv[1:3])
    for name in found:
        print(f"mutable global: {name}")
    print(f"{count} symbols, {len(found)} findings")
    return 1 if found or not count else 0


if __name__ == "__main__":
    sys.exit(main())
