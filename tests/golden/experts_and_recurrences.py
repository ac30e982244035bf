"""What make_gguf.py has to know of checkpoints with experts, state spaces and short convolutions: CASES, as there."""

import re

import gguf
import numpy as np

NAMES = {
    "model.embed_tokens": "token_embd", "backbone.embeddings": "token_embd", "model.norm": "output_norm", "model.final_layernorm": "output_norm",
    "backbone.norm_f": "output_norm", "model.embedding_norm": "token_embd_norm", "lm_head": "output",
    "input_layernorm": "attn_norm", "operator_norm": "attn_norm", "norm": "attn_norm", "post_attention_layernorm": "ffn_norm",
    "pre_ff_layernorm": "ffn_norm", "ffn_norm": "ffn_norm",
    "self_attn.q_proj": "attn_q", "self_attn.k_proj": "attn_k", "self_attn.v_proj": "attn_v", "self_attn.o_proj": "attn_output",
    "self_attn.out_proj": "attn_output", "self_attn.q_norm": "attn_q_norm", "self_attn.k_norm": "attn_k_norm",
    "self_attn.q_layernorm": "attn_q_norm", "self_attn.k_layernorm": "attn_k_norm", "self_attn.sinks": "attn_sinks",
    "mlp.correction": "exp_probs_b",
    "self_attn.q_a_proj": "attn_q_a", "self_attn.q_b_proj": "attn_q_b", "self_attn.q_a_layernorm": "attn_q_a_norm",
    "self_attn.kv_a_proj_with_mqa": "attn_kv_a_mqa", "self_attn.kv_a_layernorm": "attn_kv_a_norm", "self_attn.k_b_proj": "attn_k_b",
    "self_attn.v_b_proj": "attn_v_b", "self_attn.kv_b_proj": "attn_kv_b"}
for mlp in ("mlp", "block_sparse_moe", "feed_forward"):
    NAMES |= {f"{mlp}.gate": "ffn_gate_inp", f"{mlp}.router": "ffn_gate_inp", f"{mlp}.router.layer": "ffn_gate_inp",
              f"{mlp}.shared_expert_gate": "ffn_gate_inp_shexp", f"{mlp}.correction": "exp_probs_b"}
    for gate, up, down in (("gate_proj", "up_proj", "down_proj"), ("w1", "w3", "w2")):
        for part, name in (("gate", gate), ("up", up), ("down", down)):
            NAMES |= {f"{mlp}.{name}": f"ffn_{part}", f"{mlp}.experts.{name}": f"ffn_{part}_exps",
                      f"{mlp}.shared_expert.{name}": f"ffn_{part}_shexp", f"{mlp}.shared_experts.{name}": f"ffn_{part}_shexp"}
for mixer in ("mixer", "mamba"):
    NAMES |= {f"{mixer}.in_proj": "ssm_in", f"{mixer}.conv1d": "ssm_conv1d", f"{mixer}.x_proj": "ssm_x", f"{mixer}.dt_proj": "ssm_dt",
              f"{mixer}.A": "ssm_a", f"{mixer}.D": "ssm_d", f"{mixer}.norm": "ssm_norm", f"{mixer}.out_proj": "ssm_out",
              f"{mixer}.dt_layernorm": "ssm_dt_norm", f"{mixer}.b_layernorm": "ssm_b_norm", f"{mixer}.c_layernorm": "ssm_c_norm"}
NAMES |= {"conv.conv": "shortconv.conv", "conv.in_proj": "shortconv.in_proj", "conv.out_proj": "shortconv.out_proj"}
# Written as the first converters did, before latent attention was split: its matrices together, the widths of heads.
EARLY = ("deepseek-v2",)
# Nemotron-H: everything is a mixer.
MIXERS = NAMES | {"mixer.gate": "ffn_gate_inp", "mixer.correction": "exp_probs_b", "mixer.fc1_latent_proj": "ffn_latent_down",
                  "mixer.fc2_latent_proj": "ffn_latent_up", "mixer.o_proj": "attn_output"}
MIXERS |= {f"mixer.{x}_proj": f"attn_{x}" for x in "qkv"}
for part in ("up", "down"):
    MIXERS |= {f"mixer.{part}_proj": f"ffn_{part}", f"mixer.experts.{part}_proj": f"ffn_{part}_exps",
               f"mixer.shared_experts.{part}_proj": f"ffn_{part}_shexp"}
# The norm before the MLP has another name where the format also knows one behind attention.
POST = NAMES | {"post_attention_layernorm": "post_attention_norm"}


