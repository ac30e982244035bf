"""translate, held to the beam search that a golden case recorded: words stand for its ids.

    translate_test.py PROGRAM GOLDEN_FOLDER
"""
import json
import os
import shutil
import struct
import subprocess
import sys
import tempfile


def integers(path, name):
    """Rows of an I64 tensor of a safetensors file."""
    with open(path, "rb") as f:
        data = f.read()
    size = struct.unpack("<Q", data[:8])[0]
    entry = json.loads(data[8 : 8 + size])[name]
    begin, end = entry["data_offsets"]
    values = struct.unpack("<%dq" % ((end - begin) // 8), data[8 + size + begin : 8 + size + end])
    rows, cols = entry["shape"]
    return [list(values[i * cols : (i + 1) * cols]) for i in range(rows)]


def write_tokenizer(folder, vocab_size, eos):
    special = {"id": eos, "content": "w%d" % eos, "single_word": True, "lstrip": False, "rstrip": False, "normalized": False, "special": True}
    tokenizer = {
        "version": "1.0", "truncation": None, "padding": None, "added_tokens": [special], "normalizer": None,
        "pre_tokenizer": {"type": "WhitespaceSplit"}, "post_processor": None, "decoder": None,
        "model": {"type": "WordLevel", "vocab": {"w%d" % i: i for i in range(vocab_size)}, "unk_token": "w0"},
    }
    with open(os.path.join(folder, "tokenizer.json"), "w") as f:
        json.dump(tokenizer, f)


def run(program, folder, lines, *options):
    return subprocess.run([program, "--model", folder, *options], input=lines, capture_output=True, text=True, timeout=120)


def words(ids):
    return " ".join("w%d" % i for i in ids)


def main(program, golden):
    case = json.load(open(os.path.join(golden, "case.json")))
    tensors = os.path.join(golden, "golden.safetensors")
    source = integers(tensors, "input_ids")[0]
    eos, search = case["eos_token_id"], case["beam"]
    expected = integers(tensors, "beam_ids")[0][1:]  # without the start token
    if eos in expected:
        expected = expected[: expected.index(eos) + 1]
    options = ["--beams", str(search["num_beams"]), "--max-new-tokens", str(search["max_new_tokens"])]
    with tempfile.TemporaryDirectory() as folder:
        for name in ("config.json", "generation_config.json", "model.safetensors"):
            shutil.copy(os.path.join(golden, name), folder)
        config = json.load(open(os.path.join(folder, "config.json")))
        write_tokenizer(folder, config["vocab_size"], eos)

        out = run(program, folder, words(source) + "\n\n" + words(source) + "\n", "--json", *options)
        assert out.returncode == 0, out.stderr
        lines = [json.loads(line) for line in out.stdout.splitlines()]
        assert len(lines) == 3, out.stdout
        assert lines[0]["source_ids"] == source and lines[0]["ids"] == expected, (lines[0], expected)
        assert lines[0]["text"] == words(i for i in expected if i != eos), lines[0]
        assert lines[1] == {"text": "", "ids": [], "source_ids": [], "score": 0} and lines[2] == lines[0], lines[1:]
        out = run(program, folder, words(source) + "\n", *options)
        assert out.stdout == lines[0]["text"] + "\n", out.stdout

        for name in ("config.json", "generation_config.json"):
            path = os.path.join(folder, name)
            fields = json.load(open(path))
            for key in ("decoder_start_token_id", "bos_token_id"):
                fields.pop(key, None)
            os.remove(path)
            json.dump(fields, open(path, "w"))
        out = run(program, folder, words(source) + "\n", *options)
        assert out.returncode == 1 and "decoder_start_token_id" in out.stderr, out


if __name__ == "__main__":
    main(*sys.argv[1:])
