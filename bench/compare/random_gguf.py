#!/usr/bin/env python3
"""Writes a GGUF file of a usual shape with random weights, to time engines on architectures whose checkpoints are not at hand.

    pip install gguf numpy
    random_gguf.py SHAPE TYPE OUT.gguf      SHAPE: llama-1b, mixtral, mamba2, granitehybrid (about 300M each); TYPE: f16, q8_0, q4_0, q4_k

There is no tokenizer in it: ids go in, ids come out. Blocks of q4_k are random bits with scales of an ordinary size.
"""

import sys

import gguf
import numpy as np

VOCABULARY = 8192
RNG = np.random.default_rng(1)


class Writer:
    def __init__(self, path, arch, kind, width, layers, heads, kv_heads, feed_forward):
        self.w = gguf.GGUFWriter(path, arch)
        self.kind = kind
        w = self.w
        w.add_block_count(layers)
        w.add_context_length(4096)
        w.add_embedding_length(width)
        w.add_feed_forward_length(feed_forward)
        w.add_head_count(heads)
        w.add_head_count_kv(kv_heads)
        w.add_vocab_size(VOCABULARY)
        w.add_tokenizer_model("no_vocab")
        w.add_layer_norm_rms_eps(1e-5)
        if heads:
            w.add_rope_freq_base(10000.0)
            w.add_rope_dimension_count(width // heads)
        self.matrix("token_embd", VOCABULARY, width)
        self.matrix("output", VOCABULARY, width)
        self.ones("output_norm", width)

    def ones(self, name, n):
        self.w.add_tensor(f"{name}.weight", (1 + 0.1 * RNG.standard_normal(n)).astype(np.float32))

    def plain(self, name, values):
        self.w.add_tensor(name, np.ascontiguousarray(values, np.float32))

    def matrix(self, name, *shape, f32=False):
        cols = shape[-1]
        if self.kind == "q4_k" and not f32:
            rows = int(np.prod(shape[:-1]))
            blocks = RNG.integers(0, 256, (rows, cols // 256, 144), np.uint8)
            scales = np.full((rows, cols // 256, 2), 0.15 / np.sqrt(cols) / 32, np.float16)
            scales[..., 1] *= 7.5
            blocks[..., :4] = scales.view(np.uint8)
            blocks[..., 4:16] |= 32  # scales and minimums alike in size
            data = blocks.reshape(*shape[:-1], -1)
            return self.w.add_tensor(f"{name}.weight", data, raw_dtype=gguf.GGMLQuantizationType.Q4_K)
        x = RNG.standard_normal(shape, np.float32) / np.float32(np.sqrt(cols))
        if f32:
            return self.plain(f"{name}.weight", x)
        if self.kind == "f16":
            return self.w.add_tensor(f"{name}.weight", x.astype(np.float16))
        kind = gguf.GGMLQuantizationType[self.kind.upper()]
        self.w.add_tensor(f"{name}.weight", gguf.quants.quantize(x, kind), raw_dtype=kind)

    def attention(self, layer, width, heads, kv_heads):
        rows = width // heads * kv_heads
        for name, n in (("q", width), ("k", rows), ("v", rows), ("output", width)):
            self.matrix(f"blk.{layer}.attn_{name}", n, width)

    def feed_forward(self, layer, width, hidden):
        self.ones(f"blk.{layer}.ffn_norm", width)
        for name, shape in (("gate", (hidden, width)), ("up", (hidden, width)), ("down", (width, hidden))):
            self.matrix(f"blk.{layer}.ffn_{name}", *shape)

    def experts(self, layer, width, hidden, count):
        self.matrix(f"blk.{layer}.ffn_gate_inp", count, width, f32=True)
        for name, shape in (("gate", (count, hidden, width)), ("up", (count, hidden, width)), ("down", (count, width, hidden))):
            self.matrix(f"blk.{layer}.ffn_{name}_exps", *shape)

    def ssm_keys(self, inner, state, heads):
        w = self.w
        w.add_ssm_conv_kernel(4)
        w.add_ssm_inner_size(inner)
        w.add_ssm_state_size(state)
        w.add_ssm_time_step_rank(heads)
        w.add_ssm_group_count(1)

    def ssm(self, layer, width, inner, state, heads):
        name = f"blk.{layer}.ssm_"
        self.matrix(name + "in", 2 * inner + 2 * state + heads, width)
        self.plain(name + "conv1d.weight", 0.3 * RNG.standard_normal((inner + 2 * state, 4)))
        self.plain(name + "conv1d.bias", 0.1 * RNG.standard_normal(inner + 2 * state))
        self.plain(name + "dt.bias", RNG.uniform(-5, -2, heads))
        self.plain(name + "a", -RNG.uniform(1, 16, (heads, 1)))
        self.plain(name + "d", np.ones((heads, 1)))
        self.plain(name + "norm.weight", np.ones((1, inner)))
        self.matrix(name + "out", width, inner)

    def close(self):
        self.w.write_header_to_file()
        self.w.write_kv_data_to_file()
        self.w.write_tensors_to_file()
        self.w.close()


def llama(path, kind):
    width, layers, heads, groups, hidden = 2048, 16, 32, 8, 8192
    w = Writer(path, "llama", kind, width, layers, heads, groups, hidden)
    for i in range(layers):
        w.ones(f"blk.{i}.attn_norm", width)
        w.attention(i, width, heads, groups)
        w.feed_forward(i, width, hidden)
    w.close()


def mixtral(path, kind):
    width, layers, heads, groups, hidden, count = 1024, 8, 16, 4, 1536, 8
    w = Writer(path, "llama", kind, width, layers, heads, groups, hidden)
    w.w.add_expert_count(count)
    w.w.add_expert_used_count(2)
    for i in range(layers):
        w.ones(f"blk.{i}.attn_norm", width)
        w.attention(i, width, heads, groups)
        w.ones(f"blk.{i}.ffn_norm", width)
        w.experts(i, width, hidden, count)
    w.close()


def mamba2(path, kind):
    width, layers, inner, state, heads = 1024, 40, 2048, 128, 32
    w = Writer(path, "mamba2", kind, width, layers, 0, 0, 0)
    w.ssm_keys(inner, state, heads)
    for i in range(layers):
        w.ones(f"blk.{i}.attn_norm", width)
        w.ssm(i, width, inner, state, heads)
    w.close()


def granite_hybrid(path, kind):
    width, layers, heads, groups, hidden, count, inner, state, steps = 1024, 20, 16, 4, 512, 8, 2048, 128, 32
    attends = [i % 5 == 4 for i in range(layers)]
    w = Writer(path, "granitehybrid", kind, width, layers, heads, [groups if a else 0 for a in attends], hidden)
    w.ssm_keys(inner, state, steps)
    w.w.add_expert_count(count)
    w.w.add_expert_used_count(2)
    w.w.add_expert_shared_feed_forward_length(1024)
    w.w.add_attention_scale(1 / 64)
    w.w.add_embedding_scale(12.0)
    w.w.add_residual_scale(0.22)
    w.w.add_logit_scale(6.0)
    for i in range(layers):
        w.ones(f"blk.{i}.attn_norm", width)
        if attends[i]:
            w.attention(i, width, heads, groups)
        else:
            w.ssm(i, width, inner, state, steps)
        w.ones(f"blk.{i}.ffn_norm", width)
        w.experts(i, width, hidden, count)
        for name, shape in (("gate", (1024, width)), ("up", (1024, width)), ("down", (width, 1024))):
            w.matrix(f"blk.{i}.ffn_{name}_shexp", *shape)
    w.close()


SHAPES = {"llama-1b": llama, "mixtral": mixtral, "mamba2": mamba2, "granitehybrid": granite_hybrid}

if __name__ == "__main__":
    if len(sys.argv) != 4 or sys.argv[1] not in SHAPES or sys.argv[2] not in ("f16", "q8_0", "q4_0", "q4_k"):
        sys.exit(__doc__)
    SHAPES[sys.argv[1]](sys.argv[3], sys.argv[2])
