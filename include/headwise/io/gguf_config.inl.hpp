#pragma once
#include <algorithm>
#include <set>

#include "headwise/io/gguf_config.hpp"

namespace hw {
namespace detail {

// How one key is translated. `gguf` is written without the architecture.
struct GgufField {
  enum class Type { size, given, count, real, flag } type;  // size: at least 1; given: 0 is "not there"; count: 0 is "none"
  std::string_view gguf, hf;
};

inline constexpr GgufField kGgufFields[] = {
    {GgufField::Type::size, "block_count", "num_hidden_layers"},
    {GgufField::Type::size, "embedding_length", "hidden_size"},
    {GgufField::Type::given, "feed_forward_length", "intermediate_size"},
    {GgufField::Type::given, "attention.head_count", "num_attention_heads"},
    {GgufField::Type::count, "attention.sliding_window", "sliding_window"},
    {GgufField::Type::real, "attention.layer_norm_rms_epsilon", "rms_norm_eps"},
    {GgufField::Type::real, "attention.layer_norm_epsilon", "layer_norm_eps"},
    {GgufField::Type::real, "attention.scale", "attention_scale"},
    {GgufField::Type::real, "attention.clamp_kqv", "clip_qkv"},
    {GgufField::Type::real, "attention.max_alibi_bias", "alibi_bias_max"},
    {GgufField::Type::real, "embedding_scale", "embedding_scale"},
    {GgufField::Type::real, "residual_scale", "residual_scale"},
    {GgufField::Type::real, "logit_scale", "logit_scale"},
    {GgufField::Type::flag, "use_parallel_residual", "use_parallel_residual"},
    {GgufField::Type::real, "attn_logit_softcapping", "attn_logit_softcapping"},
    {GgufField::Type::real, "final_logit_softcapping", "final_logit_softcapping"},
    {GgufField::Type::size, "context_length", "max_position_embeddings"},
    {GgufField::Type::real, "rope.freq_base", "rope_theta"},
    {GgufField::Type::real, "rope.freq_base_swa", "rope_local_base_freq"},
    {GgufField::Type::count, "expert_count", "num_local_experts"},
    {GgufField::Type::count, "expert_used_count", "num_experts_per_tok"},
    {GgufField::Type::count, "expert_shared_count", "n_shared_experts"},
    {GgufField::Type::given, "expert_feed_forward_length", "moe_intermediate_size"},
    {GgufField::Type::given, "expert_shared_feed_forward_length", "shared_expert_intermediate_size"},
    {GgufField::Type::count, "expert_group_count", "n_group"},
    {GgufField::Type::count, "expert_group_used_count", "topk_group"},
    {GgufField::Type::count, "leading_dense_block_count", "first_k_dense_replace"},
    {GgufField::Type::given, "interleave_moe_layer_step", "moe_layer_interval"},
    {GgufField::Type::real, "expert_weights_scale", "routed_scaling_factor"},
    {GgufField::Type::flag, "expert_weights_norm", "norm_topk_prob"},
    {GgufField::Type::given, "moe_latent_size", "moe_latent_size"},
    {GgufField::Type::given, "attention.q_lora_rank", "q_lora_rank"},
    {GgufField::Type::size, "attention.kv_lora_rank", "kv_lora_rank"},
    {GgufField::Type::size, "ssm.conv_kernel", "conv_kernel"},
    {GgufField::Type::size, "ssm.inner_size", "ssm_inner_size"},
    {GgufField::Type::size, "ssm.state_size", "state_size"},
    {GgufField::Type::given, "ssm.group_count", "n_groups"},
    {GgufField::Type::size, "ssm.time_step_rank", "time_step_rank"},
    {GgufField::Type::flag, "ssm.dt_b_c_rms", "ssm_dt_b_c_rms"},
    {GgufField::Type::size, "shortconv.l_cache", "conv_L_cache"},
    {GgufField::Type::size, "vocab_size", "vocab_size"},
};

// Writes the fields of one file.
class GgufConfigWriter {
 public:
  explicit GgufConfigWriter(const Gguf& gguf) : gguf_(gguf), out_(gguf.name()) {}