def wide(x):
    return (x.astype(np.uint32) << 16).view(np.float32) if x.dtype == np.uint16 else x.astype(np.float32)


def mxfp4(blocks, scales):
    """gpt-oss's pair of tensors as the format's blocks: a byte has values i and i + 16, there 2 i and 2 i + 1."""
    codes = np.stack([blocks & 15, blocks >> 4], -1).reshape(*blocks.shape[:-1], 32)
    rows = np.concatenate([scales[..., None], codes[..., :16] | codes[..., 16:] << 4], -1)
    return rows.reshape(*rows.shape[:-2], -1)


def prepare(c):
    """Tensors as the format has them: experts stacked, gate and up apart, state spaces' small tensors in f32."""
    stacks, out = {}, {}
    for name, x in c.tensors.items():
        expert = re.match(r"(.*\.experts)\.(\d+)\.(.*)", name)
        if expert:
            stacks.setdefault(f"{expert[1]}.{expert[3]}", {})[int(expert[2])] = x
        else:
            out[name] = x
    for name, parts in stacks.items():
        out[name] = np.stack([parts[i] for i in range(len(parts))])

    def split(name, first, second, x):
        if name in out:
            out[first], out[second] = x(out.pop(name))

    for name in list(out):
        base = name.rsplit(".", 1)[0]
        mlp = base.rsplit(".", 1)[0]
        if name.endswith("block_sparse_moe.input_linear.weight"):
            split(name, f"{mlp}.experts.gate_proj.weight", f"{mlp}.experts.up_proj.weight", lambda x: np.split(x, 2, axis=1))
        elif name.endswith("block_sparse_moe.output_linear.weight"):
            out[f"{mlp}.experts.down_proj.weight"] = out.pop(name)
        elif name.endswith("shared_mlp.input_linear.weight"):
            dense = c.arch == "granitehybrid" and not c.get("num_local_experts")
            to = mlp.replace("shared_mlp", "mlp" if dense else "mlp.shared_expert")
            split(name, f"{to}.gate_proj.weight", f"{to}.up_proj.weight", lambda x: np.split(x, 2))
            out[f"{to}.down_proj.weight"] = out.pop(name.replace("input_linear", "output_linear"))
        elif name.endswith("experts.gate_up_proj"):  # (expert, in, 2 out), gate and up in turn
            split(name, f"{base}.gate_proj.weight", f"{base}.up_proj.weight",
                  lambda x: [x[:, :, i::2].swapaxes(1, 2) for i in (0, 1)])
        elif name.endswith("_blocks"):
            whole = mxfp4(out.pop(name), out.pop(name.replace("_blocks", "_scales")))
            if "gate_up" in name:
                out[f"{base}.gate_proj.weight"], out[f"{base}.up_proj.weight"] = whole[:, 0::2], whole[:, 1::2]
            else:
                out[f"{base}.down_proj.weight"] = whole
        elif name.endswith("experts.gate_up_proj_bias"):
            split(name, f"{base}.gate_proj.bias", f"{base}.up_proj.bias", lambda x: [wide(x[:, i::2]) for i in (0, 1)])
        elif name.endswith("experts.down_proj"):
            out[f"{base}.down_proj.weight"] = out.pop(name).swapaxes(1, 2)
        elif name.endswith("experts.down_proj_bias"):
            out[f"{base}.down_proj.bias"] = wide(out.pop(name))
        elif name.endswith(("e_score_correction_bias", "expert_bias")):
            to = re.sub(r"(gate\.e_score_correction_bias|moe_statics\.e_score_correction_bias|expert_bias)$", "correction.bias", name)
            out[to] = wide(out.pop(name)).reshape(-1)
        elif name.endswith("kv_b_proj.weight") and c.name not in EARLY:  # a head's keys, transposed, and its values
            kv = out.pop(name)
            kv = kv.reshape(c.heads, -1, kv.shape[1])
            out[f"{mlp}.k_b_proj.weight"] = kv[:, :c.c["qk_nope_head_dim"]].swapaxes(1, 2)
            out[f"{mlp}.v_b_proj.weight"] = kv[:, c.c["qk_nope_head_dim"]:]
        elif name.endswith("sinks"):
            out[f"{name}.weight"] = out.pop(name)
        elif name.endswith("A_log"):
            a = -np.exp(wide(out.pop(name)))
            out[f"{base}.A."] = a.reshape(-1, 1) if a.ndim == 1 else a
        elif name.endswith(".D"):
            d = wide(out.pop(name))
            out[f"{base}.D."] = d if c.c["model_type"] in ("mamba", "jamba") else d.reshape(-1, 1)
        elif name.endswith("dt_bias"):
            out[f"{base}.dt_proj.bias"] = out.pop(name)
        elif name.endswith(("conv1d.weight", "conv.conv.weight")):
            out[name] = wide(out.pop(name)).squeeze(1)
        elif name.endswith(("mixer.norm.weight", "mamba.norm.weight")):
            out[name] = wide(out[name]).reshape(c.get("n_groups", "mamba_n_groups"), -1)
        elif name.endswith(("x_proj.weight", "dt_proj.weight")):
            out[name] = wide(out[name])
    c.tensors = out


