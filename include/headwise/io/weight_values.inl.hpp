#pragma once
// Weights: the operations on a tensor's values, between the file and the part that asks for it.

#include <numeric>
#include <span>

#include "headwise/io/weight_map.inl.hpp"

namespace hw {

// A tensor of the file as rows and columns, and what has been asked of it so far.
struct Weights::Values {
  DType type = DType::f32;
  std::vector<index_t> shape;  // as the part will see it
  index_t file_rows = 0, file_cols = 0;
  bool transposed = false;  // rows are the file's columns
  std::vector<MatrixSource::Piece> pieces;
  std::vector<index_t> order;  // of the rows; empty: as they are
  std::vector<std::function<float(float)>> functions;
  std::string key;
  std::shared_ptr<const void> buffer;
  std::vector<std::span<const std::byte>> file_bytes;  // what was taken from the file
  std::string label;

  // Rows become those that `row_at` names.
  template <class RowAt>
  void select(index_t count, RowAt row_at) {
    std::vector<index_t> selected(static_cast<std::size_t>(count));
    for (index_t i = 0; i < count; ++i)
      selected[static_cast<std::size_t>(i)] = order.empty() ? row_at(i) : order[static_cast<std::size_t>(row_at(i))];
    order = std::move(selected);
    shape[0] = count;
  }

  void select_range(index_t begin, index_t count) {
    if (begin < 0 || count < 1 || begin > shape[0] - count)
      fail(label, concat("rows ", begin, " to ", begin + count - 1), shape_string(shape));
    if (!transposed && order.empty() && pieces.size() == 1) {  // the usual case: a view
      pieces[0].data += begin * file_cols / block_size(type).elements * block_size(type).bytes;
      pieces[0].rows = file_rows = shape[0] = count;
      return;
    }
    select(count, [=](index_t i) { return begin + i; });
  }

  void require_multiple(index_t of) const {
    if (of < 1 || shape[0] % of != 0) fail(label, concat("a number of rows that is a multiple of ", of), shape_string(shape));
  }

  void flatten(index_t dims) {
    if (static_cast<index_t>(shape.size()) < dims || dims < 1 || dims > 2 || !order.empty() || transposed ||
        (dims == 1 && pieces.size() != 1))
      fail(label, concat("a tensor of at least ", dims, " dimensions"), shape_string(shape));
    if (dims == 1 && !is_quantised(type)) {
      pieces[0].rows = file_rows = file_rows * file_cols;
      file_cols = 1;
      shape = {file_rows};
    } else {
      shape = {file_rows, file_cols};
    }
  }

  void apply(const WeightRule::Operation& op) {
    using Kind = WeightRule::Operation::Kind;
    const bool by_rows = op.kind != Kind::flatten && op.kind != Kind::transpose && op.kind != Kind::slice && op.kind != Kind::mxfp4 &&
                         op.kind != Kind::beside && op.kind != Kind::apply;
    if (by_rows && shape.empty()) fail(label, "a tensor with rows", "a single value");
    switch (op.kind) {
      case Kind::slice:
      case Kind::beside:
      case Kind::mxfp4: return;  // done when the tensor was taken from the file
      case Kind::flatten: return flatten(op.a);
      case Kind::transpose:
        if (shape.size() == 1) return;
        if (shape.size() != 2 || !order.empty()) fail(label, "a matrix to transpose", shape_string(shape));
        std::swap(shape[0], shape[1]);
        transposed = !transposed;
        return;
      case Kind::rows: return select_range(op.a, op.b);
      case Kind::part: require_multiple(op.b); return select_range(op.a * (shape[0] / op.b), shape[0] / op.b);
      case Kind::interleaved: {
        const index_t cycle = checked_mul(op.b, op.c, label), first = op.a * op.c, taken = op.d * op.c;
        require_multiple(cycle);
        if (op.a < 0 || op.d < 1 || op.a > op.b - op.d) fail(label, concat("blocks of a cycle of ", op.b), concat(op.a, "+", op.d));
        return select(shape[0] / op.b * op.d, [&](index_t i) { return i / taken * cycle + first + i % taken; });
      }
      case Kind::unpermute_rotary: {
        require_multiple(checked_mul(2, op.a, label));
        const index_t head = shape[0] / op.a, half = head / 2;
        return select(shape[0], [&](index_t i) { return i / head * head + 2 * (i % half) + i % head / half; });
      }
      case Kind::apply: functions.push_back(op.function); return;
    }
  }