  Json write() {
    const auto name = gguf_.get<std::string_view>("general.architecture");
    if (name.size() > 100) gguf_.at("general.architecture").fail_expected("a name of at most 100 characters");
    prefix_ = concat(name, ".");
    out_.begin_object();
    put("model_type", "general.architecture", name);
    for (const GgufField& field : kGgufFields) translate(field);
    // Every model has a norm. (An unknown architecture has none of these keys, and is somebody else's message.)
    if (written_.contains("hidden_size") && !written_.contains("rms_norm_eps") && !written_.contains("layer_norm_eps"))
      gguf_.at(full("attention.layer_norm_rms_epsilon"));
    write_kv_heads();
    write_head_width();
    write_window_pattern();
    write_gating();
    write_rope_scaling();
    write_vocabulary();
    pass_on_the_rest();
    return out_.end_object().finish();
  }

 private:
  std::string full(std::string_view key) const { return concat(prefix_, key); }

  // The value, remembered as read.
  std::optional<GgufValue> take(std::string_view key) {
    const std::string name = full(key);
    const std::optional<GgufValue> value = gguf_.find(name);
    if (value) read_.insert(name);
    return value;
  }

  template <class T>
  void put(std::string_view hf, std::string_view gguf, const T& value) {
    out_.member(hf, value).label(hf, gguf);
    written_.emplace(hf);
  }

  // One number, or one for each layer if all are the same; with `may_lack`, all that are not 0.
  index_t size_of(const GgufValue& value, bool may_lack = false) {
    if (!value.is_array()) return value.as<index_t>();
    auto each = value.as<std::vector<index_t>>();
    const auto layers = gguf_.get<index_t>(full("block_count"));
    if (!std::cmp_equal(each.size(), layers)) value.fail_expected(concat("one number, or one for each of ", layers, " layers"));
    if (may_lack && std::erase(each, index_t{0}) > 0 && each.empty()) return 0;
    if (each.empty() || std::adjacent_find(each.begin(), each.end(), std::not_equal_to<>()) != each.end())
      value.fail("layers that differ are not supported");
    return each[0];
  }

  void translate(const GgufField& field) {
    const std::string key = full(field.gguf);
    const std::optional<GgufValue> value = take(field.gguf);
    if (!value) {
      out_.label(field.hf, key);  // for the message when somebody needs it
      return;
    }
    switch (field.type) {
      case GgufField::Type::given:
      case GgufField::Type::size: {
        const bool may_lack = field.type == GgufField::Type::given;
        const index_t size = size_of(*value, may_lack);
        if (size == 0 && may_lack) return static_cast<void>(out_.label(field.hf, key));
        if (size < 1) value->fail_expected("a whole number above 0");
        return put(field.hf, key, size);
      }
      case GgufField::Type::count: return put(field.hf, key, size_of(*value));
      case GgufField::Type::real: return put(field.hf, key, value->as<double>());
      case GgufField::Type::flag: return put(field.hf, key, value->as<bool>());
    }
  }

  // Key and value heads: one number, or one for each layer; the layers of a hybrid that do not attend have none.
  void write_kv_heads() {
    const std::string key = full("attention.head_count_kv");
    const auto value = take("attention.head_count_kv");
    std::vector<index_t> some;
    if (!value) {
      out_.label("num_key_value_heads", key);
      return;
    }
    if (!value->is_array()) {
      some.push_back(value->as<index_t>());
    } else {
      std::vector<std::string> types;
      for (const index_t heads : value->as<std::vector<index_t>>()) {
        types.emplace_back(heads == 0 ? "recurrent" : "full_attention");
        if (heads != 0) some.push_back(heads);
      }
      const auto layers = gguf_.get<index_t>(full("block_count"));
      if (!std::cmp_equal(types.size(), layers)) value->fail_expected(concat("one number, or one for each of ", layers, " layers"));
      if (some.size() < types.size()) put("layer_types", "attention.head_count_kv", types);
      if (std::adjacent_find(some.begin(), some.end(), std::not_equal_to<>()) != some.end())
        value->fail("layers that differ are not supported");
    }
    if (!written_.contains("num_attention_heads") || some.empty()) return;
    if (some[0] < 1) value->fail_expected("a whole number above 0");
    put("num_key_value_heads", key, some[0]);
  }

