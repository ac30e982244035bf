#!/usr/bin/env python3
"""Times headwise beside another engine on the same files, in turn, and prints a table of ratios.

    python3 bench/compare/compare.py --model FILE.gguf|FOLDER [--against ctranslate2] [--bin build/release/bin] [--threads 2] [--rounds 7]
                                     [--plot FILE.png]

A .gguf file meets llama.cpp (llama-cpp-python, which compiles it for this machine): prefill, decode, decode behind 1024 tokens, 8
sequences side by side, and the time from a fresh process to the first token. With `--against ctranslate2`, that of a llama meets
CTranslate2 in int8, and headwise keeps its weights as Q8_0. The folder of a BERT encoder meets onnxruntime in f32, its graph fused by its
own optimizer: sentences a second. A folder with Whisper's model.bin meets CTranslate2, both in f32, then both in int8: beam search. What is
missing is installed into a virtual environment under build/compare.

Before anything is timed both compute the same: a text's mean negative log likelihood within 2 %, one vector within 1e-4 in cosine, or a
dozen ids of a greedy search; else nothing is timed. Each round runs one process of each, one after the other; the ratio of a round compares neighbours in time, and
the median of the ratios is what counts.
"""

import argparse
import array
import json
import os
import pathlib
import random
import statistics
import subprocess
import sys
import time

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parents[1]
TEXT = ("The harbour lies at the mouth of a narrow river, and for most of the year it is quiet. In spring the boats are painted, in "
        "summer they carry visitors to the islands, and when the storms of autumn come they are pulled up on the shore and covered.")


def python_with(packages, modules):
    """A Python that has these packages: this one, or the one of build/compare."""
    if subprocess.run([sys.executable, "-c", "import " + ", ".join(modules)], capture_output=True).returncode == 0:
        return sys.executable
    venv = ROOT / "build" / "compare"
    python = venv / "bin" / "python"
    if not python.exists():
        subprocess.run([sys.executable, "-m", "venv", venv], check=True)
    if subprocess.run([python, "-c", "import " + ", ".join(modules)], capture_output=True).returncode:
        print(f"compare: installing {' '.join(packages)} (may compile for some minutes)", file=sys.stderr)
        subprocess.run([python, "-m", "pip", "install", "--quiet", *packages], check=True)
    return str(python)


def run(command):
    done = subprocess.run([str(c) for c in command], capture_output=True, text=True)
    if done.returncode:
        sys.exit(f"compare: {command[0]} fails: {done.stderr.strip().splitlines()[-1] if done.stderr.strip() else done.returncode}")
    return done.stdout.strip()


def last_json(command):
    return json.loads(run(command).splitlines()[-1])


class Llama:
    """Cases of a .gguf file beside llama.cpp."""
    name = "llama.cpp"

    def __init__(self, args):
        self.args = args
        self.theirs = [python_with(["llama-cpp-python", "numpy"], ["llama_cpp", "numpy"]), HERE / "llama_cpp_bench.py", args.model,
                       "--threads", args.threads]
        self.ours = [args.bin / "bench_model", "--model", args.model, "--threads", args.threads]

    def check(self):
        score = [self.args.bin / "generate", "--model", self.args.model, "--score", "--json", "--threads", self.args.threads]
        try:
            score, text = last_json([*score, "--prompt", TEXT]), TEXT
        except SystemExit:  # no tokenizer in the file
            text = ",".join(str(i * i * 7919 % 8000) for i in range(1, 65))
            score = last_json([*score, "--ids", text])
        other = last_json([*self.theirs, "--score", text])
        print(f"nll of {score['tokens']} tokens: headwise {score['nll']:.4f}, llama.cpp {other['nll']:.4f}")
        return score["tokens"] == other["tokens"] and abs(score["nll"] / other["nll"] - 1) < 0.02

    def cases(self):
        def both(key, *sizes):
            return lambda: (last_json([*self.ours, *sizes])[key], last_json([*self.theirs, *sizes])[key])

        def first_token():
            ids = ",".join(str(i) for i in range(100, 132))
            start = time.perf_counter()
            run([self.args.bin / "generate", "--model", self.args.model, "--ids", ids, "--max-new-tokens", 1, "--threads", self.args.threads])
            ours = time.perf_counter() - start
            return 1 / ours, 1 / last_json([*self.theirs, "--n-prompt", 32, "--first-token"])["first_token_s"]
        yield "prefill 512, tokens/s", both("prefill_tok_s", "--n-prompt", 512, "--n-gen", 1)
        yield "decode, tokens/s", both("decode_tok_s", "--n-prompt", 16, "--n-gen", 64)
        yield "decode behind 1024, tokens/s", both("decode_tok_s", "--n-prompt", 1024, "--n-gen", 32)
        yield "decode, batch 8, tokens/s", both("decode_tok_s", "--n-prompt", 16, "--n-gen", 32, "--batch", 8)
        yield "first token of 32, 1/s", first_token


