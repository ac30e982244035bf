#!/usr/bin/env python3
"""Holds include/headwise to the rules of CONTRIBUTING.md.

    rules.py [ROOT]     prints one line a finding, `path:line: what is wrong`, and exits 1 if there is any
"""

import os
import re
import sys

# Which rooms a room may include, besides itself. Arrows point down only.
DOWN = ["core", "linalg", "kernels", "io", "flow", "layers"]
ROOMS = {room: set(DOWN[:i]) for i, room in enumerate(DOWN)}
ROOMS["moe"] = set(DOWN)
ROOMS["mixers"] = set(DOWN) | {"moe"}  # attention whose heads are experts
ROOMS["blocks"] = ROOMS["mixers"] | {"mixers"}
ROOMS["models"] = ROOMS["blocks"] | {"blocks"}
ROOMS["text"] = {"core", "io"}
ROOMS["audio"] = {"core", "io"}
ROOMS["generate"] = ROOMS["models"] | {"models", "text", "audio"}
ROOMS["families"] = ROOMS["generate"] | {"generate"}
DOORS = {"headwise.hpp", "auto.hpp"}

# Headers of other projects, and the one room that sees each.
OUTSIDE = {r"Eigen/|unsupported/Eigen/": "linalg", r"nlohmann/": "io", r"pcre2": "text", r"utf8proc": "text"}

HEAVY_FOLDERS = {"kernels", "models", "families"}  # as in cmake/HeadwiseCompiled.cmake

MAX_LINES, MAX_FAMILY_LINES, MAX_COLUMNS = 400, 120, 140

# Published architectures are named in families/ (and in text/, whose file formats name vocabularies after them).
FAMILIES = {"llama", "gpt2", "bert", "roberta", "gemma", "gemma2", "gemma3", "mistral", "mixtral", "qwen2", "qwen3", "deepseek",
            "jamba", "bart", "whisper", "falcon", "phi3"}
FAMILY_ROOMS = {"core", "linalg", "kernels", "io", "flow", "layers", "mixers", "moe", "blocks", "models"}

FORBIDDEN_CALLS = [
    (r"\bstd::(abort|exit|_Exit|quick_exit|terminate)\b|(?<![\w.>:])(abort|exit|_Exit|quick_exit|terminate)\s*\(", "ends the program"),
    (r"\bstd::(cout|cerr|clog|print|println)\b|(?<![\w.>:])(std::)?(printf|fprintf|vprintf|vfprintf|puts|fputs|putchar|perror)\s*\(", "prints"),
]
# Rooms that see files and arguments: there a check is an Error, never an assertion that a release build leaves out.
CHECKED_ROOMS = {"io", "text", "audio", "generate", "families", ""}

INCLUDE = re.compile(r'^\s*#\s*include\s*(?:<([^>]+)>|"([^"]+)")')


def code_only(text, keep_strings=False):
    """The text without comments (and strings), every line kept."""
    token = re.compile(r'//[^\n]*|/\*.*?\*/|R"([^(\s]*)\(.*?\)\1"|"(?:\\.|[^"\\\n])*"|(?<![0-9a-fA-F])\'(?:\\.|[^\'\\\n])+\'', re.S)

    def blank(match):
        found = match.group(0)
        if not found.startswith("/") and keep_strings:
            return found
        return "\n" * found.count("\n") if found.startswith("/") else '""' + "\n" * found.count("\n")

    return token.sub(blank, text)


class Header:
    def __init__(self, path, name):
        self.name = name                              # "headwise/io/gguf.hpp"
        parts = name.split("/")
        self.room = parts[1] if len(parts) > 2 else ""
        with open(path, encoding="utf-8") as f:
            self.text = f.read()
        self.lines = self.text.split("\n")
        self.code = code_only(self.text).split("\n")
        self.includes = [(i, m.group(1), m.group(2)) for i, line in enumerate(code_only(self.text, True).split("\n"), 1)
                         if (m := INCLUDE.match(line))]
        self.fragment = name.endswith(".inc.hpp")     # included several times, in places that its users choose


def read_headers(root):
    headers = {}
    for folder, _, files in os.walk(os.path.join(root, "include", "headwise")):
        for file in sorted(files):
            path = os.path.join(folder, file)
            name = os.path.relpath(path, os.path.join(root, "include")).replace(os.sep, "/")
            headers[name] = Header(path, name)
    return headers


