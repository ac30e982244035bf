"""fill_mask, held to the logits that a golden case recorded.    fill_mask_test.py PROGRAM GOLDEN_FOLDER"""
import json
import os
import sys
import tempfile

from word_model import make, refused, rows, run, softmax, words


def main(program, golden):
    tensors = os.path.join(golden, "golden.safetensors")
    ids = rows(tensors, "input_ids")[0]
    place = len(ids) // 2
    mask = ids[place]
    assert ids.count(mask) == 1
    scores = softmax(rows(tensors, "logits")[place])  # rows of (batch, tokens, vocabulary): the first sequence's
    best = sorted(range(len(scores)), key=lambda i: -scores[i])[:4]
    with tempfile.TemporaryDirectory() as folder:
        make(golden, folder, mask=mask)
        out = run(program, "--model", folder, "--top", "4", "--json", text=words(ids) + "\n")
        assert out.returncode == 0, out.stderr
        found = json.loads(out.stdout)
        assert [x["id"] for x in found] == best and [x["token"] for x in found] == ["w%d" % i for i in best], (found, best)
        for x in found:
            assert abs(x["score"] - scores[x["id"]]) < 5e-4, (x, scores[x["id"]])
        two = ids[:place] + [mask] + ids[place:]
        out = run(program, "--model", folder, "--top", "2", text=words(two) + "\n")
        assert out.returncode == 0 and out.stdout.count("\n") == 4, out  # two masks, two tokens for each

        refused(program, 1, "w%d" % mask, "--model", folder, text="w1 w2\n")
        make(golden, folder, mask=mask, architectures=["RobertaForQuestionAnswering"])
        refused(program, 1, "ForMaskedLM", "--model", folder)
        refused(program, 2, "--model")
    with tempfile.TemporaryDirectory() as folder:
        make(golden, folder)
        refused(program, 1, "mask_token", "--model", folder, text=words(ids) + "\n")


if __name__ == "__main__":
    main(*sys.argv[1:])
