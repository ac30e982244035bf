#!/usr/bin/env python3
"""Writes golden checkpoints of tests/golden/models as GGUF files, as the published converters lay them out.

    pip install gguf numpy
    make_gguf.py OUT [NAME...]      one OUT/NAME.gguf each; without names all that the format can hold

The files hold the tensors of the checkpoints, so what was recorded for a checkpoint holds for its file.
"""

import json
import os
import re
import struct
import sys

import gguf
import numpy as np

import experts_and_recurrences

MODELS = os.path.join(os.path.dirname(os.path.abspath(__file__)), "models")
BF16 = gguf.GGMLQuantizationType.BF16


def read_tensors(folder):
    tensors = {}
    with open(os.path.join(folder, "model.safetensors"), "rb") as f:
        header = json.loads(f.read(struct.unpack("<Q", f.read(8))[0]))
        data = f.read()
    for name, t in header.items():
        if name == "__metadata__":
            continue
        raw = data[slice(*t["data_offsets"])]
        if t["dtype"] == "BF16":  # kept as its 16 bits
            values = np.frombuffer(raw, np.uint16)
        else:
            values = np.frombuffer(raw, {"F32": np.float32, "F16": np.float16, "U8": np.uint8}[t["dtype"]])
        tensors[name] = values.reshape(t["shape"])
    return tensors


def wide(x):
    return (x.astype(np.uint32) << 16).view(np.float32) if x.dtype == np.uint16 else x.astype(np.float32)


# ---- tensors: name in the checkpoint -> name in the file

LLAMA = {
    "model.embed_tokens": "token_embd", "model.norm": "output_norm", "model.final_layernorm": "output_norm", "lm_head": "output",
    "input_layernorm": "attn_norm", "post_attention_layernorm": "ffn_norm", "self_attn.q_proj": "attn_q", "self_attn.k_proj": "attn_k",
    "self_attn.v_proj": "attn_v", "self_attn.o_proj": "attn_output", "self_attn.dense": "attn_output", "self_attn.qkv_proj": "attn_qkv",
    "self_attn.q_norm": "attn_q_norm", "self_attn.k_norm": "attn_k_norm", "mlp.gate_proj": "ffn_gate", "mlp.up_proj": "ffn_up",
    "mlp.down_proj": "ffn_down", "mlp.gate_up_proj": "ffn_up", "mlp.c_fc": "ffn_up", "mlp.c_proj": "ffn_down", "mlp.fc1": "ffn_up",
    "mlp.fc2": "ffn_down"}
SANDWICH = LLAMA | {"post_attention_layernorm": "post_attention_norm", "pre_feedforward_layernorm": "ffn_norm",
                    "post_feedforward_layernorm": "post_ffw_norm"}
GLM4 = LLAMA | {"post_self_attn_layernorm": "post_attention_norm", "post_mlp_layernorm": "post_ffw_norm"}
CLASSIC = {
    "transformer.word_embeddings": "token_embd", "transformer.word_embeddings_layernorm": "token_embd_norm", "transformer.wte": "token_embd",
    "transformer.wpe": "position_embd", "gpt_neox.embed_in": "token_embd", "embed_out": "output", "transformer.ln_f": "output_norm",
    "transformer.norm_f": "output_norm", "gpt_neox.final_layer_norm": "output_norm", "input_layernorm": "attn_norm",
    "post_attention_layernorm": "ffn_norm", "ln_attn": "attn_norm_2", "ln_mlp": "attn_norm", "norm_1": "attn_norm", "norm_2": "ffn_norm",
    "ln_1": "attn_norm", "ln_2": "ffn_norm", "self_attention.query_key_value": "attn_qkv", "attention.query_key_value": "attn_qkv",
    "attn.Wqkv": "attn_qkv", "attn.c_attn": "attn_qkv", "self_attention.dense": "attn_output", "attention.dense": "attn_output",
    "attn.out_proj": "attn_output", "attn.c_proj": "attn_output", "mlp.dense_h_to_4h": "ffn_up", "mlp.dense_4h_to_h": "ffn_down",
    "ffn.up_proj": "ffn_up", "ffn.down_proj": "ffn_down", "mlp.c_fc": "ffn_up", "mlp.c_proj": "ffn_down"}


