"""classify, held to the logits that a golden case recorded.    classify_test.py PROGRAM GOLDEN_FOLDER"""
import json
import os
import sys
import tempfile

from word_model import make, refused, rows, run, softmax, words


def main(program, golden):
    tensors = os.path.join(golden, "golden.safetensors")
    ids = rows(tensors, "input_ids")[0]
    types = rows(tensors, "token_type_ids")[0]
    logits = rows(tensors, "logits")[0]
    split = types.index(1)
    pair = words(ids[:split]) + "\t" + words(ids[split:]) + "\n"
    names = {"0": "no", "1": "perhaps", "2": "yes"}
    expected = sorted(zip(softmax(logits), names.values()), reverse=True)
    with tempfile.TemporaryDirectory() as folder:
        make(golden, folder, id2label=names)
        out = run(program, "--model", folder, "--top", "3", "--json", text=pair + words(ids) + "\n")
        assert out.returncode == 0, out.stderr
        lines = [json.loads(line) for line in out.stdout.splitlines()]
        assert len(lines) == 2, out.stdout
        assert [x["label"] for x in lines[0]] == [name for _, name in expected], (lines[0], expected)
        for found, (score, _) in zip(lines[0], expected):
            assert abs(found["score"] - score) < 1e-4, (found, score)
        assert lines[1] != lines[0]  # one text instead of two: other token types
        out = run(program, "--model", folder, text=pair)
        assert out.stdout.split("\t")[0] == expected[0][1] and out.stdout.count("\n") == 1, out.stdout

        make(golden, folder, id2label=names, problem_type="multi_label_classification")
        out = run(program, "--model", folder, "--top", "3", "--json", text=pair)
        found = {x["label"]: x["score"] for x in json.loads(out.stdout)}
        from math import exp
        for name, logit in zip(names.values(), logits):
            assert abs(found[name] - 1 / (1 + exp(-logit))) < 1e-4, (found, logits)

        refused(program, 1, "positions", "--model", folder, text=words([1] * 41) + "\n")
        make(golden, folder, architectures=["BertForMaskedLM"])
        refused(program, 1, "ForSequenceClassification", "--model", folder)
        refused(program, 1, "config.json", "--model", os.path.join(folder, "none"))
        refused(program, 2, "--model")
        refused(program, 2, "--top", "--model", folder, "--top", "0")


if __name__ == "__main__":
    main(*sys.argv[1:])
