#pragma once
// config.json as Hugging Face writes it, read strictly: every field that could change the numbers must be read by somebody.

#include <initializer_list>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "headwise/io/json.hpp"

namespace hw {

/// The names that a field has had: `config.size({"hidden_size", "n_embd"})`. Two of them in one file must agree.
class ConfigKeys {
 public:
  ConfigKeys(const char* key) : keys_{key} {}
  ConfigKeys(std::string_view key) : keys_{key} {}
  ConfigKeys(std::initializer_list<std::string_view> keys) : keys_(keys) {}
  const std::vector<std::string_view>& all() const noexcept { return keys_; }

 private:
  std::vector<std::string_view> keys_;
};

/// A model's configuration. A field that is null counts as missing. Copies share the record of what has been read; not for several threads.
///
/// Errors name the file, the field, what was expected and what is there: `config.json: hidden_size: expected a whole number from 1 to
/// 2147483647, found 16.5`. Configurations that were made from GGUF metadata name that key as well.
class HfConfig {
 public:
  /// Error: not an object.
  explicit HfConfig(Json object);

  /// Is the field there, and not null? Does not count as reading it.
  bool has(std::string_view key) const;

  /// The field, if it is there.
  std::optional<Json> find(const ConfigKeys& keys) const;
  /// Error: missing.
  Json at(const ConfigKeys& keys) const;
  template <class T>
  T get(const ConfigKeys& keys) const {
    return at(keys).as<T>();
  }
  template <class T>
  T get_or(const ConfigKeys& keys, T fallback) const {
    const std::optional<Json> value = find(keys);
    return value ? value->as<T>() : fallback;
  }

  /// A whole number in [least, 2^31 - 1].
  index_t size(const ConfigKeys& keys, index_t least = 1) const { return check_size(at(keys), least); }
  index_t size_or(const ConfigKeys& keys, index_t fallback, index_t least = 1) const;
  /// A finite number.
  double number(const ConfigKeys& keys) const { return check_number(at(keys), false); }
  double number_or(const ConfigKeys& keys, double fallback) const;
  /// A finite number above zero.
  double positive(const ConfigKeys& keys) const { return check_number(at(keys), true); }
  double positive_or(const ConfigKeys& keys, double fallback) const;

  /// An object inside (rope_scaling, text_config), whose fields must be read as well.
  HfConfig sub(const ConfigKeys& keys) const;
  std::optional<HfConfig> find_sub(const ConfigKeys& keys) const;

  /// The model is implemented for this value only (or the field missing). Error: another value.
  void only(const ConfigKeys& keys, const Json& value) const;

  /// These fields change nothing in this model.
  void ignore(std::initializer_list<std::string_view> keys) const;

  /// Throws when fields are left that nobody has read and that are not known to be harmless (bookkeeping, training, generation defaults;
  /// null, {} and []).
  void account() const;

  /// "config.json" or "config.json: rope_scaling".
  std::string where() const;
  [[noreturn]] void fail(std::string_view message) const { hw::fail(where(), message); }
  const Json& json() const noexcept;

 private:
  struct Record;
  explicit HfConfig(std::shared_ptr<Record> record) : record_(std::move(record)) {}
  static index_t check_size(const Json& value, index_t least);
  static double check_number(const Json& value, bool positive);

  std::shared_ptr<Record> record_;
};

/// The `config.json` of a Hugging Face folder.
HfConfig read_hf_config(const std::string& folder);

}  // namespace hw

#if HEADWISE_DEFINITIONS
#include "headwise/io/hf_config.inl.hpp"
#endif
