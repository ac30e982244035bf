#!/usr/bin/env python3
"""Runs fuzz targets for a while, from seeds out of the corpus of damaged files and the golden data.

    run.py build/fuzz/bin/fuzz_NAME... [--seconds 10] [--keep FOLDER]

Prints executions, executions a second and the edges covered. --keep: the inputs found are kept there, and are the seeds of the next run;
what breaks a law lies there too (crash-*), or else in the current folder. A long run: --seconds 1200 --keep ~/fuzz.
"""
import argparse
import glob
import json
import os
import re
import struct
import subprocess
import sys
import tempfile

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
HOSTILE = os.path.join(ROOT, "tests", "hostile")
GOLDEN = os.path.join(ROOT, "tests", "golden")
JSON_WORDS = ['"{"', '"}"', '"["', '"]"', '":"', '","', '"null"', '"true"', '"-1"', '"1e999"', '"NaN"', '"\\"\\""']
SCHEMAS = [
    {"type": "object", "properties": {"a": {"type": "integer"}, "b": {"enum": ["x", 1, None]}}, "required": ["a"], "additionalProperties": False},
    {"type": "array", "items": {"$ref": "#/$defs/n"}, "minItems": 1, "maxItems": 3, "$defs": {"n": {"anyOf": [{"type": "string"}, True]}}},
    {"prefixItems": [{"const": "a"}], "type": "array"},
]
MAX_LENGTH = {"gguf": 32768, "safetensors": 32768, "tokenizer_json": 16384, "sentencepiece": 8192, "chat_template": 4096, "config": 4096,
              "model_bin": 8192, "grammar": 2048, "wav": 4096, "saved_state": 40000, "calls": 100}


def files(*patterns):
    for pattern in patterns:
        for path in sorted(glob.glob(pattern)):
            if os.path.getsize(path) <= 32768:
                with open(path, "rb") as f:
                    yield f.read()


def ctranslate2():
    """A file of every type, with scales and an alias."""
    def text(s):
        return struct.pack("<H", len(s) + 1) + s.encode() + b"\0"

    def tensor(name, shape, kind, data):
        return text(name) + struct.pack(f"<B{len(shape)}IBI", len(shape), *shape, kind, len(data)) + data

    tensors = [tensor("decoder/layer_0/ffn/linear_0/weight", (2, 3), 1, b"abcdef"),
               tensor("decoder/layer_0/ffn/linear_0/weight_scale", (2,), 0, struct.pack("<2f", 2, 4)),
               tensor("decoder/num_heads", (), 2, b"\4\0"), tensor("decoder/eps", (), 0, struct.pack("<f", 0.5)),
               tensor("encoder/conv1/weight", (2, 1, 1), 4, b"\0<\0<"), tensor("encoder/steps", (1,), 3, b"\1\0\0\0")]
    return (struct.pack("<I", 6) + text("WhisperSpec") + struct.pack("<II", 3, len(tensors)) + b"".join(tensors) + struct.pack("<I", 1)
            + text("decoder/alias") + text("decoder/num_heads"))


def marian():
    """A file of every type, with settings."""
    settings = b"type: transformer\ndim-vocabs:\n  - 3\n  - 3\ntransformer-heads: 1\ndim-emb: 2\nskip: false\n\0"
    items = [("encoder_l1_self_Wq", 0x4101, (2, 2), b"abcd" + struct.pack("<f", 2)), ("Wemb", 0x4101, (3, 2), b"abcdef" + struct.pack("<f", 2)),
             ("encoder_l1_self_bq", 0x404, (1, 2), struct.pack("<2f", 1, 2)), ("none_QuantMultA", 0x404, (1, 1), struct.pack("<f", 1)),
             ("special:model.yml", 0x101, (len(settings),), settings)]
    heads = b"".join(struct.pack("<4Q", len(n) + 1, kind, len(shape), len(data)) for n, kind, shape, data in items)
    names = b"".join(n.encode() + b"\0" for n, *_ in items)
    shapes = b"".join(struct.pack(f"<{len(shape)}i", *shape) for _, _, shape, _ in items)
    return struct.pack("<2Q", 1, len(items)) + heads + names + shapes + struct.pack("<Q", 0) + b"".join(data for *_, data in items)