class CTranslate2:
    """Cases of a llama's .gguf file beside CTranslate2 in int8."""
    name = "CTranslate2 int8"

    def __init__(self, args):
        self.args = args
        self.theirs = [python_with(["ctranslate2", "gguf", "numpy"], ["ctranslate2", "gguf"]), HERE / "ctranslate2_bench.py", args.model,
                       "--compute", "int8"]
        self.ours = [args.bin / "bench_model", "--model", args.model, "--threads", args.threads, "--weights", "q8_0"]

    def check(self):
        ids = ",".join(str(i * i * 7919 % 8000 + 1) for i in range(1, 65))
        score = last_json([self.args.bin / "generate", "--model", self.args.model, "--score", "--json", "--ids", ids])
        other = last_json([*self.theirs, "--score", ids])
        print(f"nll of {score['tokens']} tokens: headwise {score['nll']:.4f}, CTranslate2 {other['nll']:.4f}")
        return score["tokens"] == other["tokens"] and abs(score["nll"] / other["nll"] - 1) < 0.02

    def cases(self):
        def both(key, *sizes):  # its own best: more threads can make its single rows slower
            return lambda: (last_json([*self.ours, *sizes])[key],
                            max(last_json([*self.theirs, *sizes, "--threads", n])[key] for n in {1, self.args.threads}))
        yield "prefill 512, tokens/s", both("prefill_tok_s", "--n-prompt", 512, "--n-gen", 1)
        yield "decode, tokens/s", both("decode_tok_s", "--n-prompt", 16, "--n-gen", 64)
        yield "decode, batch 8, tokens/s", both("decode_tok_s", "--n-prompt", 16, "--n-gen", 32, "--batch", 8)


class Whisper:
    """Cases of a folder with Whisper's model.bin beside CTranslate2, whose format that is."""
    name = "CTranslate2"

    def __init__(self, args):
        self.args = args
        self.signal = ROOT / "build" / "compare" / "signal.f32"  # features of no sound in particular; both read the same
        self.signal.parent.mkdir(parents=True, exist_ok=True)
        noise = random.Random(1)
        self.signal.write_bytes(array.array("f", (noise.gauss(0, 0.3) for _ in range(3000 * 80))).tobytes())
        common = ["--signal", self.signal, "--ids", "50258,50259,50359,50363", "--threads", args.threads, "--n-gen", 32, "--repeat", 2]
        self.theirs = [python_with(["ctranslate2", "numpy"], ["ctranslate2", "numpy"]), HERE / "ctranslate2_bench.py", args.model, *common]
        self.ours = [args.bin / "bench_model", "--model", args.model, *common]

    def both(self, theirs, ours, beams, batch):
        sizes = ["--beams", beams, "--batch", batch]
        return last_json([*self.ours, "--weights", ours, *sizes]), last_json([*self.theirs, "--compute", theirs, *sizes])

    def check(self):
        ours, theirs = (r["ids"][:12] for r in self.both("float32", "f32", 1, 1))
        print(f"the first ids of a greedy search: headwise {ours}, CTranslate2 {theirs}")
        return ours == theirs

    def cases(self):
        for theirs, ours in (("float32", "f32"), ("int8", "q8_0")):
            for batch in (1, 8):
                results = {}

                def measure(key, fresh, theirs=theirs, ours=ours, batch=batch, results=results):
                    if fresh:
                        results["pair"] = self.both(theirs, ours, 5, batch)
                    return tuple(r[key] for r in results["pair"])
                yield f"{theirs}, batch {batch}, beam 5: search, tokens/s", lambda m=measure: m("search_tok_s", True)
                yield f"{theirs}, batch {batch}, beam 5: with the encoder, tokens/s", lambda m=measure: m("total_tok_s", False)


