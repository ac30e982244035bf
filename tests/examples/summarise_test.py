"""summarise, held to the beam search that a golden case recorded.    summarise_test.py PROGRAM GOLDEN_FOLDER"""
import json
import os
import shutil
import sys
import tempfile

from word_model import make, refused, rows, run, words


def main(program, golden):
    case = json.load(open(os.path.join(golden, "case.json")))
    tensors = os.path.join(golden, "golden.safetensors")
    source = rows(tensors, "input_ids")[0]
    eos, search = case["eos_token_id"], case["beam"]
    expected = rows(tensors, "beam_ids")[0][1:]  # without the start token
    if eos in expected:
        expected = expected[: expected.index(eos)]
    line = words(expected) + "\n"
    with tempfile.TemporaryDirectory() as folder:
        make(golden, folder, mask=eos)  # a special token, which is not written
        os.remove(os.path.join(folder, "tokenizer_config.json"))
        shutil.copy(os.path.join(golden, "generation_config.json"), folder)
        base = ["--model", folder, "--beams", str(search["num_beams"]), "--max-new-tokens", str(search["max_new_tokens"])]
        n = str(len(source))
        out = run(program, *base, text=words(source) + "\n")
        assert out.returncode == 0 and out.stdout == line, (out, line)
        out = run(program, *base, "--window", n, text=words(source) + "\n" + words(source))  # two windows
        assert out.stdout == line + line, (out, line)
        out = run(program, *base, "--prefix", words(source[:2]) + " ", text=words(source[2:]))
        assert out.stdout == line, (out, line)

        refused(program, 1, "empty", *base, text="\n")
        refused(program, 1, "No such file", "--model", os.path.join(folder, "none"))
        refused(program, 2, "--window", *base, "--window", "0")


if __name__ == "__main__":
    main(*sys.argv[1:])
