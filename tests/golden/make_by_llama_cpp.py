#!/usr/bin/env python3
"""Makes golden cases of architectures that have a GGUF form but no other recorded oracle: small random checkpoints, run by llama.cpp in f32
(quantised weights meet int8 activations, whose scales it rounds to f16).

    pip install gguf numpy safetensors llama-cpp-python
    make_by_llama_cpp.py [NAME...]      writes tests/golden/models/NAME (and the file that llama.cpp read: tests/golden/gguf/NAME.gguf)
"""

import ctypes
import json
import os
import sys

import gguf
import llama_cpp as llama
import numpy as np
from safetensors.numpy import save_file

import experts_and_recurrences
import make_gguf

MXFP4 = gguf.GGMLQuantizationType.MXFP4

COMMON = {"vocab_size": 97, "hidden_size": 32, "intermediate_size": 64, "num_attention_heads": 4, "num_key_value_heads": 2,
          "max_position_embeddings": 64, "hidden_act": "silu", "rope_theta": 10000.0, "torch_dtype": "float32", "bos_token_id": 1,
          "eos_token_id": 2, "pad_token_id": 0, "attention_dropout": 0.0, "initializer_range": 0.02, "use_cache": True}

CASES = {
    "stablelm": ("stablelm", make_gguf.LLAMA, make_gguf.nothing,
                 "StableLM 2: LayerNorm, gated MLP, biases on q/k/v only, rotary on a quarter of the head dims, untied",
                 {"model_type": "stablelm", "architectures": ["StableLmForCausalLM"], "layer_norm_eps": 1e-5, "num_hidden_layers": 2,
                  "partial_rotary_factor": 0.25, "use_qkv_bias": True, "use_parallel_residual": False, "qk_layernorm": False,
                  "tie_word_embeddings": False}),
    "olmo2": ("olmo2", make_gguf.SANDWICH, make_gguf.nothing,
              "OLMo 2: norms only after attention and MLP, RMSNorm over the whole q and k rows, no windows",
              {"model_type": "olmo2", "architectures": ["Olmo2ForCausalLM"], "rms_norm_eps": 1e-6, "num_hidden_layers": 2,
               "attention_bias": False, "tie_word_embeddings": False}),
    "smollm3-gguf": ("smollm3", make_gguf.LLAMA, make_gguf.nothing,
                     "SmolLM3 with the interval that its GGUF form has: every fourth layer does not rotate",
                     {"model_type": "smollm3", "architectures": ["SmolLM3ForCausalLM"], "rms_norm_eps": 1e-6, "num_hidden_layers": 5,
                      "no_rope_layer_interval": 4, "attention_bias": False, "mlp_bias": False, "tie_word_embeddings": True}),
    "deepseek-yarn": ("deepseek2", experts_and_recurrences.NAMES, experts_and_recurrences.latent_yarn,
                      "DeepSeek-V3's latent attention and router with YaRN as it is published (mscale and mscale_all_dim alike)",
                      {"model_type": "deepseek_v3", "architectures": ["DeepseekV3ForCausalLM"], "rms_norm_eps": 1e-6,
                       "num_hidden_layers": 3, "num_key_value_heads": 4, "first_k_dense_replace": 1, "q_lora_rank": 12, "kv_lora_rank": 16, "qk_nope_head_dim": 8,
                       "qk_rope_head_dim": 8, "qk_head_dim": 16, "head_dim": 8, "v_head_dim": 10, "n_routed_experts": 8,
                       "n_shared_experts": 1, "num_experts_per_tok": 3, "moe_intermediate_size": 24, "n_group": 1, "topk_group": 1, "norm_topk_prob": True,
                       "routed_scaling_factor": 2.5, "tie_word_embeddings": False,
                       "rope_scaling": {"rope_type": "yarn", "factor": 8.0, "original_max_position_embeddings": 8, "beta_fast": 32.0,
                                        "beta_slow": 1.0, "mscale": 0.8, "mscale_all_dim": 0.8}}),
    "gpt-oss-mxfp4": ("gpt-oss", experts_and_recurrences.POST, experts_and_recurrences.experts(),
                      "gpt-oss with experts in MXFP4, as published: blocks and scales apart, neighbouring values in a byte",
                      {"model_type": "gpt_oss", "architectures": ["GptOssForCausalLM"], "rms_norm_eps": 1e-5, "num_hidden_layers": 2,
                       "hidden_size": 64, "intermediate_size": 96, "head_dim": 16, "num_local_experts": 4, "num_experts_per_tok": 2,
                       "sliding_window": 5, "layer_types": ["sliding_attention", "full_attention"], "attention_bias": True,
                       "swiglu_limit": 7.0, "tie_word_embeddings": False,
                       "quantization_config": {"quant_method": "mxfp4", "modules_to_not_convert": ["lm_head"]}})}