  // How a router's logits become scores.
  void write_gating() {
    const auto value = take("expert_gating_func");
    if (!value) return;
    const auto number = value->as<index_t>();
    if (number < 1 || number > 3) value->fail_expected("1 (softmax), 2 (sigmoid) or 3 (softmax of the chosen)");
    put("scoring_func", full("expert_gating_func"), std::string(number == 2 ? "sigmoid" : "softmax"));
  }

  // Latent attention: of a head's width `rotated` are rotated. Files of 2025 and later write the widths of heads as `_mla`, beside those of
  // the latents.
  void write_latent_widths(const GgufValue& key_length, const std::optional<GgufValue>& value_length,
                           const std::optional<GgufValue>& rotated) {
    const auto key = take("attention.key_length_mla"), value = take("attention.value_length_mla");
    const index_t rope = rotated ? size_of(*rotated) : 0, width = size_of(key ? *key : key_length);
    if (rope < 1 || rope >= width) (rotated ? *rotated : key_length).fail_expected(concat("a rotated part of a head's ", width));
    put("qk_rope_head_dim", full("rope.dimension_count"), rope);
    put("qk_nope_head_dim", full("attention.key_length_mla"), width - rope);
    if (value || value_length) put("v_head_dim", full("attention.value_length_mla"), size_of(value ? *value : *value_length));
  }

  // Width of a head: of keys and values, and of its rotated part.
  void write_head_width() {
    const std::optional<GgufValue> key_length = take("attention.key_length"), value_length = take("attention.value_length");
    const std::optional<GgufValue> rotated = take("rope.dimension_count");
    if (key_length && written_.contains("kv_lora_rank")) return write_latent_widths(*key_length, value_length, rotated);
    if (key_length && size_of(*key_length) < 1) key_length->fail_expected("a whole number above 0");
    if (key_length)
      put("head_dim", full("attention.key_length"), size_of(*key_length));
    else
      out_.label("head_dim", full("attention.key_length"));
    const std::optional<GgufValue> heads = gguf_.find(full("attention.head_count")), hidden = gguf_.find(full("embedding_length"));
    index_t width = 0;
    if (key_length)
      width = size_of(*key_length);
    else if (heads && hidden && size_of(*heads) > 0)
      width = size_of(*hidden) / size_of(*heads);
    if (width <= 0) return;
    if (value_length && size_of(*value_length) != width) put("v_head_dim", full("attention.value_length"), size_of(*value_length));
    if (rotated && (size_of(*rotated) < 0 || size_of(*rotated) > width || size_of(*rotated) % 2 != 0))
      rotated->fail_expected(concat("an even number up to the width of a head, ", width));
    if (rotated && size_of(*rotated) != width)
      put("partial_rotary_factor", full("rope.dimension_count"), static_cast<double>(size_of(*rotated)) / static_cast<double>(width));
  }

  // Which layers have a window: one flag for each, or that all but every n-th have one.
  void write_window_pattern() {
    const auto pattern = take("attention.sliding_window_pattern");
    if (!pattern) return;
    if (!pattern->is_array()) return put("sliding_window_pattern", full("attention.sliding_window_pattern"), size_of(*pattern));
    std::vector<std::string> types;
    for (const bool slides : pattern->as<std::vector<bool>>()) types.emplace_back(slides ? "sliding_attention" : "full_attention");
    put("layer_types", full("attention.sliding_window_pattern"), types);
  }