def experts(gating=None, norm=None):
    def keys(c, w):
        prepare(c)
        count = c.get("num_local_experts", "num_experts", "n_routed_experts", "moe_num_experts")
        if not count:
            return
        w.add_expert_count(count)
        w.add_expert_used_count(c.get("num_experts_per_tok", "moe_k"))
        for field, add in (("moe_intermediate_size", w.add_expert_feed_forward_length),
                           ("shared_expert_intermediate_size", w.add_expert_shared_feed_forward_length),
                           ("shared_intermediate_size", w.add_expert_shared_feed_forward_length),
                           ("moe_shared_expert_intermediate_size", w.add_expert_shared_feed_forward_length),
                           ("moe_latent_size", lambda n: w.add_uint32(f"{w.arch}.moe_latent_size", n)),
                           ("n_shared_experts", w.add_expert_shared_count), ("moe_num_shared_experts", w.add_expert_shared_count),
                           ("first_k_dense_replace", w.add_leading_dense_block_count), ("num_dense_layers", w.add_leading_dense_block_count),
                           ("routed_scaling_factor", w.add_expert_weights_scale), ("n_group", w.add_expert_group_count),
                           ("topk_group", w.add_expert_group_used_count)):
            if c.get(field):
                add(c.get(field))
        if c.get("clip_qkv"):
            w.add_clamp_kqv(c.get("clip_qkv"))
        if norm is not None:
            w.add_expert_weights_norm(norm)
        if gating:
            w.add_expert_gating_func(gating)
        if c.get("sliding_window"):
            w.add_sliding_window(c.get("sliding_window"))
        if c.c["model_type"] == "gpt_oss":
            w.add_expert_feed_forward_length(c.get("intermediate_size"))
        if c.c["model_type"] == "ernie4_5_moe":
            w.add_leading_dense_block_count(c.get("moe_layer_start_index"))
            w.add_interleave_moe_layer_step(c.get("moe_layer_interval", default=1))
            w.add_expert_shared_feed_forward_length(c.get("moe_num_shared_experts") * c.get("moe_intermediate_size"))
        if c.c["model_type"] == "gpt_oss" and c.get("rope_scaling"):
            s = c.get("rope_scaling")
            w.add_rope_scaling_type(gguf.RopeScalingType.YARN)
            w.add_rope_scaling_factor(s["factor"])
            w.add_rope_scaling_orig_ctx_len(s["original_max_position_embeddings"])
    return keys


SOFTMAX, SIGMOID = gguf.ExpertGatingFuncType.SOFTMAX, gguf.ExpertGatingFuncType.SIGMOID


def granite(then):
    def keys(c, w):
        w.add_attention_scale(c.get("attention_multiplier"))
        w.add_embedding_scale(c.get("embedding_multiplier"))
        w.add_residual_scale(c.get("residual_multiplier"))
        w.add_logit_scale(c.get("logits_scaling"))
        then(c, w)
    return keys


def mamba1(c, w):
    d = c.get("hidden_size")
    w.add_ssm_conv_kernel(c.get("conv_kernel", "mamba_d_conv"))
    w.add_ssm_inner_size(c.get("intermediate_size") if c.c["model_type"] == "mamba" else c.get("mamba_expand") * d)
    w.add_ssm_state_size(c.get("state_size", "mamba_d_state"))
    w.add_ssm_time_step_rank(c.get("time_step_rank", "mamba_dt_rank"))
    if c.c["model_type"] == "mamba":
        w.add_ssm_dt_b_c_rms(False)
    experts()(c, w)


def mamba2(c, w, then=experts()):
    heads = c.get("num_heads", "mamba_n_heads", "mamba_num_heads")
    w.add_ssm_conv_kernel(c.get("conv_kernel", "mamba_d_conv"))
    w.add_ssm_inner_size(heads * c.get("mamba_d_head", "mamba_head_dim", "head_dim"))
    w.add_ssm_state_size(c.get("state_size", "mamba_d_state", "ssm_state_size"))
    w.add_ssm_time_step_rank(heads)
    w.add_ssm_group_count(c.get("n_groups", "mamba_n_groups"))
    then(c, w)