def permute(x, heads):
    return x.reshape(heads, 2, x.shape[0] // heads // 2, *x.shape[1:]).swapaxes(1, 2).reshape(x.shape)


def stack_qkv(x, heads, groups):  # (group: its queries, k, v) -> all q, all k, all v
    each = heads // groups
    x = x.reshape(groups, each + 2, -1, *x.shape[1:])
    parts = [x[:, :each], x[:, each:each + 1], x[:, each + 1:]]
    return np.concatenate([p.reshape(-1, *x.shape[3:]) for p in parts])


class Case:
    def __init__(self, name):
        self.name = name
        folder = os.path.join(MODELS, name)
        self.c = json.load(open(os.path.join(folder, "config.json")))
        self.tensors = read_tensors(folder)

    def get(self, *keys, default=None):
        rope = self.c.get("rope_parameters") or {}
        for k in keys:
            for where in (self.c, rope):
                if where.get(k) is not None:
                    return where[k]
        return default

    @property
    def heads(self):  # of Mamba: none
        return self.get("num_attention_heads", "n_head", "n_heads", default=0)

    @property
    def groups(self):
        if "kv_lora_rank" in self.c and self.name not in experts_and_recurrences.EARLY:  # the format sees one head of latents
            return 1
        if self.c["model_type"] == "falcon":
            one = self.c["multi_query"] and not self.c["new_decoder_architecture"]
            return 1 if one else self.c["num_kv_heads"]
        return self.heads if self.c["model_type"] == "gpt_neox" else self.get("num_key_value_heads", default=self.heads)

    def groups_by_layer(self):
        """None where a hybrid's layer does not attend."""
        kinds = self.get("layer_types", "layers_block_type")
        if self.c["model_type"] == "jamba":
            kinds = ["full_attention" if i % self.c["attn_layer_period"] == self.c["attn_layer_offset"] else "mamba"
                     for i in range(self.c["num_hidden_layers"])]
        if not kinds or all(kind.endswith("attention") and kind != "linear_attention" for kind in kinds):
            return self.groups
        return [self.groups if kind == "full_attention" else 0 for kind in kinds]

    def write(self, path, arch, names, keys):
        self.arch = arch
        w = gguf.GGUFWriter(path, arch)
        d = self.get("hidden_size", "n_embd", "d_model")
        head_dim = self.get("head_dim", default=d // max(self.heads, 1))
        w.add_block_count(self.get("num_hidden_layers", "n_layer", "n_layers") or len(self.get("layers_block_type")))
        w.add_context_length(self.get("max_position_embeddings", "n_positions", "max_seq_len", default=64))
        w.add_embedding_length(d)
        attends = self.heads > 0  # Mamba has no feed-forward layer either
        width = self.get("intermediate_size", "ffn_hidden_size", "n_inner", default=4 * d) if attends else 0
        w.add_feed_forward_length([width * (kind in ("mlp", "moe")) for kind in kinds] if (kinds := self.get("layers_block_type")) else width)
        w.add_head_count(self.heads)
        w.add_head_count_kv(self.groups_by_layer())
        w.add_vocab_size(self.c["vocab_size"])
        w.add_tokenizer_model("no_vocab")
        if self.get("rms_norm_eps") or not attends or arch.startswith("lfm2"):
            w.add_layer_norm_rms_eps(self.get("rms_norm_eps", "layer_norm_epsilon", "norm_eps"))
        else:
            w.add_layer_norm_eps(self.get("layer_norm_eps", "layer_norm_epsilon", "norm_eps", "norm_epsilon"))
        if attends and head_dim != d // self.heads and "kv_lora_rank" not in self.c:
            w.add_key_length(head_dim)
            w.add_value_length(head_dim)
        if self.get("rope_theta"):
            w.add_rope_freq_base(float(self.get("rope_theta")))
        share = self.get("partial_rotary_factor", "rotary_pct", default=1.0)
        if attends:
            w.add_rope_dimension_count(int(share * head_dim))
        keys(self, w)

        minus_one = self.c["model_type"] in ("gemma", "gemma2", "nemotron", "gemma3_text")
        permuted = arch in ("llama", "granite", "granitemoe", "granitehybrid", "smollm3")
        for name, x in self.tensors.items():
            base, kind = name.rsplit(".", 1)
            layer = re.match(r"(?:model\.layers|backbone\.layers|transformer\.h|transformer\.blocks|gpt_neox\.layers)\.(\d+)\.(.*)", base)
            new = f"blk.{layer[1]}.{names[layer[2]]}" if layer else names[base]
            full = f"{new}.{kind}" if kind else new
            if base.endswith(("attn.c_attn", "attn.c_proj", "mlp.c_fc", "mlp.c_proj")) and arch == "gpt2" and x.ndim == 2:
                x = x.T
            if base.endswith("query_key_value") and (self.groups > 1 or self.heads == 1):
                x = stack_qkv(x, self.heads, self.groups)
            if permuted and new.endswith((".attn_q", ".attn_k")):
                x = permute(x, self.heads if new.endswith("q") else self.groups)
            if self.c["model_type"] == "gemma2" and new.endswith(".attn_q"):  # the format has no scalar: it goes into the queries
                x = wide(x) * np.float32(np.sqrt(head_dim / self.c["query_pre_attn_scalar"]))
            x = np.ascontiguousarray(x)
            if x.ndim == 1:
                x = wide(x) + (1.0 if minus_one and "norm" in base and kind == "weight" else 0.0)
                w.add_tensor(full, x.astype(np.float32))
            elif x.dtype == np.uint16:
                w.add_tensor(full, x.view(np.uint8), raw_dtype=BF16)
            elif x.dtype == np.uint8:
                w.add_tensor(full, x, raw_dtype=gguf.GGMLQuantizationType.MXFP4)
            else:
                w.add_tensor(full, x)
        w.write_header_to_file()
        w.write_kv_data_to_file()
        w.write_tensors_to_file()
        w.close()


# ---- what each architecture adds

def nothing(c, w):
    pass


def windows(c, w):
    if c.get("sliding_window"):
        w.add_sliding_window(c.get("sliding_window"))


def gemma(c, w):
    windows(c, w)
    for field, add in (("attn_logit_softcapping", w.add_attn_logit_softcapping), ("final_logit_softcapping", w.add_final_logit_softcapping)):
        if c.get(field):
            add(c.get(field))


def gemma3(c, w):
    gemma(c, w)
    w.add_sliding_window_pattern(c.get("sliding_window_pattern"))
    w.add_float32(f"{w.arch}.rope.freq_base_swa", c.get("rope_local_base_freq"))
    scaled(c, w)


def scaled(c, w):
    s = c.get("rope_scaling")
    w.add_rope_scaling_type(gguf.RopeScalingType(s["rope_type"]))
    w.add_rope_scaling_factor(s["factor"])
    if s["rope_type"] == "yarn":
        w.add_rope_scaling_orig_ctx_len(s["original_max_position_embeddings"])
        w.add_rope_scaling_yarn_beta_fast(s["beta_fast"])
        w.add_rope_scaling_yarn_beta_slow(s["beta_slow"])


def command_r(c, w):
    windows(c, w)
    w.add_logit_scale(c.get("logit_scale"))


def granite(c, w):
    w.add_attention_scale(c.get("attention_multiplier"))
    w.add_embedding_scale(c.get("embedding_multiplier"))
    w.add_residual_scale(c.get("residual_multiplier"))
    w.add_logit_scale(c.get("logits_scaling"))


def mpt(c, w):
    w.add_clamp_kqv(c.c["attn_config"]["clip_qkv"])
    w.add_max_alibi_bias(c.c["attn_config"]["alibi_bias_max"])


def neox(c, w):
    w.add_parallel_residual(c.c["use_parallel_residual"])


def olmo(c, w):
    full = c.c["rope_parameters"]["full_attention"]
    windows(c, w)
    w.add_sliding_window_pattern([kind == "sliding_attention" for kind in c.c["layer_types"]])
    w.add_rope_freq_base(full["rope_theta"])
    w.add_float32(f"{w.arch}.rope.freq_base_swa", c.c["rope_parameters"]["sliding_attention"]["rope_theta"])
    w.add_rope_scaling_type(gguf.RopeScalingType.YARN)
    w.add_rope_scaling_factor(full["factor"])
    w.add_rope_scaling_orig_ctx_len(full["original_max_position_embeddings"])


def phi3(c, w):
    windows(c, w)
    scaling = c.get("rope_scaling")
    w.add_rope_scaling_orig_ctx_len(c.get("original_max_position_embeddings"))
    if scaling:
        original = c.get("original_max_position_embeddings")
        w.add_rope_scaling_attn_factors(float(np.sqrt(1 + np.log(c.get("max_position_embeddings") / original) / np.log(original))))
        w.add_tensor("rope_factors_long.weight", np.array(scaling["long_factor"], np.float32))
        w.add_tensor("rope_factors_short.weight", np.array(scaling["short_factor"], np.float32))


def llama3(c, w):
    s = c.get("rope_scaling") or c.c["rope_parameters"]
    dims = c.get("head_dim", default=c.get("hidden_size") // c.heads)
    f = c.get("rope_theta") ** (-np.arange(0, dims, 2) / dims)
    wavelength, old = 2 * np.pi / f, s["original_max_position_embeddings"]
    low, high = s["low_freq_factor"], s["high_freq_factor"]
    smooth = np.clip((old / wavelength - low) / (high - low), 0, 1)
    w.add_tensor("rope_freqs.weight", (1 / ((1 - smooth) / s["factor"] + smooth)).astype(np.float32))


CASES = {
    "llama": ("llama", LLAMA, nothing), "llama-rope-llama3": ("llama", LLAMA, llama3), "granite": ("granite", LLAMA, granite),
    "qwen2-tied": ("qwen2", LLAMA, nothing), "qwen3": ("qwen3", LLAMA, nothing), "gemma": ("gemma", LLAMA, gemma),
    "gemma2": ("gemma2", SANDWICH, gemma), "gemma3-text-legacy": ("gemma3", SANDWICH, gemma3),
    "llama-rope-linear": ("llama", LLAMA, scaled), "llama-rope-yarn": ("llama", LLAMA, scaled),
    "phi": ("phi2", LLAMA, nothing), "phi3": ("phi3", LLAMA, phi3),
    "phi3-longrope-long": ("phi3", LLAMA, phi3), "phi3-longrope-short": ("phi3", LLAMA, phi3), "olmo3": ("olmo2", SANDWICH, olmo),
    "cohere": ("command-r", LLAMA, command_r), "cohere2": ("cohere2", LLAMA, command_r), "glm": ("chatglm", LLAMA, nothing),
    "glm4": ("glm4", GLM4, nothing), "starcoder2": ("starcoder2", LLAMA, windows), "nemotron": ("nemotron", LLAMA, nothing),
    "gpt2": ("gpt2", CLASSIC, nothing), "gpt-neox": ("gptneox", CLASSIC, neox), "gpt-neox-serial": ("gptneox", CLASSIC, neox),
    "bloom": ("bloom", CLASSIC, nothing), "falcon-new": ("falcon", CLASSIC, nothing), "falcon-multiquery": ("falcon", CLASSIC, nothing),
    "mpt": ("mpt", CLASSIC, mpt)}

CASES |= experts_and_recurrences.CASES

if __name__ == "__main__":
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    os.makedirs(sys.argv[1], exist_ok=True)
    for case in sys.argv[2:] or CASES:
        Case(case).write(os.path.join(sys.argv[1], case + ".gguf"), *CASES[case])