  bool computed() const noexcept { return transposed || !functions.empty() || type == DType::f64; }

  // Bytes of row r of the pieces.
  const std::byte* file_row(index_t r) const noexcept {
    std::size_t p = 0;
    while (r >= pieces[p].rows) r -= pieces[p++].rows;
    return pieces[p].data + r * file_cols / block_size(type).elements * block_size(type).bytes;
  }

  // Does what cannot be a view: afterwards `pieces` hold f32, or the file's type where it was only transposed.
  void compute() {
    const bool same_type = functions.empty() && !is_quantised(type) && type != DType::f64;
    const index_t rows = shape.empty() ? 1 : shape[0];
    const index_t cols = transposed ? file_rows : file_cols;
    const DType out_type = same_type ? type : DType::f32;
    const index_t size = block_size(out_type).bytes;
    const auto out = std::make_shared<const AlignedBuffer<std::byte>>(checked_mul(checked_mul(rows, cols, label), size, label));
    const auto source_row = [&](index_t i) { return order.empty() ? i : order[static_cast<std::size_t>(i)]; };
    std::vector<float> values(static_cast<std::size_t>(file_cols));
    const auto widened = [&](index_t r) {
      ref::dequantise_row(type, file_row(r), file_cols, values.data());
      for (const auto& function : functions)
        for (float& v : values) v = function(v);
      return reinterpret_cast<const std::byte*>(values.data());
    };
    if (!transposed) {
      for (index_t i = 0; i < rows; ++i)
        std::memcpy(out->data() + i * cols * size, same_type ? file_row(source_row(i)) : widened(source_row(i)),
                    static_cast<std::size_t>(cols * size));
    } else {
      for (index_t c = 0; c < cols; ++c) {
        const std::byte* from = same_type ? file_row(c) : widened(c);
        for (index_t i = 0; i < rows; ++i)
          std::memcpy(out->data() + (i * cols + c) * size, from + source_row(i) * size, static_cast<std::size_t>(size));
      }
    }
    type = out_type;
    file_rows = rows;
    file_cols = cols;
    pieces = {{out->data(), rows}};
    buffer = out;
    order.clear();
    functions.clear();
    transposed = false;
  }
};

namespace detail {

// One tensor of GGUF's blocks, in which a byte's two values are 16 apart, from blocks in which they are neighbours and their scales.
[[gnu::cold]] inline std::shared_ptr<const std::vector<std::byte>> join_mxfp4(std::vector<RawTensor>& parts, std::string_view label) {
  const auto wrong = [&] {
    fail(label, "bytes (rows, n, 16) and (rows, n)",
         concat(shape_string(parts[0].shape), parts.size() > 1 ? " and " : "", parts.size() > 1 ? shape_string(parts[1].shape) : ""));
  };
  if (parts.size() != 2 || parts[0].type != DType::u8 || parts[1].type != DType::u8 || parts[0].shape.size() != 3) wrong();
  const index_t rows = parts[0].shape[0], blocks = parts[0].shape[1];
  if (parts[0].shape[2] != 16 || parts[1].shape != std::vector{rows, blocks}) wrong();
  const std::byte *from = parts[0].bytes.data(), *scale = parts[1].bytes.data();
  auto out = std::make_shared<std::vector<std::byte>>(static_cast<std::size_t>(checked_mul(checked_mul(rows, blocks, label), 17, label)));
  for (std::byte* to = out->data(); to != out->data() + out->size(); to += 17, from += 16) {
    to[0] = *scale++;
    for (int i = 0; i < 16; ++i) {  // values i and i + 16
      const std::byte low = from[i / 2] >> i % 2 * 4, high = from[8 + i / 2] >> i % 2 * 4;
      to[1 + i] = (low & std::byte{15}) | high << 4;
    }
  }
  parts[0].type = DType::mxfp4;
  parts[0].shape = {rows, 32 * blocks};
  parts[0].bytes = *out;
  parts.pop_back();
  return out;
}

// One tensor (n, a + b) of floats, from (n, a) and (b, n).
[[gnu::cold]] inline std::shared_ptr<const std::vector<float>> join_beside(std::vector<RawTensor>& parts, std::string_view label) {
  if (parts.size() != 2 || parts[0].shape.size() != 2 || parts[1].shape.size() != 2 || parts[0].shape[0] != parts[1].shape[1])
    fail(label, "matrices (n, a) and (b, n)",
         concat(shape_string(parts[0].shape), parts.size() > 1 ? " and " : "", parts.size() > 1 ? shape_string(parts[1].shape) : ""));
  const index_t n = parts[0].shape[0], a = parts[0].shape[1], b = parts[1].shape[0], cols = checked_add(a, b, label);
  auto out = std::make_shared<std::vector<float>>(static_cast<std::size_t>(checked_mul(n, cols, label)));
  std::vector<float> row(static_cast<std::size_t>(n));
  const auto read = [](const RawTensor& t, index_t i, index_t n, float* to) {
    const BlockSize block = block_size(t.type);
    ref::dequantise_row(t.type, t.bytes.data() + i * n / block.elements * block.bytes, n, to);
  };
  for (index_t i = 0; i < n; ++i) read(parts[0], i, a, out->data() + i * cols);
  for (index_t j = 0; j < b; ++j) {
    read(parts[1], j, n, row.data());
    for (index_t i = 0; i < n; ++i) (*out)[static_cast<std::size_t>(i * cols + a + j)] = row[static_cast<std::size_t>(i)];
  }
  parts[0].type = DType::f32;
  parts[0].shape = {n, cols};
  parts[0].bytes = std::as_bytes(std::span(*out));
  parts.pop_back();
  return out;
}

}  // namespace detail

// Takes the tensors of a place from the file, stacked, and applies the rule.
HEADWISE_LOAD_TIME Weights::Values Weights::load(const Place& place, const std::string& label) const {
  if (place.tensors.empty()) fail(label, concat("the tensor is missing from ", hw::quoted(shared_->source->description(), 160)));
  Values out;
  out.label = label;
  const WeightRule::Operation* slice = nullptr;
  bool mxfp4 = false, beside = false;
  if (place.rule)
    for (const WeightRule::Operation& op : place.rule->operations_) {
      if (op.kind == WeightRule::Operation::Kind::slice) slice = &op;
      mxfp4 = mxfp4 || op.kind == WeightRule::Operation::Kind::mxfp4;
      beside = beside || op.kind == WeightRule::Operation::Kind::beside;
    }

  bool same_type = true;
  std::vector<RawTensor> parts;
  for (const RawTensor* tensor : place.tensors) {
    RawTensor part = *tensor;
    if (!is_weight_type(part.type) && part.type != DType::f64 && !mxfp4) fail(label, "a type of weights", name_of(part.type));
    (out.key += out.key.empty() ? "" : "+") += part.name;
    if (slice) {
      const auto capture = static_cast<std::size_t>(slice->a);
      if (capture >= place.captures.size()) fail(label, "a name with as many numbers as its rule slices by", concat(place.captures.size()));
      const index_t i = std::stoll(place.captures[capture]);
      const index_t entries = slice->b > 0 ? slice->b : part.shape.empty() ? 0 : part.shape[0];
      if (part.shape.size() < 2 || i >= entries || part.shape[0] % entries != 0)
        fail(label, concat("a tensor with an entry number ", i), shape_string(part.shape));
      const std::size_t bytes = part.bytes.size() / static_cast<std::size_t>(entries);
      part.bytes = part.bytes.subspan(static_cast<std::size_t>(i) * bytes, bytes);
      if (slice->b > 0)
        part.shape[0] /= entries;
      else
        part.shape.erase(part.shape.begin());
      out.key += concat("[", i, "]");
    }
    same_type = same_type && part.type == place.tensors[0]->type;
    out.file_bytes.push_back(part.bytes);
    parts.push_back(std::move(part));
  }
  if (mxfp4) out.buffer = detail::join_mxfp4(parts, label);
  if (beside) {
    out.buffer = detail::join_beside(parts, label);
    same_type = true;
  }

  out.type = parts[0].type;
  out.shape = parts[0].shape;
  out.file_cols = 1;
  for (std::size_t d = 1; d < out.shape.size(); ++d) out.file_cols *= out.shape[d];
  const bool flat_blocks = is_quantised(out.type) && out.shape.size() < 2;  // a vector of blocks has no rows
  if (!same_type || flat_blocks) out.type = DType::f32;
  auto widened = std::make_shared<std::vector<std::vector<float>>>();
  for (std::size_t i = 0; i < parts.size(); ++i) {
    const RawTensor& part = parts[i];
    if (i) {
      if (part.shape.empty() || part.shape.size() != out.shape.size() ||
          !std::equal(part.shape.begin() + 1, part.shape.end(), out.shape.begin() + 1))
        fail(label, concat("tensors to stack that differ in rows only, after ", shape_string(parts[0].shape)), shape_string(part.shape));
      out.shape[0] = checked_add(out.shape[0], part.shape[0], label);
    }
    const std::byte* data = part.bytes.data();
    if (part.type != out.type) {
      std::vector<float>& values = widened->emplace_back(static_cast<std::size_t>(part.elements()));
      ref::dequantise_row(part.type, data, part.elements(), values.data());
      data = reinterpret_cast<const std::byte*>(values.data());
    }
    const index_t rows = part.shape.empty() ? 1 : part.shape[0];
    out.pieces.push_back({data, rows});
    out.file_rows += rows;
  }
  if (!widened->empty()) out.buffer = widened;

  if (place.rule)
    for (const WeightRule::Operation& op : place.rule->operations_) {
      out.apply(op);
      out.key += concat("|", op.label);
    }
  return out;
}

HEADWISE_LOAD_TIME std::vector<index_t> Weights::shape(std::string_view name) const {
  const std::string full = path(name);
  const Place place = find(full);
  return load(place, full == place.file ? full : concat(full, " (", place.file, ")")).shape;
}

HEADWISE_LOAD_TIME MatrixSource Weights::matrix(std::string_view name, index_t rows, index_t cols) const {
  const std::string full = path(name);
  const Place place = find(full);
  const std::string label = full == place.file ? full : concat(full, " (", place.file, ")");
  Values values = load(place, label);
  if (values.shape != std::vector<index_t>{rows, cols}) fail(label, shape_string({rows, cols}), shape_string(values.shape));
  MatrixSource out;
  if (values.computed()) values.compute();
  const BlockSize block = block_size(values.type);
  if (values.buffer)
    out.file_bytes = std::move(values.file_bytes);
  else
    for (const MatrixSource::Piece& piece : values.pieces)
      out.file_bytes.emplace_back(piece.data, static_cast<std::size_t>(piece.rows * values.file_cols / block.elements * block.bytes));
  for (const RawTensor* tensor : place.tensors) mark_used(*tensor);
  out.type = values.type;
  out.rows = rows;
  out.cols = cols;
  out.name = label;
  out.key = std::move(values.key);
  out.pieces = std::move(values.pieces);
  out.order = std::move(values.order);
  out.source = shared_->source;
  out.buffer = std::move(values.buffer);
  return out;
}

HEADWISE_LOAD_TIME std::vector<float> Weights::values(std::string_view name, const std::vector<index_t>& shape) const {
  const std::string full = path(name);
  const Place place = find(full);
  const std::string label = full == place.file ? full : concat(full, " (", place.file, ")");
  Values values = load(place, label);
  if (values.shape != shape) fail(label, shape_string(shape), shape_string(values.shape));
  values.functions.emplace_back([](float x) { return x; });  // f32 in any case
  values.compute();
  for (const RawTensor* tensor : place.tensors) mark_used(*tensor);
  std::vector<float> out(static_cast<std::size_t>(std::accumulate(shape.begin(), shape.end(), index_t{1}, std::multiplies<>())));
  if (!out.empty()) std::memcpy(out.data(), values.pieces[0].data, out.size() * sizeof(float));
  return out;
}

}  // namespace hw