def nemotron(c, w):
    w.add_layer_norm_rms_eps(c.get("layer_norm_epsilon"))
    mamba2(c, w, experts(SIGMOID, True) if c.arch.endswith("moe") else lambda c, w: prepare(c))


def latent(gating, norm):
    def keys(c, w):
        rank, rope = c.get("kv_lora_rank"), c.get("qk_rope_head_dim")
        w.add_kv_lora_rank(rank)
        if c.get("q_lora_rank"):
            w.add_q_lora_rank(c.get("q_lora_rank"))
        if c.name in EARLY:
            w.add_key_length(c.get("qk_nope_head_dim") + rope)
            w.add_value_length(c.get("v_head_dim"))
        else:
            w.add_key_length(rank + rope)
            w.add_value_length(rank)
            w.add_key_length_mla(c.get("qk_nope_head_dim") + rope)
            w.add_value_length_mla(c.get("v_head_dim"))
        experts(gating, norm)(c, w)
    return keys


def latent_yarn(c, w):
    s = c.get("rope_scaling")
    latent(SIGMOID, True)(c, w)
    w.add_rope_scaling_type(gguf.RopeScalingType.YARN)
    w.add_rope_scaling_factor(s["factor"])
    w.add_rope_scaling_orig_ctx_len(s["original_max_position_embeddings"])
    w.add_rope_scaling_yarn_log_mul(0.1 * s["mscale_all_dim"])


def falcon_h1(c, w):
    """The format has no factors: they go into the weights."""
    own = c.tensors
    factors = {"q_proj": c.get("attention_in_multiplier"), "k_proj": c.get("attention_in_multiplier") * c.get("key_multiplier"),
               "v_proj": c.get("attention_in_multiplier"), "o_proj": c.get("attention_out_multiplier"),
               "out_proj": c.get("ssm_out_multiplier"),
               "gate_proj": c.get("mlp_multipliers")[0], "down_proj": c.get("mlp_multipliers")[1],
               "embed_tokens": c.get("embedding_multiplier"), "lm_head": c.get("lm_head_multiplier")}
    inner, state = c.get("mamba_d_ssm"), c.get("mamba_n_groups") * c.get("mamba_d_state")
    parts = np.repeat(np.float32(c.get("ssm_multipliers")), [inner, inner, state, state, c.get("mamba_n_heads")])
    for name, x in own.items():
        last = name.split(".")[-2]
        if last in factors:
            own[name] = wide(x) * np.float32(factors[last])
        elif last == "in_proj":
            own[name] = wide(x) * (parts * np.float32(c.get("ssm_in_multiplier")))[:, None]
    for name in [name for name in own if "pre_ff_layernorm" in name]:
        own[name.removesuffix("weight")] = own.pop(name)  # so the format calls it
    mamba2(c, w)


def short_conv(c, w):
    w.add_shortconv_l_cache(c.get("conv_L_cache"))
    experts(SIGMOID)(c, w)


CASES = {
    "mixtral": ("llama", NAMES, experts()), "qwen2-moe": ("qwen2moe", NAMES, experts()), "qwen3-moe": ("qwen3moe", NAMES, experts()),
    "olmoe": ("olmoe", NAMES, experts()), "granitemoe": ("granitemoe", NAMES, granite(experts())),
    "granitemoeshared": ("granitemoe", NAMES, granite(experts())), "glm4-moe": ("glm4moe", POST, experts(SIGMOID, True)),
    "ernie4-5-moe": ("ernie4_5-moe", NAMES, experts()), "deepseek-v2": ("deepseek2", NAMES, latent(SOFTMAX, False)),
    "deepseek-v3": ("deepseek2", NAMES, latent(SIGMOID, True)), "falcon_h1": ("falcon-h1", NAMES, falcon_h1),
    "nemotron_h": ("nemotron_h", MIXERS, nemotron), "nemotron_h_moe": ("nemotron_h_moe", MIXERS, nemotron),
    "mamba": ("mamba", NAMES, mamba1), "mamba2": ("mamba2", NAMES, mamba2), "jamba": ("jamba", NAMES, mamba1),
    "granitemoehybrid": ("granitehybrid", NAMES, granite(mamba2)), "lfm2": ("lfm2", NAMES, short_conv), "lfm2_moe": ("lfm2moe", NAMES, short_conv)}
