#!/usr/bin/env python3
"""Runs the corpus (README.md) through hostile_probe, one child process a case, and holds what becomes of them to the law.

    run.py PROBE [--kinds gguf,safetensors,...] [--only TEXT] [--verbose]

Prints a line a kind: how many cases are as expected, and how many messages name the culprit (`must_mention`). Exit 0: all are, and at
least 95% do. A case whose base is of a family that the probe does not know is void, and counted as such.
"""
import argparse
import collections
import hashlib
import json
import os
import resource
import shutil
import signal
import struct
import subprocess
import sys
import tempfile
import threading

import corpus

PWNED = "/tmp/headwise-pwned"
MODELS = ("base", "gguf", "safetensors", "index", "config", "tokenizer", "tokenizer_config")
KINDS = MODELS + ("sentencepiece", "chat_template", "grammar")
TEXT = "the cat sat on the mat"  # what mutated tokenizers encode
MENTION_SHARE = 0.95
NOTHING_TO_MENTION = {"tokenizer/post-unknown/tokenizer.json"}  # the file is [null, null]: the name it should hold is not in it


class Child:
    """What became of one run of the probe."""

    def __init__(self, command, request=None, address_space=None, seconds=60):
        def limit():
            resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
            resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
            if address_space:
                resource.setrlimit(resource.RLIMIT_AS, (address_space, address_space))

        process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, preexec_fn=limit)
        texts = {}
        readers = [threading.Thread(target=lambda f, name: texts.__setitem__(name, f.read()), args=(f, name))
                   for f, name in ((process.stdout, "output"), (process.stderr, "errors"))]
        late = threading.Event()
        timer = threading.Timer(seconds, lambda: (late.set(), process.kill()))
        for thread in (*readers, timer):
            thread.start()
        try:
            process.stdin.write(json.dumps(request or {}).encode())
            process.stdin.close()
        except BrokenPipeError:  # it ended without reading
            pass
        _, status, usage = os.wait4(process.pid, 0)
        timer.cancel()
        for reader in readers:
            reader.join()
        process.returncode = 0  # so that Popen does not wait again
        process.stdout.close()
        process.stderr.close()
        self.status = "timeout" if late.is_set() else os.waitstatus_to_exitcode(status)
        self.output, self.errors = texts["output"].decode(), texts["errors"].decode(errors="replace")
        self.peak_kb, self.seconds = usage.ru_maxrss, usage.ru_utime + usage.ru_stime
        self.answer = {}
        if self.status in (0, 3, 4) and request is not None:
            self.answer = json.loads(self.output)

    def describe(self):
        if isinstance(self.status, int) and self.status < 0:
            return f"signal {signal.Signals(-self.status).name}"
        return f"exit {self.status}"


def same_ids(ids, reference):
    if isinstance(reference, list):
        return ids == reference
    return len(ids) == reference["n"] and hashlib.sha256(struct.pack(f"<{len(ids)}I", *ids)).hexdigest()[:16] == reference["sha256_16"]


def same_text(text, reference):
    if isinstance(reference, str):
        return text == reference
    return len(text) == reference["n"] and hashlib.sha256(text.encode()).hexdigest()[:16] == reference["sha256_16"]


class Runner:
    def __init__(self, probe):
        self.probe = probe
        idle = Child([probe, "--idle"])
        families = Child([probe, "--families"])
        if idle.status != 0 or families.status != 0:
            sys.exit(f"{probe} --idle: {idle.describe()} {idle.errors}")
        self.idle_bytes, self.idle_peak_kb = int(idle.output) << 10, idle.peak_kb
        self.sanitized = self.idle_bytes > 1 << 40  # the address space of a sanitizer's shadow memory
        self.families = set(families.output.split())
        with open(os.path.join(corpus.HERE, "golden.json")) as f:
            self.golden = json.load(f)

    def void(self, case):
        """The family that the case needs and the probe has not, or nothing."""
        base = case["path"] if case["kind"] == "base" else case.get("overlay_of")
        if not base or case["kind"] == "chat_template":
            return None
        with open(os.path.join(corpus.HERE, base, "config.json")) as f:
            family = json.load(f)["model_type"]
        return None if family in self.families else family

    def run(self, case, path):
        slow = 10 if self.sanitized else 1
        request = {"ids": self.golden["ids"] if case["kind"] in MODELS else None, "probe": case.get("probe", {})}
        space = None if self.sanitized else self.idle_bytes + ((case["max_memory_mb"] + 64) << 20)
        # The bound is on an idle core: processor time is held to it, and the clock to more, since other programs run here too.
        child = Child([self.probe, case["kind"], path], request, space, 4 * slow * case["max_seconds"])
        found = self.judge(case, child)
        if child.seconds > slow * case["max_seconds"]:
            found.append(f"{child.seconds:.1f} s of processor time")
        if child.status == 3 and case.get("probe", {}).get("load_must_succeed"):
            bare = Child([self.probe, case["kind"], path], {"ids": request["ids"]}, space, 4 * slow * case["max_seconds"])
            if bare.status != 0:
                found.append(f"it must load: {bare.describe()} {bare.output[:300]}")
        return child, found

    def judge(self, case, child):
        """The findings of one case, as sentences."""
        if child.status not in (0, 3):
            return [f"{child.describe()} {child.output[:300]} {child.errors[:600]}".strip()]
        found = []
        got = "ok" if child.status == 0 else "error"
        message = child.answer.get("error", "")
        if case["expect"] != "error-or-ok" and got != case["expect"]:
            found.append(f"expected {case['expect']}, found {got} {message}")
        if got == "ok":
            found += self.judge_answer(case, child.answer)
        elif not message:
            found.append("an error without a message")
        size = len(message.encode())
        if size > min(500, case.get("max_message_bytes", 500)):
            found.append(f"a message of {size} bytes")
        if any(ord(c) < 32 or ord(c) == 127 for c in message):
            found.append("control characters in the message")
        found += [f"it says {text!r}" for text in case.get("forbid", []) if text in child.output]
        used = child.peak_kb - self.idle_peak_kb
        if used > case["max_memory_mb"] * 1024 * (3 if self.sanitized else 1):
            found.append(f"{used >> 10} MB of memory")
        return found

    def judge_answer(self, case, answer):
        found = []
        rows = answer["logits"]
        if "golden" in case:
            want = self.golden["models"][case["golden"]]
            tolerance = case.get("golden_tolerance", self.golden["tolerance"])
            if [len(row) for row in rows] != [len(row) for row in want]:
                found.append("logits of another shape")
            elif not all(isinstance(v, float) for row in rows for v in row):
                found.append("logits that are not finite")
            else:
                error = max(abs(a - b) for x, y in zip(rows, want) for a, b in zip(x, y))
                if error > tolerance:
                    found.append(f"logits differ by {error:.2g}")
        if case.get("outputs") == "nan" and not (rows and all(v == "nan" for row in rows for v in row)):
            found.append("logits that are not all NaN")
        if case["expect"] == "ok":
            texts = case.get("probe", {}).get("encode", [])
            references = case.get("reference_ids") or [self.golden["ids"] for text in texts if text == self.golden["text"]]
            for text, ids, reference in zip(texts, answer["ids"], references):
                if not same_ids(ids, reference):
                    found.append(f"ids of {str(text)[:80]!r}: {str(ids)[:120]}, expected {str(reference)[:120]}")
            found += [f"{text!r} is not accepted"
                      for text, accepted in zip(case.get("probe", {}).get("accept", []), answer["accepts"]) if not accepted]
            if "reference_text" in case and not same_text(answer["text"], case["reference_text"]):
                found.append(f"rendered {answer['text'][:200]!r}")
        return found