  void write_rope_scaling() {
    const auto type = take("rope.scaling.type");
    const auto factor = take("rope.scaling.factor");
    const auto legacy = take("rope.scale_linear");
    const auto original = take("rope.scaling.original_context_length");
    const auto attention_factor = take("rope.scaling.attn_factor");
    take("rope.scaling.finetuned");  // says what the training was, not what to compute
    const auto tensors = gguf_.tensors();
    const bool lists = std::any_of(tensors.begin(), tensors.end(), [](const RawTensor& t) { return t.name == "rope_factors_long.weight"; });
    const std::string kind = lists                                   ? "longrope"
                             : type                                  ? type->as<std::string>()
                             : legacy && legacy->as<double>() != 1.0 ? "linear"
                                                                     : "none";
    if (kind == "none") return;
    out_.key("rope_scaling").begin_object();
    out_.member("rope_type", kind).label("rope_scaling.rope_type", full("rope.scaling.type"));
    const auto real = [&](std::string_view hf, const std::optional<GgufValue>& value, std::string_view key) {
      if (value) out_.member(hf, value->as<double>()).label(concat("rope_scaling.", hf), full(key));
    };
    if (factor)
      real("factor", factor, "rope.scaling.factor");
    else
      real("factor", legacy, "rope.scale_linear");
    real("attention_factor", attention_factor, "rope.scaling.attn_factor");
    if (const auto log = take("rope.scaling.yarn_log_multiplier"))  // a tenth; the other of the two is not in the format
      for (const char* hf : {"mscale", "mscale_all_dim"})
        out_.member(hf, 10 * log->as<double>()).label(concat("rope_scaling.", hf), full("rope.scaling.yarn_log_multiplier"));
    real("beta_fast", take("rope.scaling.yarn_beta_fast"), "rope.scaling.yarn_beta_fast");
    real("beta_slow", take("rope.scaling.yarn_beta_slow"), "rope.scaling.yarn_beta_slow");
    if (original)
      out_.member("original_max_position_embeddings", original->as<index_t>())
          .label("rope_scaling.original_max_position_embeddings", full("rope.scaling.original_context_length"));
    out_.end_object();
  }

  void write_vocabulary() {
    const std::optional<GgufValue> tokens = gguf_.find("tokenizer.ggml.tokens");
    if (tokens) {
      const auto count = static_cast<index_t>(tokens->strings().size());
      if (!written_.contains("vocab_size")) {
        put("vocab_size", "tokenizer.ggml.tokens", count);
      } else if (count > gguf_.get<index_t>(full("vocab_size"))) {
        tokens->fail(concat(count, " tokens, but ", full("vocab_size"), " is ", gguf_.get<index_t>(full("vocab_size"))));
      }
    }
    const auto tensors = gguf_.tensors();
    const bool head = std::any_of(tensors.begin(), tensors.end(), [](const RawTensor& t) { return t.name == "output.weight"; });
    put("tie_word_embeddings", "output.weight", !head);
    if (const auto types = gguf_.find("tokenizer.ggml.token_type_count"))
      put("type_vocab_size", "tokenizer.ggml.token_type_count", types->as<index_t>());
    if (const auto causal = take("attention.causal"); causal && causal->as<bool>()) put("is_decoder", full("attention.causal"), true);
    take("pooling_type");        // read by those who pool
    take("tensor_data_layout");  // a remark of early converters
    for (const Gguf::Entry& entry : gguf_.metadata()) {
      if (!tokens || !entry.key.starts_with("tokenizer.ggml.") || !entry.key.ends_with("_token_id")) continue;
      const auto count = tokens->size();
      if (const auto id = entry.value.as<std::int64_t>(); id < 0 || std::cmp_greater_equal(id, count))
        entry.value.fail_expected(concat("the number of one of ", count, " tokens"));
    }
    for (const char* id : {"bos", "eos", "pad"}) {
      const std::string key = concat("tokenizer.ggml.", id[0] == 'p' ? "padding" : id, "_token_id");
      if (const auto value = gguf_.find(key)) put(concat(id, "_token_id"), key, value->as<index_t>());
    }
  }

  void pass_on_the_rest() {
    for (const Gguf::Entry& entry : gguf_.metadata()) {
      if (!entry.key.starts_with(prefix_) || read_.contains(entry.key)) continue;
      out_.member(entry.key, entry.value.describe());
    }
  }

  const Gguf& gguf_;
  JsonBuilder out_;
  std::string prefix_;
  std::set<std::string, std::less<>> read_, written_;
};

}  // namespace detail

HEADWISE_INLINE Json gguf_config(const Gguf& gguf) { return detail::GgufConfigWriter(gguf).write(); }

}  // namespace hw
