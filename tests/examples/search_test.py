"""search, held to the last hidden rows that a golden case recorded: a text's vector is their mean.    search_test.py PROGRAM GOLDEN_FOLDER"""
import json
import math
import os
import sys
import tempfile

from word_model import make, refused, rows, run, tensor, words


def mean(vectors):
    return [sum(column) / len(vectors) for column in zip(*vectors)]


def cosine(a, b):
    dot = lambda x, y: sum(p * q for p, q in zip(x, y))
    return dot(a, b) / math.sqrt(dot(a, a) * dot(b, b))


def main(program, golden):
    tensors = os.path.join(golden, "golden.safetensors")
    masks = rows(tensors, "attention_mask")
    texts = [[i for i, m in zip(ids, mask) if m] for ids, mask in zip(rows(tensors, "input_ids"), masks)]
    (batch, length, _), _ = tensor(tensors, "last_hidden")
    hidden = rows(tensors, "last_hidden")
    vectors = [mean([hidden[b * length + t] for t in range(length) if masks[b][t]]) for b in range(batch)]
    with tempfile.TemporaryDirectory() as folder, tempfile.TemporaryDirectory() as notes:
        make(golden, folder)
        os.mkdir(os.path.join(notes, "deep"))
        with open(os.path.join(notes, "a.txt"), "w") as f:  # the third paragraph, over two lines
            f.write("w2 w3\n\n \nw4 w5\n\n%s\n%s\n" % (words(texts[0][:9]), words(texts[0][9:])))
        with open(os.path.join(notes, "deep", "b.md"), "w") as f:
            f.write("w6\n\n" + words(texts[1]) + "\n")
        with open(os.path.join(notes, "c.bin"), "w") as f:
            f.write("w7\n")
        for asked in (0, 1):
            out = run(program, "--model", folder, "--folder", notes, "--top", "9", "--json", text=words(texts[asked]) + "\n")
            assert out.returncode == 0, out.stderr
            found = json.loads(out.stdout)
            assert len(found) == 5 and [x["score"] for x in found] == sorted((x["score"] for x in found), reverse=True), found
            assert found[0]["text"] == words(texts[asked]) and abs(found[0]["score"] - 1) < 1e-5, found
            by_place = {x["place"]: x["score"] for x in found}
            expected = cosine(vectors[0], vectors[1])
            assert abs(by_place[["deep/b.md:3", "a.txt:6"][asked]] - expected) < 2e-3, (found, expected)
        out = run(program, "--model", folder, "--folder", notes, "--top", "1", text=words(texts[0]) + "\n" + words(texts[1]) + "\n")
        assert [line.split("\t")[1] for line in out.stdout.splitlines()] == ["a.txt:6", "deep/b.md:3"], out.stdout

        refused(program, 2, "--folder", "--model", folder, "--folder", os.path.join(notes, "none"))
        refused(program, 2, "--folder", "--model", folder)
        refused(program, 1, "config.json", "--model", notes, "--folder", notes)
        with tempfile.TemporaryDirectory() as empty:
            refused(program, 1, "no text", "--model", folder, "--folder", empty)


if __name__ == "__main__":
    main(*sys.argv[1:])