def include_graph(headers):
    for h in headers.values():
        if h.room and h.room not in ROOMS:
            yield h, 1, f"there is no room named {h.room}/ in the plan of the house"
        if not h.room and os.path.basename(h.name) not in DOORS:
            yield h, 1, "only the doors headwise.hpp and auto.hpp lie outside the rooms"
        for line, outside, own in h.includes:
            if own is not None:
                if own not in headers:
                    yield h, line, f'"{own}" is not a header of headwise by its full name ("headwise/room/file.hpp")'
                    continue
                target = headers[own].room
                if h.room == "" or target == h.room:
                    continue
                if target == "" or target not in ROOMS.get(h.room, set()):
                    yield h, line, f"{h.room}/ may not include {target or 'a door'}: arrows point down only"
            else:
                for pattern, room in OUTSIDE.items():
                    if re.match(pattern, outside) and h.room != room:
                        yield h, line, f"<{outside}> is included only in {room}/"


def doors(headers):
    """headwise.hpp needs Eigen alone: no JSON, no PCRE2, no utf8proc, and it names no family."""
    seen, queue = set(), ["headwise/headwise.hpp"]
    while queue:
        name = queue.pop()
        if name in seen or name not in headers:
            continue
        seen.add(name)
        for line, outside, own in headers[name].includes:
            if own:
                if own.startswith("headwise/families/"):
                    yield headers[name], line, "is reached from headwise.hpp, which includes no family"
                queue.append(own)
            elif re.match(r"nlohmann/|pcre2|utf8proc", outside):
                yield headers[name], line, f"<{outside}> is reached from headwise.hpp, which needs no library but Eigen"


def shape(headers):
    for h in headers.values():
        count = len(h.lines) - (h.lines[-1] == "")
        limit = MAX_FAMILY_LINES if h.room == "families" else MAX_LINES
        if count > limit:
            yield h, count, f"{count} lines; at most {limit} in {h.room or 'a door'}/"
        if not h.name.endswith(".hpp"):
            yield h, 1, "headers end in .hpp"
        if h.fragment == ("#pragma once" in h.text):
            yield h, 1, "a fragment (.inc.hpp) has no #pragma once" if h.fragment else "begins with #pragma once"
        for i, line in enumerate(h.lines, 1):
            if len(line) > MAX_COLUMNS:
                yield h, i, f"{len(line)} columns; at most {MAX_COLUMNS}"
            if "\t" in line or line != line.rstrip():
                yield h, i, "a tab, or blanks at the end of the line"


def bodies(headers):
    """A body (x.inl.hpp with HEADWISE_INLINE) is reached from a header of its folder, under HEADWISE_DEFINITIONS: so headwise::compiled
    finds it. Where that library has a source per header, two headers may not reach one body: it would be defined twice."""
    def reached(name, seen):
        for _, _, own in headers[name].includes:
            if own in headers and own.endswith((".inl.hpp", ".inc.hpp")) and own not in seen:
                seen.add(own)
                reached(own, seen)
        return seen

    def defines(name):
        return any("HEADWISE_INLINE" in "\n".join(headers[n].code) for n in reached(name, {name}))

    users = {name: [] for name in headers if name.endswith(".inl.hpp")}
    for h in headers.values():
        is_body = h.name.endswith(".inl.hpp")
        for line, _, own in h.includes:
            if own not in users:
                continue
            if os.path.dirname(h.name) != os.path.dirname(own):
                yield h, line, f"{own} is a body of another folder; include its header"
            under = re.search(r'#if HEADWISE_DEFINITIONS\n(#include "[^"]+"\n)*#include "%s"' % re.escape(own), h.text)
            if not is_body and not under and defines(own):
                yield h, line, f"{own} is not under `#if HEADWISE_DEFINITIONS`"
        if not is_body:
            for body in reached(h.name, set()) & users.keys():
                users[body].append(h.name)
    for name, by in users.items():
        if not by:
            yield headers[name], 1, "no header includes this body"
        heavy = os.path.dirname(name)[len("headwise/"):] in HEAVY_FOLDERS
        if heavy and len(by) > 1 and "HEADWISE_INLINE" in "\n".join(headers[name].code):
            yield headers[name], 1, f"is reached from {' and '.join(by)}; headwise::compiled would define it twice"