class Onnx:
    """Cases of a BERT folder beside onnxruntime."""
    name = "onnxruntime"

    def __init__(self, args):
        self.args = args
        self.theirs = [python_with(["onnxruntime", "onnx", "sympy", "safetensors", "tokenizers", "numpy"],
                                   ["onnxruntime", "onnx", "sympy", "safetensors", "tokenizers"]),
                       HERE / "onnxruntime_bench.py", args.model, "--threads", args.threads]
        self.ours = [args.bin / "bench_model", "--model", args.model, "--threads", args.threads, "--embed", "--repeat", 30]

    def check(self):
        done = subprocess.run([str(self.args.bin / "embed"), "--model", str(self.args.model), "--json"], input=TEXT + "\n",
                              capture_output=True, text=True, check=True)
        ours = json.loads(done.stdout.splitlines()[-1])["embedding"]
        theirs = last_json([*self.theirs, "--text", TEXT])["vector"]
        cosine = sum(a * b for a, b in zip(ours, theirs))
        print(f"cosine of one text's vectors: {cosine:.6f}")
        return abs(cosine - 1) < 1e-4

    def cases(self):
        for batch in (1, 32):
            for length in (16, 128, 512):
                sizes = ["--length", length, "--batch", batch]
                yield (f"length {length}, batch {batch}, sentences/s",
                       lambda sizes=sizes: (last_json([*self.ours, *sizes])["sentences_s"], last_json([*self.theirs, *sizes])["sentences_s"]))


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--model", required=True, type=pathlib.Path)
    parser.add_argument("--against", choices=["llama.cpp", "ctranslate2"], default="llama.cpp", help="of a .gguf file")
    parser.add_argument("--bin", default=ROOT / "build" / "release" / "bin", type=pathlib.Path)
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--plot", help="write the ratios as a bar chart (needs matplotlib)")
    args = parser.parse_args()

    if args.model.is_dir():
        other = Whisper(args) if (args.model / "model.bin").exists() else Onnx(args)
    else:
        other = CTranslate2(args) if args.against == "ctranslate2" else Llama(args)
    if not other.check():
        sys.exit("compare: the two do not compute the same: nothing is timed")
    cases, rounds = list(other.cases()), {}
    for i in range(args.rounds):  # all cases in each round, so that a loaded minute hits all of them
        for name, measure in cases:
            rounds.setdefault(name, []).append(measure())
        print(f"round {i + 1} of {args.rounds}", file=sys.stderr, flush=True)
    print(f"\n| {args.model.name}, {args.threads} threads | headwise | {other.name} | ratio | range |\n|---|---|---|---|---|")
    medians = []
    for name, pairs in rounds.items():
        ratios = [a / b for a, b in pairs]
        medians.append(statistics.median(ratios))
        print(f"| {name} | {statistics.median(a for a, _ in pairs):.4g} | {statistics.median(b for _, b in pairs):.4g} | {medians[-1]:.2f}x | "
              f"{min(ratios):.2f} to {max(ratios):.2f} |")
    if args.plot:
        import matplotlib
        matplotlib.use("Agg")
        from matplotlib import pyplot
        figure, axes = pyplot.subplots(figsize=(7, 0.5 * len(rounds) + 1))
        axes.barh(list(rounds), medians)
        axes.axvline(1, color="black", linewidth=1)
        axes.set_xlabel(f"times as quick as {other.name}")
        axes.invert_yaxis()
        figure.tight_layout()
        figure.savefig(args.plot, dpi=120)


if __name__ == "__main__":
    main()