def draw(config):
    """Weights that all matter: matrices of variance 1 / columns (the head four times that), norms near 1, biases near 0."""
    rng = np.random.default_rng(sum(config["model_type"].encode()))
    d, f, v = config["hidden_size"], config["intermediate_size"], config["vocab_size"]
    k = d // config["num_attention_heads"] * config["num_key_value_heads"]
    out = {}

    def matrix(name, rows, cols, gain=1.0):
        out[name + ".weight"] = (rng.standard_normal((rows, cols)) * gain / np.sqrt(cols)).astype(np.float32)

    def norm(name, size):
        out[name + ".weight"] = (1 + 0.2 * rng.standard_normal(size)).astype(np.float32)
        if "layer_norm_eps" in config:
            out[name + ".bias"] = (0.2 * rng.standard_normal(size)).astype(np.float32)

    matrix("model.embed_tokens", v, d, 4.0)
    for i in range(config["num_hidden_layers"]):
        p = f"model.layers.{i}."
        if "kv_lora_rank" in config:
            draw_latent(matrix, norm, out, rng, p, i, config)
            continue
        for name, rows in (("q", d), ("k", k), ("v", k)):
            matrix(f"{p}self_attn.{name}_proj", rows, d, 1.5)
            if config.get("use_qkv_bias") or config.get("attention_bias"):
                out[f"{p}self_attn.{name}_proj.bias"] = (0.2 * rng.standard_normal(rows)).astype(np.float32)
        matrix(p + "self_attn.o_proj", d, d)
        if config["model_type"] == "gpt_oss":
            draw_experts(out, rng, p, config)
            norm(p + "input_layernorm", d)
            norm(p + "post_attention_layernorm", d)
            continue
        for name in ("gate", "up"):
            matrix(f"{p}mlp.{name}_proj", f, d)
        matrix(p + "mlp.down_proj", d, f)
        if config["model_type"] == "olmo2":
            norm(p + "self_attn.q_norm", d)
            norm(p + "self_attn.k_norm", k)
            norm(p + "post_feedforward_layernorm", d)
        else:
            norm(p + "input_layernorm", d)
        norm(p + "post_attention_layernorm", d)
    norm("model.norm", d)
    if not config["tie_word_embeddings"]:
        matrix("lm_head", v, d, 2.0)
    return out


def draw_latent(matrix, norm, out, rng, p, layer, config):
    d, h, e = config["hidden_size"], config["num_attention_heads"], config["n_routed_experts"]
    q, kv, nope, rope, v = (config[x] for x in ("q_lora_rank", "kv_lora_rank", "qk_nope_head_dim", "qk_rope_head_dim", "v_head_dim"))
    for name, rows, cols in (("q_a_proj", q, d), ("q_b_proj", h * (nope + rope), q), ("kv_a_proj_with_mqa", kv + rope, d),
                             ("kv_b_proj", h * (nope + v), kv), ("o_proj", d, h * v)):
        matrix(f"{p}self_attn.{name}", rows, cols, 1.5)
    for name, size in (("self_attn.q_a_layernorm", q), ("self_attn.kv_a_layernorm", kv), ("input_layernorm", d),
                       ("post_attention_layernorm", d)):
        norm(p + name, size)
    wide = [("mlp.", config["intermediate_size"])] if layer < config["first_k_dense_replace"] else [
        (f"mlp.{x}.", config["moe_intermediate_size"]) for x in [f"experts.{i}" for i in range(e)] + ["shared_experts"]]
    for scope, f in wide:
        for name, rows, cols in (("gate", f, d), ("up", f, d), ("down", d, f)):
            matrix(f"{p}{scope}{name}_proj", rows, cols)
    if layer >= config["first_k_dense_replace"]:
        matrix(p + "mlp.gate", e, d)
        out[p + "mlp.gate.e_score_correction_bias"] = (0.2 * rng.standard_normal(e)).astype(np.float32)


