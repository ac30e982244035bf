#pragma once
#include <algorithm>
#include <cmath>
#include <limits>
#include <set>

#include "headwise/io/hf_config.hpp"

namespace hw {
namespace detail {

// Fields that say where a model came from, how it was trained, or what a driver should do by default. None of them changes a forward.
inline bool is_harmless_field(std::string_view key) {
  constexpr std::string_view kFields[] = {
      // bookkeeping
      "_attn_implementation", "_attn_implementation_autoset", "_commit_hash", "_from_model_config", "_name_or_path", "architectures",
      "auto_map", "dtype", "finetuning_task", "id2label", "label2id", "model_type", "name_or_path", "num_labels", "problem_type",
      "task_specific_params", "tokenizer_class", "torch_dtype", "torchscript", "transformers_version", "use_bfloat16",
      // training
      "aux_loss_coef", "chunk_size_feed_forward", "gradient_checkpointing", "init_device", "init_std", "initializer_cutoff_factor",
      "initializer_factor", "initializer_range", "router_aux_loss_coef", "router_z_loss_coef",
      // what a call returns, and generation defaults
      "bad_words_ids", "begin_suppress_tokens", "bos_token_id", "cls_token_id", "decoder_start_token_id", "diversity_penalty", "do_sample",
      "early_stopping",
      "encoder_no_repeat_ngram_size", "eos_token_id", "exponential_decay_length_penalty", "forced_bos_token_id", "forced_eos_token_id",
      "length_penalty", "mask_token_id", "max_length", "min_length", "no_repeat_ngram_size", "num_beam_groups", "num_beams",
      "num_return_sequences", "output_attentions", "output_hidden_states", "output_past", "output_router_logits", "output_scores",
      "pad_token_id", "prefix", "remove_invalid_values", "repetition_penalty", "return_dict", "return_dict_in_generate", "sep_token_id",
      "suppress_tokens", "temperature", "top_k", "top_p", "typical_p", "use_cache"};
  if (std::find(std::begin(kFields), std::end(kFields), key) != std::end(kFields)) return true;
  if (key == "token_dropout") return false;  // ESM: rescales the embeddings, also in inference
  constexpr std::string_view kEndings[] = {"dropout", "dropout_prob", "dropout_rate", "pdrop", "layerdrop", "drop_path_rate"};
  return std::any_of(std::begin(kEndings), std::end(kEndings), [&](std::string_view ending) { return key.ends_with(ending); });
}

// Fields that are harmless with the value that every configuration carries by default.
inline bool is_default_field(std::string_view key, const Json& value) {
  constexpr std::string_view kOff[] = {"add_cross_attention", "is_decoder", "is_encoder_decoder", "tie_encoder_decoder"};
  if (std::find(std::begin(kOff), std::end(kOff), key) != std::end(kOff)) return value.is_boolean() && !value.as<bool>();
  if (key == "pretraining_tp") return value.is_integer() && value.as<std::int64_t>() == 1;
  return value.is_null() || ((value.is_array() || value.is_object()) && value.empty());
}

}  // namespace detail

struct HfConfig::Record {
  Json object;
  std::set<std::string, std::less<>> read;
  std::vector<std::shared_ptr<Record>> inside;
};

HEADWISE_LOAD_TIME HfConfig::HfConfig(Json object) : record_(std::make_shared<Record>()) {
  if (!object.is_object()) object.fail_expected("an object");
  record_->object = std::move(object);
}

HEADWISE_LOAD_TIME const Json& HfConfig::json() const noexcept { return record_->object; }

HEADWISE_LOAD_TIME std::string HfConfig::where() const { return record_->object.where(); }

HEADWISE_LOAD_TIME bool HfConfig::has(std::string_view key) const {
  const std::optional<Json> value = record_->object.find(key);
  return value && !value->is_null();
}

HEADWISE_LOAD_TIME std::optional<Json> HfConfig::find(const ConfigKeys& keys) const {
  std::optional<Json> found;
  for (const std::string_view key : keys.all()) {
    const std::optional<Json> value = record_->object.find(key);
    if (!value) continue;
    record_->read.emplace(key);
    if (value->is_null()) continue;
    if (found && !(*found == *value)) value->fail(concat("the field says another thing than ", found->where()));
    found = value;
  }
  return found;
}

HEADWISE_LOAD_TIME Json HfConfig::at(const ConfigKeys& keys) const {
  const std::optional<Json> value = find(keys);
  if (value) return *value;
  const std::string_view key = keys.all().at(0);
  const std::string label = record_->object.label_of(key);
  std::string others;  // the names that it has in other files
  for (const std::string_view other : keys.all())
    if (other != key) others += concat(others.empty() ? ", or " : ", ", hw::quoted(other));
  fail(concat("the field ", hw::quoted(key), label.empty() ? "" : concat(" (", label, ")"), label.empty() ? others : "", " is ",
              record_->object.contains(key) ? "null" : "missing"));
}

HEADWISE_LOAD_TIME index_t HfConfig::check_size(const Json& value, index_t least) {
  constexpr index_t kMost = std::numeric_limits<std::int32_t>::max();
  if (value.is_integer())
    if (const auto size = value.as<index_t>(); size >= least && size <= kMost) return size;
  value.fail_expected(concat("a whole number from ", least, " to ", kMost));
}

HEADWISE_LOAD_TIME double HfConfig::check_number(const Json& value, bool positive) {
  if (value.is_number())
    if (const auto number = value.as<double>(); std::isfinite(number) && (!positive || number > 0)) return number;
  value.fail_expected(positive ? "a number above 0" : "a number");
}

HEADWISE_LOAD_TIME index_t HfConfig::size_or(const ConfigKeys& keys, index_t fallback, index_t least) const {
  const std::optional<Json> value = find(keys);
  return value ? check_size(*value, least) : fallback;
}

HEADWISE_LOAD_TIME double HfConfig::number_or(const ConfigKeys& keys, double fallback) const {
  const std::optional<Json> value = find(keys);
  return value ? check_number(*value, false) : fallback;
}

HEADWISE_LOAD_TIME double HfConfig::positive_or(const ConfigKeys& keys, double fallback) const {
  const std::optional<Json> value = find(keys);
  return value ? check_number(*value, true) : fallback;
}

HEADWISE_LOAD_TIME std::optional<HfConfig> HfConfig::find_sub(const ConfigKeys& keys) const {
  const std::optional<Json> value = find(keys);
  if (!value) return std::nullopt;
  for (const auto& known : record_->inside)  // asked for again: one record of what was read
    if (HfConfig again(known); again.where() == value->where()) return again;
  HfConfig inside(*value);
  record_->inside.push_back(inside.record_);
  return inside;
}

HEADWISE_LOAD_TIME HfConfig HfConfig::sub(const ConfigKeys& keys) const {
  at(keys);
  return *find_sub(keys);
}

HEADWISE_LOAD_TIME void HfConfig::only(const ConfigKeys& keys, const Json& value) const {
  const std::optional<Json> found = find(keys);
  const bool same = !found || *found == value || (found->is_number() && value.is_number() && found->as<double>() == value.as<double>());
  if (!same) found->fail_expected(concat(value.dump(), " (this model is implemented for that only)"));
}

HEADWISE_LOAD_TIME void HfConfig::ignore(std::initializer_list<std::string_view> keys) const {
  for (const std::string_view key : keys) record_->read.emplace(key);
}

HEADWISE_LOAD_TIME void HfConfig::account() const {
  std::vector<Json> unread;
  std::vector<const Record*> open{record_.get()};
  while (!open.empty()) {
    const Record* record = open.back();
    open.pop_back();
    for (const auto& inside : record->inside) open.push_back(inside.get());
    for (const auto& [key, value] : record->object.members())
      if (!record->read.contains(key) && !detail::is_harmless_field(key) && !detail::is_default_field(key, value)) unread.push_back(value);
  }
  if (unread.empty()) return;
  hw::fail(unread[0].where(), concat("this model does not know the field, which may change its numbers",
                                     unread.size() > 1 ? concat("; nor ", unread.size() - 1, " more (", unread[1].where(), ")") : ""));
}

HEADWISE_LOAD_TIME HfConfig read_hf_config(const std::string& folder) { return HfConfig(Json::read(folder + "/config.json")); }

}  // namespace hw