def cycles(headers):
    """Header-only, bodies are read where their header ends. Whatever header a program begins with, nothing then includes one that is
    still being read, whose names it would not see. So what compiles header by header and body by body does so header-only, too."""
    end = {h.name: max((i for i, line in enumerate(h.code, 1) if line.strip() and not line.lstrip().startswith("#")), default=0)
           for h in headers.values()}  # the last line but includes
    found = set()

    def read(name, seen, unfinished):
        seen.add(name)
        body = name.endswith(".inl.hpp")
        for line, _, own in headers[name].includes:
            behind = not body and line > end[name]
            if own in unfinished and own != name and not behind:
                found.add((name, line, own))
            if own in headers and own not in seen:
                read(own, seen, unfinished if body or behind else unfinished | {name})

    for h in headers.values():
        if not h.fragment and not h.name.endswith(".inl.hpp"):
            read(h.name, set(), frozenset())
    for name, line, own in sorted(found):
        yield headers[name], line, f"is read before {own} is finished, when a program includes that first"


def forbidden(headers):
    for h in headers.values():
        for i, line in enumerate(h.code, 1):
            for pattern, why in FORBIDDEN_CALLS:
                if m := re.search(pattern, line):
                    yield h, i, f"{m.group(0).strip(' (')} {why}; a library throws hw::Error"
            if h.room in CHECKED_ROOMS and re.search(r"(?<![\w.])assert\s*\(", line):
                yield h, i, "assert checks nothing in a release build; input is checked with hw::fail"
            # Namespace-scope or function-local variables that live as long as the program.
            if re.search(r"\bthread_local\b", line):
                yield h, i, "thread_local is a mutable global"
            m = re.search(r"(?:^|[\s;{])static\s+(?!const\b|constexpr\b|inline\b|constinit\s+const\b|assert)([\w:<>,&*\s]+?)\s(\w+)\s*(=|;|\{|\[)", line)
            if m and "operator" not in line and not re.search(r"\bconst\b\s*$", m.group(1)):
                yield h, i, f"static {m.group(2)} is a mutable global"
            m = re.match(r"inline\s+(?!const\b|constexpr\b|namespace\b|auto\s+operator)([\w:<>,&*\s]+?)\s(\w+)\s*(=|;|\{\})", line)
            if m and not re.search(r"\bconst\b\s*$", m.group(1)):
                yield h, i, f"inline variable {m.group(2)} is a mutable global"


def family_names(headers):
    for h in headers.values():
        if h.room not in FAMILY_ROOMS:
            continue
        for i, line in enumerate(code_only(h.text, True).split("\n"), 1):
            if INCLUDE.match(line):
                continue
            for word in re.findall(r"[A-Za-z0-9_]+", line):
                pieces = {p.lower() for part in word.split("_") for p in re.findall(r"[A-Z]+(?![a-z])[0-9]*|[A-Z]?[a-z]+[0-9]*", part)}
                for name in sorted(pieces & FAMILIES):
                    yield h, i, f"names the family {name}; that belongs into families/"


def target_regions(headers):
    """Nothing but fragments is included inside a target region, and fragments include nothing: a standard or headwise function first
    seen there would be compiled for that instruction set, and the linker may pick it for the whole program."""
    for h in headers.values():
        if h.fragment:
            for line, outside, own in h.includes:
                yield h, line, f"a fragment includes nothing, and this one includes {outside or own}"
            continue
        inside, includes = False, {line: own or outside for line, outside, own in h.includes}
        for i, line in enumerate(h.code, 1):
            defining = line.lstrip().startswith("#define")
            if not defining and re.search(r"\bHEADWISE_BEGIN_\w+|#\s*pragma\s+(GCC\s+(target|push_options)|clang\s+attribute\s+push)", line):
                inside = True
            if i in includes and includes[i].endswith(".inc.hpp") != inside:
                yield h, i, f"{includes[i]} is included {'inside' if inside else 'outside'} a target region"
            if not defining and re.search(r"\bHEADWISE_END_\w+|#\s*pragma\s+(GCC\s+pop_options|clang\s+attribute\s+pop)", line):
                inside = False
        if inside:
            yield h, len(h.lines), "a target region is not closed"


RULES = [include_graph, doors, shape, bodies, cycles, forbidden, family_names, target_regions]


def findings(root):
    headers = read_headers(root)
    found = [(h.name, line, what) for rule in RULES for h, line, what in rule(headers)]
    return headers, sorted(set(found))


def main(argv):
    root = argv[1] if len(argv) > 1 else os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
    headers, found = findings(root)
    for name, line, what in found:
        print(f"include/{name}:{line}: {what}")
    print(f"{len(headers)} headers, {len(found)} findings")
    return 1 if found or not headers else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv))
