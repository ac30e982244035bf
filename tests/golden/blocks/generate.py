#!/usr/bin/env python3
"""Writes the vectors of this folder: what the PyPI package `gguf` makes of random blocks (needs numpy and gguf; not run by the tests).

    python3 generate.py

TYPE.blocks    blocks of the type: random bytes with scales of all magnitudes (zero, subnormal, normal, largest, negative)
TYPE.values    gguf.quants.dequantize of them, f32
quantise.values, quantise.TYPE    rows of f32 and what gguf.quants.quantize makes of them
"""
import os

import numpy as np
from gguf import quants
from gguf.constants import GGML_QUANT_SIZES, GGMLQuantizationType as T

HERE = os.path.dirname(os.path.abspath(__file__))
# Where the f16 scales of a block lie.
HALVES = {T.Q4_0: [0], T.Q4_1: [0, 2], T.Q5_0: [0], T.Q5_1: [0, 2], T.Q8_0: [0], T.Q2_K: [80, 82], T.Q3_K: [108], T.Q4_K: [0, 2],
          T.Q5_K: [0, 2], T.Q6_K: [208]}


def write(name, array):
    with open(os.path.join(HERE, name), "wb") as f:
        f.write(np.ascontiguousarray(array).tobytes())


def blocks_of(kind, rng):
    count = 24 if GGML_QUANT_SIZES[kind][0] == 32 else 12
    blocks = rng.integers(0, 256, (count, GGML_QUANT_SIZES[kind][1]), dtype=np.uint8)
    special = np.array([0.0, -0.0, 6e-8, -6e-8, 6e-5, 1.0, -1.0, 0.1, 60.0, -65504.0], dtype=np.float16)
    for i in range(count):
        for at in HALVES[kind]:
            half = special[i] if i < len(special) else np.float16(rng.normal() * 10.0 ** rng.integers(-4, 3))
            blocks[i, at:at + 2] = np.frombuffer(half.tobytes(), dtype=np.uint8)
    return blocks


def rows(rng):
    out = [rng.normal(size=64).astype(np.float32) * np.float32(s) for s in (1e-6, 1e-3, 0.02, 1.0, 300.0, 60000.0)]
    out.append(np.zeros(64, np.float32))
    out.append(np.tile(np.float32([0.0, -0.0, 1.0, -1.0]), 16))
    out.append(np.arange(-32, 32).astype(np.float32) / 8)  # ties
    out.append(np.float32(0.5) * np.arange(64).astype(np.float32) - np.float32(15.75))
    out.append(np.where(np.arange(64) == 40, np.float32(-7.0), np.float32(7.0)))
    one = np.zeros(64, np.float32)
    one[5] = 1e-30
    out.append(one)
    return np.stack(out)


def main():
    rng = np.random.default_rng(20240607)
    for kind in HALVES:
        blocks = blocks_of(kind, rng)
        write(f"{kind.name.lower()}.blocks", blocks)
        with np.errstate(all="ignore"):
            write(f"{kind.name.lower()}.values", quants.dequantize(blocks.reshape(-1), kind).astype(np.float32))
    values = rows(rng)
    write("quantise.values", values)
    for kind in (T.F16, T.BF16, T.Q8_0, T.Q4_0):
        with np.errstate(all="ignore"):
            write(f"quantise.{kind.name.lower()}", quants.quantize(values, kind))
    # MXFP4's scale is a byte: the smallest and largest, and others.
    blocks = rng.integers(0, 256, (24, 17), dtype=np.uint8)
    blocks[:6, 0] = [0, 1, 2, 127, 254, 255]
    write("mxfp4.blocks", blocks)
    with np.errstate(all="ignore"):
        write("mxfp4.values", quants.dequantize(blocks.reshape(-1), T.MXFP4).astype(np.float32))


if __name__ == "__main__":
    main()