def tasks_of(manifest, kinds):
    for case in manifest["cases"]:
        if case["kind"] in kinds:
            yield case, corpus.materialise
    for m in manifest["mutations"]:
        if m["kind"] in kinds:
            yield dict(m, path=f"mutation {m['seed']} of {m['base']}", expect=manifest["mutations_expect"],
                       probe={"encode": [TEXT]} if "tokenizer" in m["kind"] or m["kind"] == "sentencepiece" else {},
                       max_memory_mb=manifest["mutations_max_memory_mb"],
                       max_seconds=manifest["mutations_max_seconds"]), corpus.materialise_mutation


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("probe")
    parser.add_argument("--kinds", default=",".join(KINDS))
    parser.add_argument("--only", default="")
    parser.add_argument("--verbose", action="store_true")
    options = parser.parse_args()
    kinds = options.kinds.split(",")
    if wrong := set(kinds) - set(KINDS):
        sys.exit(f"--kinds: expected some of {', '.join(KINDS)}, found {', '.join(sorted(wrong))}")
    with open(os.path.join(corpus.HERE, "manifest.json")) as f:
        manifest = json.load(f)
    runner = Runner(options.probe)
    if os.path.exists(PWNED):
        os.remove(PWNED)

    counts = {kind: collections.Counter() for kind in kinds}
    voids = collections.Counter()
    with tempfile.TemporaryDirectory(prefix="headwise-hostile-") as top:
        for i, (case, materialise) in enumerate(tasks_of(manifest, kinds)):
            if options.only not in case["path"]:
                continue
            if family := runner.void(case):
                voids[family] += 1
                continue
            folder = os.path.join(top, str(i))
            path = materialise(case, folder)
            before = sorted(os.listdir(folder))
            child, found = runner.run(case, path)
            if sorted(os.listdir(folder)) != before or os.path.exists(PWNED):
                found.append("something was written")
            shutil.rmtree(folder)
            count = counts[case["kind"]]
            count["cases"] += 1
            count["as expected"] += not found
            for text in found:
                print(f"FAIL {case['path']}: {text}")
            if child.status == 3 and case["expect"] == "error" and case["path"] not in NOTHING_TO_MENTION:
                for text in case.get("must_mention", []):
                    count["to mention"] += 1
                    count["mentioned"] += text in child.answer["error"]
                    if text not in child.answer["error"]:
                        print(f"note {case['path']}: the message does not mention {text!r}: {child.answer['error']}")
            if options.verbose:
                used = (child.peak_kb - runner.idle_peak_kb) >> 10
                print(f"{case['path']}: {case['expect']}: {child.describe()} {child.seconds:.2f} s {used} MB {child.output[:300].strip()}")

    for kind in kinds:
        c = counts[kind]
        print(f"{kind}: {c['as expected']} of {c['cases']} as expected; the culprit is named in {c['mentioned']} of {c['to mention']} messages")
    for family, n in voids.items():
        print(f"void: {n} cases need the family {family}, which is not there yet")
    sum_of = lambda key: sum(c[key] for c in counts.values())
    good = sum_of("cases") > 0 and sum_of("as expected") == sum_of("cases") and sum_of("mentioned") >= MENTION_SHARE * sum_of("to mention")
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
