#!/usr/bin/env python3
"""headwise in somebody else's project, as find_package, add_subdirectory and FetchContent.

    package.py (find_package|add_subdirectory|fetch_content) --cmake CMAKE --compiler CXX --build BUILD --work DIR [--config CONFIG] [--flags FLAGS]

BUILD is a finished build of headwise (find_package installs it under DIR, which is made anew).
"""

import argparse
import pathlib
import re
import shutil
import subprocess
import sys

HERE = pathlib.Path(__file__).resolve().parent
SOURCE = HERE.parents[1]


def run(*command, expect=0):
    print("+", *command, flush=True)
    done = subprocess.run([str(c) for c in command], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    print(done.stdout, flush=True)
    if (done.returncode == 0) != (expect == 0):
        sys.exit(f"FAIL: exit status {done.returncode}")
    return done.stdout


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("how", choices=["find_package", "add_subdirectory", "fetch_content"])
    for name in ("cmake", "compiler", "build", "work"):
        parser.add_argument("--" + name, required=True)
    parser.add_argument("--config", default="Release")
    parser.add_argument("--flags", default="")
    args = parser.parse_args()

    work = pathlib.Path(args.work)
    shutil.rmtree(work, ignore_errors=True)
    work.mkdir(parents=True)
    configure = [args.cmake, "-G", "Ninja", f"-DCMAKE_BUILD_TYPE={args.config}", f"-DCMAKE_CXX_COMPILER={args.compiler}",
                 f"-DCMAKE_CXX_FLAGS={args.flags}", "-S", HERE / "consumer", f"-DHOW={args.how}"]
    if args.how == "find_package":
        run(args.cmake, "--install", args.build, "--prefix", work / "first")
        (work / "first").rename(work / "prefix")  # an installed package can be moved
        configure.append(f"-DCMAKE_PREFIX_PATH={work / 'prefix'}")
    else:
        configure.append(f"-DHEADWISE_SOURCE={SOURCE}")

    texts = [SOURCE / "README.md", *sorted((SOURCE / "docs").glob("*.md"))]
    readme = [b for t in texts for b in re.findall(r"```cpp\n(.*?)```", t.read_text(), re.S) if "int main(" in b]
    for i, block in enumerate(readme):
        (work / f"readme_{i}.cpp").write_text(block)
    configure.append("-DREADME_PROGRAMS=" + ";".join(str(work / f"readme_{i}.cpp") for i in range(len(readme))))
    run(*configure, "-B", work / "build")
    run(args.cmake, "--build", work / "build")
    programs = ["with_headers"] + (["with_library"] if args.how == "find_package" else [])
    for program in programs:
        run(work / "build" / program)
    if args.how == "find_package":
        # Wrong wishes are refused in words.
        find = "cmake_minimum_required(VERSION 3.22)\nproject(wrong LANGUAGES CXX)\nfind_package(headwise {} REQUIRED)\n"
        for wish, says in (("9.9", "9.9"), ("COMPONENTS telepathy", 'no component "telepathy"')):
            (work / "wrong").mkdir(exist_ok=True)
            (work / "wrong" / "CMakeLists.txt").write_text(find.format(wish))
            wrong = run(args.cmake, "-G", "Ninja", f"-DCMAKE_CXX_COMPILER={args.compiler}", f"-DCMAKE_PREFIX_PATH={work / 'prefix'}",
                        "-S", work / "wrong", "-B", work / "wrong" / "build", expect=1)
            if says not in " ".join(wrong.split()):
                sys.exit(f"FAIL: find_package(headwise {wish}) does not say {says}")
    else:
        # Nothing of headwise's own is built or tested there.
        tests = run(shutil.which("ctest", path=str(pathlib.Path(args.cmake).parent)) or "ctest", "--test-dir", work / "build", "-N")
        if "Total Tests: 0" not in tests:
            sys.exit("FAIL: headwise brings its tests into the consumer's")
        stray = [p for p in (work / "build").rglob("*") if p.is_file() and p.name.startswith(("test_", "libheadwise"))]
        if stray:
            sys.exit(f"FAIL: built without being asked for: {stray}")
    print("ok")


if __name__ == "__main__":
    main()