def draw_experts(out, rng, p, config):
    d, f, e = config["hidden_size"], config["intermediate_size"], config["num_local_experts"]
    some = lambda *shape: (0.2 * rng.standard_normal(shape)).astype(np.float32)
    out |= {p + "self_attn.o_proj.bias": some(d), p + "self_attn.sinks": some(config["num_attention_heads"]),
            p + "mlp.router.weight": some(e, d), p + "mlp.router.bias": some(e), p + "mlp.experts.gate_up_proj_bias": some(e, 2 * f),
            p + "mlp.experts.down_proj_bias": some(e, d)}
    for name, rows, cols in (("gate_up_proj", 2 * f, d), ("down_proj", d, f)):
        blocks = gguf.quants.quantize((2 * rng.standard_normal((e, rows, cols)) / np.sqrt(cols)).astype(np.float32), MXFP4)
        blocks = blocks.reshape(e, rows, cols // 32, 17)
        codes = np.concatenate([blocks[..., 1:] & 15, blocks[..., 1:] >> 4], -1)
        out[f"{p}mlp.experts.{name}_scales"] = np.ascontiguousarray(blocks[..., 0])
        out[f"{p}mlp.experts.{name}_blocks"] = codes[..., 0::2] | codes[..., 1::2] << 4


class Oracle:
    def __init__(self, path):
        self.quiet = llama.llama_log_callback(lambda *_: None)
        llama.llama_log_set(self.quiet, ctypes.c_void_p(0))
        llama.llama_backend_init()
        self.model = llama.llama_model_load_from_file(path.encode(), llama.llama_model_default_params())
        params = llama.llama_context_default_params()
        params.n_ctx = params.n_batch = 64
        params.n_threads = params.n_threads_batch = 1
        params.type_k = params.type_v = 0  # f32
        params.flash_attn_type = 0
        self.context = llama.llama_init_from_model(self.model, params)

    def logits(self, ids):
        llama.llama_memory_clear(llama.llama_get_memory(self.context), True)
        batch = llama.llama_batch_init(len(ids), 0, 1)
        batch.n_tokens = len(ids)
        for i, token in enumerate(ids):
            batch.token[i], batch.pos[i], batch.n_seq_id[i], batch.logits[i] = int(token), i, 1, 1
            batch.seq_id[i][0] = 0
        assert llama.llama_decode(self.context, batch) == 0
        n = llama.llama_vocab_n_tokens(llama.llama_model_get_vocab(self.model))
        return np.stack([np.ctypeslib.as_array(llama.llama_get_logits_ith(self.context, i), (n,)).copy() for i in range(len(ids))])


def make(name):
    arch, names, keys, about, special = CASES[name]
    config = COMMON | special
    folder = os.path.join(make_gguf.MODELS, name)
    file = os.path.join(os.path.dirname(make_gguf.MODELS), "gguf", name + ".gguf")
    os.makedirs(folder, exist_ok=True)
    json.dump(config, open(os.path.join(folder, "config.json"), "w"), indent=2)
    save_file(draw(config), os.path.join(folder, "model.safetensors"), {"format": "pt"})
    make_gguf.Case(name).write(file, arch, names, keys)

    oracle = Oracle(file)
    ids = np.random.default_rng(1).integers(3, 97, (2, 13))
    logits = np.stack([oracle.logits(row) for row in ids])
    path, margin = list(ids[0]), np.inf
    for _ in range(8):
        last = oracle.logits(path)[-1]
        best = np.sort(last)
        margin = min(margin, best[-1] - best[-2])
        path.append(int(last.argmax()))
    save_file({"input_ids": ids.astype(np.int64), "logits": logits, "greedy_ids": np.array([path[13:]], np.int64)},
              os.path.join(folder, "golden.safetensors"))
    share = 1.5e-2 if "quantization_config" in config else 2e-4
    case = {"name": name, "kind": "causal-lm", "about": about, "oracle": "llama.cpp (llama-cpp-python %s), f32" % llama.__version__,
            "scale": float(np.abs(logits).max()), "tolerance": share * float(np.abs(logits).max()), "model_type": config["model_type"],
            "greedy_margin": float(margin)}
    json.dump(case, open(os.path.join(folder, "case.json"), "w"), indent=1)
    print(name, "scale", case["scale"], "margin", margin)


if __name__ == "__main__":
    for case in sys.argv[1:] or CASES:
        make(case)