def wavs():
    """A file of every coding."""
    for coding, bits, channels in [(1, 8, 1), (1, 16, 2), (1, 24, 1), (1, 32, 1), (3, 32, 2), (0xFFFE, 16, 1)]:
        block = channels * bits // 8
        form = struct.pack("<HHIIHH", coding, channels, 8000, 8000 * block, block, bits)
        if coding == 0xFFFE:
            form += struct.pack("<HHIH", 22, 16, 4, 1) + bytes.fromhex("000000001000800000aa00389b71")
        body = b"WAVE" + b"fmt " + struct.pack("<I", len(form)) + form + b"data" + struct.pack("<I", 24) + bytes(24)
        yield b"RIFF" + struct.pack("<I", len(body)) + body


def seeds(name):
    hf = os.path.join(HOSTILE, "base", "hf")
    if name == "safetensors":
        yield from (b"\0" + data for data in files(hf + "/model.safetensors", HOSTILE + "/safetensors/*/model.safetensors"))
        yield from (b"\1" + data for data in files(HOSTILE + "/base/hf-sharded/*.index.json", HOSTILE + "/safetensors/*/*.index.json"))
    elif name == "gguf":
        yield from files(HOSTILE + "/gguf/*.gguf")
    elif name == "config":
        configs = files(hf + "/config.json", GOLDEN + "/models/*/config.json", HOSTILE + "/config/*/config.json")
        yield from (b"\xff" + data for data in configs)
    elif name == "tokenizer_json":
        yield from files(hf + "/tokenizer.json", HOSTILE + "/tokenizer/*/tokenizer.json")
    elif name == "sentencepiece":
        yield from files(HOSTILE + "/sentencepiece/*.model")
    elif name == "chat_template":
        yield from files(HOSTILE + "/chat_template/*.jinja")
        with open(os.path.join(GOLDEN, "chat_templates", "golden.json"), encoding="utf-8") as f:
            yield from (t["template"].encode() for t in json.load(f)["templates"].values())
    elif name == "grammar":
        yield from (b"\0" + data + b" a1" for data in files(HOSTILE + "/grammar/*.gbnf"))
        yield from (b"\1" + json.dumps(schema).encode() for schema in SCHEMAS)
    elif name == "wav":
        yield from wavs()
    elif name == "model_bin":
        yield b"\0" + ctranslate2()
        yield b"\1" + marian()
    elif name == "saved_state":
        yield b"\1" + bytes(24)
        yield b"\1" + bytes(16) + bytes(8) + (3).to_bytes(8, "little") + bytes(12) + (4).to_bytes(8, "little") + bytes(200)
    elif name == "calls":
        yield bytes(range(80))
        yield b"\1" + bytes((17 * i) % 251 for i in range(79))


def run(target, seconds, keep):
    name = os.path.basename(target).removeprefix("fuzz_")
    with tempfile.TemporaryDirectory(prefix="headwise-fuzz-") as top:
        found, begin = os.path.join(keep or top, name), os.path.join(top, "seeds")
        os.makedirs(found, exist_ok=True)
        os.makedirs(begin)
        for i, data in enumerate(seeds(name)):
            with open(os.path.join(begin, str(i)), "wb") as f:
                f.write(data)
        words = os.path.join(top, "words")
        with open(words, "w") as f:
            f.write("\n".join(JSON_WORDS) + "\n")
        command = [target, f"-max_total_time={seconds}", f"-max_len={MAX_LENGTH[name]}", "-timeout=20", "-rss_limit_mb=3000",
                   "-malloc_limit_mb=1000", "-print_final_stats=1", f"-dict={words}", f"-artifact_prefix={found + '/' if keep else './'}",
                   found, begin]
        result = subprocess.run(command, stderr=subprocess.PIPE, text=True, errors="replace")
    executions = re.search(r"number_of_executed_units:\s*(\d+)", result.stderr)
    rate = re.search(r"average_exec_per_sec:\s*(\d+)", result.stderr)
    edges = re.findall(r"cov: (\d+)", result.stderr)
    if result.returncode or not executions:
        print(result.stderr[-6000:])
        print(f"{name}: FAIL")
        return False
    print(f"{name}: {executions[1]} executions, {rate[1]} a second, {edges[-1] if edges else '?'} edges")
    return True


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("targets", nargs="+")
    parser.add_argument("--seconds", type=int, default=10)
    parser.add_argument("--keep")
    options = parser.parse_args()
    return 0 if all([run(target, options.seconds, options.keep) for target in options.targets]) else 1


if __name__ == "__main__":
    sys.exit(main())
