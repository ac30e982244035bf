#pragma once
// Model::explain().

#include <cctype>

#include "headwise/models/model.hpp"

namespace hw {
namespace detail {

// "layers.3.mlp.up" -> "layers.*.mlp.up"
inline std::string without_numbers(std::string_view name) {
  std::string out;
  for (std::size_t i = 0; i < name.size(); ++i) {
    const bool digit = std::isdigit(static_cast<unsigned char>(name[i])) != 0, begins = i == 0 || name[i - 1] == '.';
    if (digit && (begins || out.back() == '*')) {
      if (begins) out += '*';
    } else {
      out += name[i];
    }
  }
  return out;
}

// What multiplies, and so bounds many rows.
inline std::string_view arithmetic(kernels::Activations form, kernels::Target target) {
  using kernels::Activations, kernels::Target;
  const bool vnni = target == Target::avx512_vnni || target == Target::avx512_bf16;
  if (form == Activations::int8) return vnni ? "int8 dot products" : "int8 products";
  if (form == Activations::bf16) return target == Target::avx512_bf16 ? "bf16 dot products" : "f32 multiply-adds of rounded values";
  return "f32 multiply-adds";
}

// Lines in the order of their first appearance, and how often each was said.
class Tally {
 public:
  void add(std::string name, std::string text, std::size_t bytes) {
    for (Line& l : lines_)
      if (l.name == name && l.text == text) return static_cast<void>((++l.count, l.bytes += bytes));
    lines_.push_back({std::move(name), std::move(text), 1, bytes});
  }
  std::string text(std::string_view unit) const {
    std::string out;
    for (const Line& l : lines_)
      out += concat(l.name, l.count > 1 ? concat(" x ", l.count) : "", "  ", l.text, ", ", l.bytes, " ", unit, "\n");
    return out;
  }

 private:
  struct Line {
    std::string name, text;
    std::size_t count, bytes;
  };
  std::vector<Line> lines_;
};

}  // namespace detail

HEADWISE_LOAD_TIME std::string Model::explain() const {
  const kernels::Target target = kernels_->target;
  detail::Tally matrices, attentions;
  std::size_t bytes = 0, entry = 0;
  for (const MatrixReport& m : info_.matrices) {
    std::string storage(name_of(m.type));
    if (m.asked && m.type != *m.asked)
      storage += concat(" (rows of ", m.cols, " are no multiple of ", block_size(*m.asked).elements, ", the block of ",
                        name_of(*m.asked), ")");
    else if (m.type != m.file_type)
      storage += concat(" (file: ", name_of(m.file_type), ")");
    matrices.add(detail::without_numbers(m.name),
                 concat("(", m.rows, ", ", m.cols, ")  ", storage, ", ", detail::arithmetic(m.activations, target)), m.bytes);
    bytes += m.bytes;
  }
  for (const AttentionReport& a : info_.attentions) {
    const auto each = static_cast<std::size_t>(a.layout.bytes() / kernels::kKeyBlock);
    attentions.add(detail::without_numbers(a.name),
                   concat("attention of ", a.heads, " heads over ", a.layout.heads, " key-value heads of ", a.layout.key_dim, " and ",
                          a.layout.value_dim, ", kept as ", name_of(a.layout.type), ", f32 multiply-adds"),
                   each);
    entry += each;
  }
  std::string out = concat("model ", info_.model_type, ", ", kernels::name_of(target), ", ", executor_->threads(), " threads\n",
                           matrices.text("bytes"), attentions.text("bytes a token"), info_.matrices.size(), " matrices, ", bytes, " bytes");
  out += "; one row is bound by reading them, many rows by the arithmetic named\n";
  if (const auto& experts = info_.experts; experts && experts->size() > 0) {
    const ExpertStatistics s = experts->statistics();
    out += concat(experts->size(), " experts of ", s.total_bytes, " bytes, read when they are chosen: at most ", experts->budget(),
                  " bytes in memory, now ", s.resident_bytes, "; ", s.hits, " hits, ", s.misses, " misses\n");
  }
  if (entry > 0) out += concat("states: ", entry, " bytes a token\n");
  return out;
}

}  // namespace hw
