"""What the tests of programs share: a golden checkpoint in a folder of its own, with a tokenizer in which the word w7 is id 7."""
import json
import math
import os
import shutil
import struct
import subprocess


def tensor(path, name):
    """The shape and values of an I64 or F32 tensor of a safetensors file."""
    with open(path, "rb") as f:
        data = f.read()
    size = struct.unpack("<Q", data[:8])[0]
    entry = json.loads(data[8 : 8 + size])[name]
    begin, end = entry["data_offsets"]
    kind, width = {"I64": ("q", 8), "F32": ("f", 4)}[entry["dtype"]]
    return entry["shape"], list(struct.unpack("<%d%s" % ((end - begin) // width, kind), data[8 + size + begin : 8 + size + end]))


def rows(path, name):
    shape, values = tensor(path, name)
    cols = shape[-1]
    return [values[i : i + cols] for i in range(0, len(values), cols)]


def words(ids):
    return " ".join("w%d" % i for i in ids)


def make(golden, folder, mask=None, **fields):
    """Copies the checkpoint, its config with `fields` changed; `mask` is the tokenizer's mask id."""
    shutil.copy(os.path.join(golden, "model.safetensors"), folder)
    config = json.load(open(os.path.join(golden, "config.json")))
    config.update(fields)
    json.dump(config, open(os.path.join(folder, "config.json"), "w"))
    special = [{"id": mask, "content": "w%d" % mask, "single_word": True, "lstrip": False, "rstrip": False, "normalized": False,
                "special": True}] if mask is not None else []
    tokenizer = {
        "version": "1.0", "truncation": None, "padding": None, "added_tokens": special, "normalizer": None,
        "pre_tokenizer": {"type": "WhitespaceSplit"}, "post_processor": None, "decoder": None,
        "model": {"type": "WordLevel", "vocab": {"w%d" % i: i for i in range(config["vocab_size"])}, "unk_token": "w0"},
    }
    json.dump(tokenizer, open(os.path.join(folder, "tokenizer.json"), "w"))
    if mask is not None:
        json.dump({"mask_token": "w%d" % mask}, open(os.path.join(folder, "tokenizer_config.json"), "w"))


def run(program, *arguments, text=""):
    return subprocess.run([program, *arguments], input=text, capture_output=True, text=True, timeout=120)


def softmax(values):
    top = max(values)
    e = [math.exp(v - top) for v in values]
    return [x / sum(e) for x in e]


def refused(program, status, part, *arguments, text=""):
    """The program ends with `status` and one line on stderr that has `part` in it (a usage error may have more lines)."""
    out = run(program, *arguments, text=text)
    assert out.returncode == status and part in out.stderr, (out.returncode, out.stderr, part)
    if status == 1:
        assert out.stderr.count("\n") == 1 and len(out.stderr) < 600 and out.stdout == "", out
