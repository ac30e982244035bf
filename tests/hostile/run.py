#!/usr/bin/env python3
"""Runs the cases of the corpus (README.md) through hostile_probe, one child process each, and holds them to the law.

    run.py PROBE [--kinds gguf,safetensors,...] [--only TEXT] [--verbose]

needs_model.txt lists the cases whose error only a model or a tokenizer can see; here they must load. A case that is listed and gives an
error is a finding too, so that the list only shrinks.
"""
import argparse
import json
import os
import resource
import shutil
import signal
import subprocess
import sys
import tempfile
import time

import corpus

PWNED = "/tmp/headwise-pwned"
KINDS = ("base", "gguf", "safetensors", "index", "config", "tokenizer", "tokenizer_config")
CASE_KINDS = ("base", "gguf", "safetensors", "index")  # config, tokenizer, ... have errors that no file reader sees


class Child:
    """What became of one run of the probe."""

    def __init__(self, command, address_space, seconds):
        def limit():
            resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
            resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
            if address_space:
                resource.setrlimit(resource.RLIMIT_AS, (address_space, address_space))

        start = time.monotonic()
        with tempfile.TemporaryFile() as errors:
            process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=errors, preexec_fn=limit)
            os.set_blocking(process.stdout.fileno(), False)
            output, status, pause = b"", None, 0.001
            while status is None:
                output += process.stdout.read() or b""
                pid, raw, usage = os.wait4(process.pid, os.WNOHANG)
                if pid:
                    status, self.peak_kb = os.waitstatus_to_exitcode(raw), usage.ru_maxrss
                elif time.monotonic() - start > seconds:
                    process.kill()
                    _, raw, usage = os.wait4(process.pid, 0)
                    status, self.peak_kb = "timeout", usage.ru_maxrss
                else:
                    time.sleep(pause)
                    pause = min(2 * pause, 0.02)
            self.output = output + (process.stdout.read() or b"")
            process.returncode = 0
            process.stdout.close()
            errors.seek(0)
            self.errors = errors.read().decode(errors="replace")
        self.status = status

    def describe(self):
        if isinstance(self.status, int) and self.status < 0:
            return f"signal {signal.Signals(-self.status).name}"
        return f"exit {self.status}"


def judge(case, child, idle_peak_kb, sanitized, needs_model):
    """The findings of one case, as sentences."""
    found = []
    message = child.output.decode(errors="replace")
    if child.status not in (0, 3):
        return [f"{child.describe()} {message[:200]} {child.errors[:400]}".strip()]
    got = "ok" if child.status == 0 else "error"
    expect = case["expect"]
    if case["path"] in needs_model:
        if got == "error":
            found.append("is in needs_model.txt, yet the file is refused: " + message)
    elif expect != "error-or-ok" and got != expect:
        found.append(f"expected {expect}, found {got} {message}")
    if got == "error" and not message:
        found.append("an error without a message")
    if len(child.output) > min(500, case.get("max_message_bytes", 500)):
        found.append(f"a message of {len(child.output)} bytes")
    if any(ord(c) < 32 or ord(c) == 127 for c in message):
        found.append("control characters in the message")
    for text in case.get("forbid", []):
        if text in message:
            found.append(f"the message has {text!r}")
    if got == "error" and expect == "error":
        for text in case.get("must_mention", []):
            if text not in message:
                found.append(f"the message does not mention {text!r}: {message}")
    if child.peak_kb - idle_peak_kb > case["max_memory_mb"] * 1024 * (3 if sanitized else 1):
        found.append(f"{(child.peak_kb - idle_peak_kb) >> 10} MB of memory")
    return found


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("probe")
    parser.add_argument("--kinds", default=",".join(KINDS))
    parser.add_argument("--only", default="")
    parser.add_argument("--verbose", action="store_true")
    options = parser.parse_args()
    kinds = options.kinds.split(",")

    with open(os.path.join(corpus.HERE, "manifest.json")) as f:
        manifest = json.load(f)
    with open(os.path.join(corpus.HERE, "needs_model.txt")) as f:
        needs_model = {line.split("#")[0].strip() for line in f} - {""}

    idle = Child([options.probe, "--idle"], None, 60)
    if idle.status != 0:
        sys.exit(f"{options.probe} --idle: {idle.describe()}")
    idle_bytes, idle_peak_kb = int(idle.output) << 10, idle.peak_kb
    sanitized = idle_bytes > 1 << 40  # the address space of a sanitizer's shadow memory

    tasks = [(c, corpus.materialise) for c in manifest["cases"] if c["kind"] in kinds and c["kind"] in CASE_KINDS]
    for m in manifest["mutations"]:
        if m["kind"] in kinds and os.path.exists(os.path.join(corpus.HERE, m["base"])):
            tasks.append((dict(m, path=f"mutation {m['base']} {m['seed']}", expect=manifest["mutations_expect"],
                               max_memory_mb=manifest["mutations_max_memory_mb"], max_seconds=manifest["mutations_max_seconds"]),
                          corpus.materialise_mutation))
    unknown = needs_model - {c["path"] for c in manifest["cases"]}
    findings = [f"needs_model.txt names {path}, which is no case" for path in sorted(unknown)]
    if os.path.exists(PWNED):
        os.remove(PWNED)
    counts = {"ok": 0, "error": 0}
    ran = 0
    with tempfile.TemporaryDirectory(prefix="headwise-hostile-") as top:
        for i, (case, materialise) in enumerate(tasks):
            if options.only not in case["path"]:
                continue
            folder = os.path.join(top, str(i))
            path = materialise(case, folder)
            before = sorted(os.listdir(folder))
            seconds = case["max_seconds"] * (10 if sanitized else 1)
            space = None if sanitized else idle_bytes + ((case["max_memory_mb"] + 64) << 20)
            child = Child([options.probe, path], space, seconds)
            wrong = judge(case, child, idle_peak_kb, sanitized, needs_model)
            if sorted(os.listdir(folder)) != before or os.path.exists(PWNED):
                wrong.append("something was written")
            shutil.rmtree(folder)
            ran += 1
            counts["ok" if child.status == 0 else "error"] += 1
            findings += [f"{case['path']}: {w}" for w in wrong]
            if options.verbose:
                print(f"{case['path']}: {child.describe()} {child.peak_kb >> 10} MB {child.output.decode(errors='replace')}")
    for finding in findings:
        print("FAIL", finding)
    print(f"{ran} cases: {counts['ok']} loaded, {counts['error']} refused, {len(findings)} findings")
    return 1 if findings or not ran else 0


if __name__ == "__main__":
    sys.exit(main())
