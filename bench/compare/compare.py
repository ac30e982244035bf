#!/usr/bin/env python3
"""Times headwise and llama.cpp on the same .gguf file, in turn, and prints the ratios.

    python3 bench/compare/compare.py --model FILE.gguf [--bin build/release/bin] [--threads 2] [--rounds 7] [--n-prompt 512] [--n-gen 64]

The opponent is the PyPI package llama-cpp-python, which compiles llama.cpp for this machine; it is installed into a virtual environment
under build/compare if this Python has none. Before anything is timed, both score the same text: a mean negative log likelihood that
differs by more than 2 % ends the comparison. Each round runs one process of each, one after the other; the ratio of a round compares
neighbours in time, and the median of the ratios is what counts.
"""

import argparse
import json
import os
import pathlib
import statistics
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
TEXT = ("The harbour lies at the mouth of a narrow river, and for most of the year it is quiet. In spring the boats are painted, in "
        "summer they carry visitors to the islands, and when the storms of autumn come they are pulled up on the shore and covered.")


def python_with_llama_cpp():
    """A Python that has llama-cpp-python."""
    probe = [sys.executable, "-c", "import llama_cpp, numpy"]
    if subprocess.run(probe, capture_output=True).returncode == 0:
        return sys.executable
    venv = ROOT / "build" / "compare"
    python = venv / "bin" / "python"
    if not python.exists():
        print("compare: installing llama-cpp-python (compiles llama.cpp, some minutes)", file=sys.stderr)
        subprocess.run([sys.executable, "-m", "venv", venv], check=True)
        subprocess.run([python, "-m", "pip", "install", "--quiet", "llama-cpp-python", "numpy"], check=True)
    return str(python)


def run(command):
    done = subprocess.run([str(c) for c in command], capture_output=True, text=True)
    if done.returncode:
        sys.exit(f"compare: {command[0]} fails: {done.stderr.strip().splitlines()[-1] if done.stderr.strip() else done.returncode}")
    return json.loads(done.stdout.strip().splitlines()[-1])


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--model", required=True)
    parser.add_argument("--bin", default=ROOT / "build" / "release" / "bin", type=pathlib.Path)
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--n-prompt", type=int, default=512)
    parser.add_argument("--n-gen", type=int, default=64)
    args = parser.parse_args()

    llama = [python_with_llama_cpp(), pathlib.Path(__file__).with_name("llama_cpp_bench.py"), args.model, "--threads", args.threads]
    score = run([args.bin / "generate", "--model", args.model, "--prompt", TEXT, "--score", "--json", "--threads", args.threads])
    other = run([*llama, "--score", TEXT])
    difference = abs(score["nll"] / other["nll"] - 1)
    print(f"nll of {score['tokens']} tokens: headwise {score['nll']:.4f}, llama.cpp {other['nll']:.4f}")
    if score["tokens"] != other["tokens"] or not difference < 0.02:
        sys.exit("compare: the two do not compute the same: nothing is timed")

    sizes = ["--n-prompt", args.n_prompt, "--n-gen", args.n_gen]
    rounds = []
    for i in range(args.rounds):
        ours = run([args.bin / "bench_model", "--model", args.model, "--threads", args.threads, *sizes, "--json"])
        theirs = run([*llama, *sizes])
        rounds.append((ours, theirs))
        print(f"round {i + 1}: " + ", ".join(f"{k[:-6]} {ours[k]:.0f} / {theirs[k]:.0f} tokens/s" for k in ("prefill_tok_s", "decode_tok_s")), flush=True)
    print(f"\n{'':10} {'headwise':>10} {'llama.cpp':>10} {'ratio':>7}   (medians; ratio round by round)")
    for key in ("prefill_tok_s", "decode_tok_s"):
        a, b = [r[0][key] for r in rounds], [r[1][key] for r in rounds]
        ratio = [x / y for x, y in zip(a, b)]
        print(f"{key[:-6]:10} {statistics.median(a):10.0f} {statistics.median(b):10.0f} {statistics.median(ratio):6.2f}x   "
              f"({min(ratio):.2f} to {max(ratio):.2f})")


if __name__ == "__main__":
    main()
