"""answer, held to the start and end logits that a golden case recorded.    answer_test.py PROGRAM GOLDEN_FOLDER"""
import json
import os
import sys
import tempfile

from word_model import make, refused, rows, run, softmax, words


def best_span(start, end, longest):
    start, end = softmax(start), softmax(end)
    spans = [(start[i] * end[j], i, j + 1) for i in range(len(start)) for j in range(i, min(len(end), i + longest))]
    return max(spans)


def main(program, golden):
    tensors = os.path.join(golden, "golden.safetensors")
    ids = rows(tensors, "input_ids")[0]
    split = rows(tensors, "token_type_ids")[0].index(1)
    question, text = words(ids[:split]), words(ids[split:])
    start, end = rows(tensors, "start_logits")[0][split:], rows(tensors, "end_logits")[0][split:]
    with tempfile.TemporaryDirectory() as folder:
        make(golden, folder)
        base = ["--model", folder, "--question", question]
        for longest in (1, 3, 15):
            score, first, last = best_span(start, end, longest)
            expected = words(ids[split + first : split + last])
            out = run(program, *base, "--longest", str(longest), "--json", text=text)
            assert out.returncode == 0, out.stderr
            found = json.loads(out.stdout)
            assert found["answer"] == expected == text[found["begin"] : found["end"]], (found, expected)
            assert abs(found["score"] - score) < 1e-4, (found, score)
        out = run(program, *base, text=text)
        assert out.stdout == expected + "\n", out

        # More tokens than positions: windows. What is found stands in the text, with the characters it names; é is one character.
        long = "é " + words((ids[split:] * 30))
        out = run(program, *base, "--json", text=long)
        assert out.returncode == 0, out.stderr
        found = json.loads(out.stdout)
        assert found["answer"] == long[found["begin"] : found["end"]] and found["answer"], found
        windows = json.loads(run(program, *base, "--json", text=text + " " + words([1] * 60)).stdout)
        assert windows["score"] > 0, windows

        refused(program, 1, "empty", *base, text=" \n")
        refused(program, 1, "--question", "--model", folder, "--question", words([1] * 40), text=text)
        make(golden, folder, architectures=["BertForMaskedLM"])
        refused(program, 1, "ForQuestionAnswering", *base, text=text)
        refused(program, 2, "--question", "--model", folder)


if __name__ == "__main__":
    main(*sys.argv[1:])
