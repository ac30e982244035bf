#!/usr/bin/env python3
"""No mutable globals, as the linker sees them.

    globals.py OBJDUMP LIBRARY     prints every object of ours in writable memory that is not a constant set up on first use; exits 1 if any

A function-local `static const` that is computed lies in writable memory too, beside a guard variable of its name: those pass here
(rules.py reads the source for `static` without const).
"""

import re
import subprocess
import sys

GUARD = "guard variable for "


def writable(objdump, library):
    """The number of symbols, and the names of those in .data, .bss and their thread-local kin (.data.rel.ro is constant after loading)."""
    run = subprocess.run([objdump, "-t", "-C", library], capture_output=True, text=True)
    if run.returncode:
        sys.exit(f"globals: {run.stderr.strip()}")
    count, names = 0, set()
    for line in run.stdout.splitlines():
        if m := re.match(r"[0-9a-f]+ .{7} (\S+)\t[0-9a-f]+\s+(?:\.hidden )?(.+)", line):
            count += 1
            section, name = m.groups()
            if re.match(r"\.(data(?!\.rel\.ro)|bss|tdata|tbss)", section) and name != section:
                names.add(name)
    guarded = {name[len(GUARD):] for name in names if name.startswith(GUARD)}
    return count, sorted(n for n in names if n not in guarded and not n.startswith((GUARD, "std::", "DW.ref.", ".", "_")))


def main():
    count, found = writable(*sys.argv[1:3])
    for name in found:
        print(f"mutable global: {name}")
    print(f"{count} symbols, {len(found)} findings")
    return 1 if found or not count else 0


if __name__ == "__main__":
    sys.exit(main())
