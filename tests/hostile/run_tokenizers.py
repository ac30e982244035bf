#!/usr/bin/env python3
"""Runs the tokenizer cases of the corpus (README.md) through tokenizer_probe, one child process each, and holds them to the law.

    run_tokenizers.py PROBE [--kinds tokenizer,...] [--only TEXT] [--verbose]

Where a case says `ok`, the ids are those of the reference. `forward` needs a model: here a vocabulary beyond its 64 rows counts as its error.
"""
import argparse
import hashlib
import json
import os
import shutil
import struct
import sys
import tempfile

import corpus
from run import PWNED, Child, judge

KINDS = ("tokenizer", "tokenizer_config", "sentencepiece", "gguf")
ROWS = 64  # of the embedding of every base model
NOTHING_TO_MENTION = {"tokenizer/post-unknown/tokenizer.json"}  # the file is [null, null]: the name it should hold is not in it


def texts_of(probe):
    """The probe's texts as bytes."""
    for text in probe.get("encode", []):
        yield text.encode("utf-8", "surrogatepass") if isinstance(text, str) else corpus.expand([text])


def is_about_tokenizers(case):
    """Of the GGUF cases: those whose damage only the vocabulary's reader sees."""
    words = ("vocab-", "token-type", "bos-id", "eos-id", "unknown-id", "padding-id", "eot-id", "byte-token", "spm-", "charsmap-", "add-bos", "merge")
    return any(os.path.basename(case["path"]).startswith(word) for word in words)


def same_ids(line, reference):
    ids = [int(word) for word in line.split()]
    if isinstance(reference, list):
        return ids == reference
    return len(ids) == reference["n"] and hashlib.sha256(struct.pack(f"<{len(ids)}I", *ids)).hexdigest()[:16] == reference["sha256_16"]


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

    idle = Child([options.probe, "--idle"], None, 60)
    if idle.status != 0:
        sys.exit(f"{options.probe} --idle: {idle.describe()}")
    idle_bytes, idle_peak_kb = int(idle.output) << 10, idle.peak_kb
    sanitized = idle_bytes > 1 << 40  # the address space of a sanitizer's shadow memory

    tasks = [(c, corpus.materialise) for c in manifest["cases"] if c["kind"] in kinds and (c["kind"] != "gguf" or is_about_tokenizers(c))]
    for m in manifest["mutations"]:
        base = m["base"]
        if m["kind"] in kinds and m["kind"] != "gguf" and os.path.exists(os.path.join(corpus.HERE, base)):
            tasks.append((dict(m, path=f"mutation {base} {m['seed']}", expect=manifest["mutations_expect"], probe={"encode": ["the cat sat on the mat"]},
                               max_memory_mb=manifest["mutations_max_memory_mb"], max_seconds=manifest["mutations_max_seconds"]),
                          corpus.materialise_mutation))
    findings, counts = [], {"ok": 0, "error": 0}
    with tempfile.TemporaryDirectory(prefix="headwise-hostile-") as top:
        for i, (case, materialise) in enumerate(tasks):
            if options.only not in case["path"]:
                continue
            folder = os.path.join(top, str(i))
            path = materialise(case, folder)
            probe = case.get("probe", {})
            what = {"encode": [text.hex() for text in texts_of(probe)]}
            for key in ("detokenize", "chat"):
                if key in probe:
                    what[key] = probe[key]
            probe_path = os.path.join(top, "probe.json")
            with open(probe_path, "w") as f:
                json.dump(what, f)
            before = sorted(os.listdir(folder))
            space = None if sanitized else idle_bytes + ((case["max_memory_mb"] + 64) << 20)
            limit = [str(ROWS)] if probe.get("forward") or case["kind"] == "gguf" else []
            child = Child([options.probe, path, probe_path] + limit, space, case["max_seconds"] * (10 if sanitized else 1))
            output = child.output.decode(errors="replace")
            if child.status == 0:
                child.output = b""  # no message
            if case["path"] in NOTHING_TO_MENTION:
                case = dict(case, must_mention=[])
            wrong = judge(case, child, idle_peak_kb, sanitized, set())
            lines = output.split("\n")
            if child.status == 0 and case["expect"] == "ok":
                for k, reference in enumerate(case.get("reference_ids", [])):
                    if not same_ids(lines[k], reference):
                        wrong.append(f"ids of text {k}: {lines[k][:120]}, expected {str(reference)[:120]}")
                if "reference_text" in case and json.loads(lines[-2]) != case["reference_text"]:
                    wrong.append(f"rendered {lines[-2][:200]}")
            if sorted(os.listdir(folder)) != before or os.path.exists(PWNED):
                wrong.append("something was written")
            shutil.rmtree(folder)
            counts["ok" if child.status == 0 else "error"] += 1
            findings += [f"{case['path']}: {w}" for w in wrong]
            if options.verbose:
                print(f"{case['path']}: {case['expect']}: {child.describe()} {(child.peak_kb - idle_peak_kb) >> 10} MB {output[:300]!r}")
    for finding in findings:
        print("FAIL", finding)
    print(f"{sum(counts.values())} cases: {counts['ok']} loaded, {counts['error']} refused, {len(findings)} findings")
    return 1 if findings or not sum(counts.values()) else 0


if __name__ == "__main__":
    sys.exit(main())
