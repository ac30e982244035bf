#pragma once
// From the names and layouts that the library's parts ask for to those of a published checkpoint.

#include <deque>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "headwise/io/matrix_source.hpp"

namespace hw {

/// Where one canonical tensor (or a scope of them) is in the file, and what is done to it on the way. Operations apply in the order in
/// which they are written, to matrices (rows are outputs) and to vectors (each element is a row) alike. Row operations are views: nothing
/// is copied.
class WeightRule {
 public:
  /// (in, out), as GPT-2 stores its linear layers, becomes (out, in). Vectors stay as they are. First of the operations, if there.
  WeightRule& transpose();
  /// The first `dims` - 1 dimensions stay, all others become one: (32, 4, 8) is (32, 32) with 2 and (1024) with 1. Before the others.
  WeightRule& flatten(int dims);
  /// Rows [begin, begin + count).
  WeightRule& rows(index_t begin, index_t count);
  /// The `i`-th of `of` equal groups of rows: q, k or v of a fused tensor.
  WeightRule& part(index_t i, index_t of);
  /// Rows lie in cycles of `of` blocks of `block` rows: `count` blocks of each cycle, from block `i` on. (GPT-NeoX: q, k and v of each head
  /// side by side; Falcon: the queries of a group, its k, its v.)
  WeightRule& interleaved(index_t i, index_t of, index_t block, index_t count = 1);
  /// Undoes the row order in which GGUF keeps q and k of llama: the two halves of each head, interleaved.
  WeightRule& unpermute_rotary(index_t heads);
  /// Entry number n of the file tensor's first dimension, n being the `capture`-th number of the canonical name (0: the first `*`): experts
  /// that the file keeps in one tensor (experts, rows, cols). With `of`, the n-th of so many equal groups of its rows. Before the others.
  WeightRule& slice(int capture, index_t of = 0);
  /// The two files are `blocks` (..., rows, n, 16) and `scales` (..., rows, n) of bytes, as gpt-oss keeps MXFP4: neighbouring values share
  /// a byte, the first in the low half. They become rows of 32 n values of that type. After a slice, before the others.
  WeightRule& mxfp4();
  /// The two files are (n, a) and (b, n): the columns of the first, and behind them the rows of the second as b more. Before the others.
  WeightRule& beside();
  /// Adds a constant: Hugging Face keeps Gemma's norm weights minus 1.
  WeightRule& plus(float value);
  /// Any function of each value; `label` tells it from others.
  WeightRule& apply(std::string label, std::function<float(float)> function);

 private:
  friend class WeightMap;
  friend class Weights;
  struct Operation {
    enum class Kind { flatten, transpose, rows, part, interleaved, unpermute_rotary, slice, mxfp4, beside, apply } kind;
    index_t a = 0, b = 0, c = 0, d = 0;
    std::string label;
    std::function<float(float)> function;
  };
  std::vector<std::string> canonical_;           // segments of the canonical name
  std::vector<std::vector<std::string>> files_;  // segments of the file's names; more than one: stacked rows
  std::vector<Operation> operations_;
};

/// A family's table from canonical names to the names of a checkpoint.
///
///     WeightMap map;
///     map.optional_prefix("model");
///     map.rename("embedding", "embed_tokens");
///     map.rename("layers.*.attention.q", "layers.*.self_attn.q_proj");            // .weight and .bias follow; * is a number
///     map.rename("layers.*.attention.k", "h.*.attn.c_attn").transpose().part(1, 3);
///     map.ignore("**.rotary_emb.inv_freq");
///
/// Names are split at dots. The rule with the longest matching pattern counts. Of equally long ones, the first whose tensor is in the file:
/// a name written twice with different files gives alternatives, with the same files the later rule takes the place of the earlier. A name
/// that no rule matches is looked for in the file as it is.
class WeightMap {
 public:
  WeightRule& rename(std::string_view canonical, std::string_view file) {
    return rename(canonical, std::vector<std::string>{std::string(file)});
  }
  /// The rows of several tensors of the file, one after the other.
  WeightRule& rename(std::string_view canonical, const std::vector<std::string>& files);
  /// The same, and no alternatives: earlier rules for exactly this canonical name are dropped.
  WeightRule& replace(std::string_view canonical, std::string_view file);

  /// Last segments that files spell in another way: ("weight", "gamma").
  void suffix(std::string_view canonical, std::string_view file);
  /// Names in the file may begin with this scope, or not: "model", "transformer", "bert".
  void optional_prefix(std::string_view prefix) { prefixes_.emplace_back(prefix); }
  /// Tensors that carry nothing that the model needs. `*` is any segment, `**` any number of segments.
  void ignore(std::string_view pattern);

 private:
  friend class Weights;
  std::deque<WeightRule> rules_;
  std::vector<std::pair<std::string, std::string>> suffixes_;
  std::vector<std::string> prefixes_;
  std::vector<std::vector<std::string>> ignored_;
};

/// A checkpoint's weights by canonical name: a source seen through a map, and a scope of names. Cheap to copy; copies share the record of
/// what has been used. May be used by several threads at once.
///
/// Errors name the canonical tensor, the file's, and the shapes:
/// `layers.3.attention.k.weight (model.layers.3.self_attn.k_proj.weight): expected (512, 2048), found (2048, 512)`.
class Weights {
 public:
  explicit Weights(std::shared_ptr<const WeightSource> source, WeightMap map = {});

  /// The names below `name`: weights.scope("layers.3").vector("norm.weight", d).
  Weights scope(std::string_view name) const;
  /// The full canonical name of `name`.
  std::string path(std::string_view name) const;

  bool has(std::string_view name) const;
  /// Shape after all operations. Error: missing.
  std::vector<index_t> shape(std::string_view name) const;

  /// A vector of `n` values, or a tensor of any shape (row-major), as f32. Errors: missing, another shape, not a type of weights.
  std::vector<float> vector(std::string_view name, index_t n) const { return values(name, {n}); }
  std::vector<float> values(std::string_view name, const std::vector<index_t>& shape) const;

  /// A (rows, cols) matrix in the file's type; F64 becomes f32, and what has to be computed (plus, apply) as well. Errors as above.
  MatrixSource matrix(std::string_view name, index_t rows, index_t cols) const;

  /// Throws when the file has tensors that were neither used nor ignored (tensors without elements carry nothing and are passed over).
  void account() const;

  const WeightSource& source() const noexcept;

 private:
  struct Shared;
  struct Place;   // a rule applied to a name
  struct Values;  // a tensor on its way through the operations
  Weights(std::shared_ptr<const Shared> shared, std::string scope) : shared_(std::move(shared)), scope_(std::move(scope)) {}
  Place find(std::string_view path) const;
  Values load(const Place& place, const std::string& label) const;
  const RawTensor* find_file(const std::vector<std::string>& segments, const std::vector<std::string>& captures, std::string_view rest,
                             std::string* spelled) const;
  void mark_used(const RawTensor& tensor) const;

  std::shared_ptr<const Shared> shared_;
  std::string scope_;
};

}  // namespace hw

#if HEADWISE_DEFINITIONS
#include "headwise/io/weight_map.inl.hpp"
#endif
