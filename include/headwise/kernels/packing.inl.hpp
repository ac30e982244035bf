#pragma once
#include <algorithm>
#include <cmath>
#include <cstring>

#include "headwise/core/error.hpp"
#include "headwise/core/half.hpp"
#include "headwise/kernels/packing.hpp"

namespace hw::kernels {
namespace detail {

// One block or super-block of one row, taken apart.
struct Record {
  std::uint8_t quants[256];              // stored form: value + offset
  f16 scale, minimum;                    // minimum: added (Q4_1, Q5_1) or a factor of the subtracted ones (K types)
  std::uint8_t sub_scales[16];           // as the packed form keeps them
  std::uint8_t sub_minimums[16];
};

inline f16 read_f16(const std::uint8_t* p) noexcept {
  f16 out;
  std::memcpy(&out, p, 2);
  return out;
}

// Nibbles of 16 bytes: the low ones are values 0..15, the high ones 16..31; the fifth bits come from `high`.
inline void read_nibbles(const std::uint8_t* __restrict from, std::uint32_t high, std::uint8_t* __restrict out) noexcept {
  for (int i = 0; i < 16; ++i) {
    out[i] = static_cast<std::uint8_t>((from[i] & 15) | (high >> i & 1u) << 4);
    out[i + 16] = static_cast<std::uint8_t>(from[i] >> 4 | (high >> (i + 16) & 1u) << 4);
  }
}

// The 12 bytes of 6-bit scales and minimums of Q4_K and Q5_K.
inline void read_scales_k(const std::uint8_t* s, Record& out) noexcept {
  for (int i = 0; i < 4; ++i) {
    out.sub_scales[i] = s[i] & 63;
    out.sub_minimums[i] = s[i + 4] & 63;
    out.sub_scales[i + 4] = static_cast<std::uint8_t>((s[i + 8] & 15) | s[i] >> 6 << 4);
    out.sub_minimums[i + 4] = static_cast<std::uint8_t>(s[i + 8] >> 4 | s[i + 4] >> 6 << 4);
  }
}

inline void read_q2_k(const std::uint8_t* p, Record& out) noexcept {
  std::memcpy(out.sub_scales, p, 16);
  for (int half = 0; half < 2; ++half)
    for (int j = 0; j < 4; ++j)
      for (int i = 0; i < 32; ++i) out.quants[half * 128 + j * 32 + i] = p[16 + half * 32 + i] >> (2 * j) & 3;
  out.scale = read_f16(p + 80);
  out.minimum = read_f16(p + 82);
}

inline void read_q3_k(const std::uint8_t* p, Record& out) noexcept {
  const std::uint8_t *high = p, *low = p + 32, *s = p + 96;
  for (int half = 0; half < 2; ++half)
    for (int j = 0; j < 4; ++j)
      for (int i = 0; i < 32; ++i)
        out.quants[half * 128 + j * 32 + i] =
            static_cast<std::uint8_t>((low[half * 32 + i] >> (2 * j) & 3) | (high[i] >> (half * 4 + j) & 1) << 2);
  for (int i = 0; i < 16; ++i) {
    const int low4 = i < 8 ? s[i] & 15 : s[i - 8] >> 4;
    const int high2 = s[8 + i % 4] >> (2 * (i / 4)) & 3;
    out.sub_scales[i] = static_cast<std::uint8_t>((low4 | high2 << 4) - 32);
  }
  out.scale = read_f16(p + 108);
}

inline void read_q45_k(const std::uint8_t* p, bool five, Record& out) noexcept {
  out.scale = read_f16(p);
  out.minimum = read_f16(p + 2);
  read_scales_k(p + 4, out);
  const std::uint8_t *high = p + 16, *low = five ? p + 48 : p + 16;
  for (int c = 0; c < 4; ++c)
    for (int i = 0; i < 32; ++i) {
      const int bits = five ? high[i] >> (2 * c) : 0;
      out.quants[c * 64 + i] = static_cast<std::uint8_t>((low[c * 32 + i] & 15) | (bits & 1) << 4);
      out.quants[c * 64 + 32 + i] = static_cast<std::uint8_t>(low[c * 32 + i] >> 4 | (bits >> 1 & 1) << 4);
    }
}

inline void read_q6_k(const std::uint8_t* p, Record& out) noexcept {
  for (int half = 0; half < 2; ++half) {
    const std::uint8_t *low = p + half * 64, *high = p + 128 + half * 32;
    std::uint8_t* q = out.quants + half * 128;
    for (int i = 0; i < 32; ++i) {
      q[i] = static_cast<std::uint8_t>((low[i] & 15) | (high[i] & 3) << 4);
      q[i + 32] = static_cast<std::uint8_t>((low[i + 32] & 15) | (high[i] >> 2 & 3) << 4);
      q[i + 64] = static_cast<std::uint8_t>(low[i] >> 4 | (high[i] >> 4 & 3) << 4);
      q[i + 96] = static_cast<std::uint8_t>(low[i + 32] >> 4 | high[i] >> 6 << 4);
    }
  }
  std::memcpy(out.sub_scales, p + 192, 16);
  out.scale = read_f16(p + 208);
}

// `type` is a quantised one; `p` holds one block of it.
inline void read_record(DType type, const std::byte* bytes, Record& out) noexcept {
  const auto* p = reinterpret_cast<const std::uint8_t*>(bytes);
  std::uint32_t high = 0;
  out.scale = read_f16(p);
  switch (type) {
    case DType::q8_0:
      for (int i = 0; i < 32; ++i) out.quants[i] = p[2 + i] ^ 0x80;
      break;
    case DType::q4_0: read_nibbles(p + 2, 0, out.quants); break;
    case DType::q4_1:
      out.minimum = read_f16(p + 2);
      read_nibbles(p + 4, 0, out.quants);
      break;
    case DType::q5_0:
      std::memcpy(&high, p + 2, 4);
      read_nibbles(p + 6, high, out.quants);
      break;
    case DType::q5_1:
      out.minimum = read_f16(p + 2);
      std::memcpy(&high, p + 4, 4);
      read_nibbles(p + 8, high, out.quants);
      break;
    case DType::mxfp4:
      out.sub_scales[0] = p[0];
      read_nibbles(p + 1, 0, out.quants);
      break;
    case DType::q2_k: read_q2_k(p, out); break;
    case DType::q3_k: read_q3_k(p, out); break;
    case DType::q4_k: read_q45_k(p, false, out); break;
    case DType::q5_k: read_q45_k(p, true, out); break;
    default: read_q6_k(p, out);
  }
}

// The values of a record. Products before the last operation are exact, so that contraction changes nothing.
inline void widen_record(DType type, const Record& record, float* out) noexcept {
  const PackedLayout layout = packed_layout(type);
  if (layout.codes) {
    const float scale = std::ldexp(1.0f, record.sub_scales[0] - 128);
    for (int i = 0; i < 32; ++i) out[i] = scale * static_cast<float>(kE2m1[record.quants[i]] - layout.offset());
    return;
  }
  const float d = to_float(record.scale), m = layout.has_minimums() ? to_float(record.minimum) : 0.0f;
  const int width = 32 / layout.groups;
  for (int g = 0; g < layout.blocks * layout.groups; ++g) {
    float scale = d, minimum = m;
    if (type == DType::q2_k) {
      scale = d * static_cast<float>(record.sub_scales[g] & 15);
      minimum = -m * static_cast<float>(record.sub_scales[g] >> 4);
    } else if (layout.sub_minimums >= 0) {
      scale = d * static_cast<float>(record.sub_scales[g]);
      minimum = -m * static_cast<float>(record.sub_minimums[g]);
    } else if (layout.sub_scales >= 0) {
      scale = d * static_cast<float>(static_cast<std::int8_t>(record.sub_scales[g]));
    }
    const std::uint8_t* q = record.quants + g * width;
    float* y = out + g * width;
    if (layout.has_minimums())
      for (int i = 0; i < width; ++i) y[i] = scale * static_cast<float>(q[i]) + minimum;
    else
      for (int i = 0; i < width; ++i) y[i] = scale * static_cast<float>(static_cast<int>(q[i]) - layout.offset());
  }
}

// wide: one block as bytes, [8 quads][32 outputs][4]. Writes its planes, whose loops are of the kind that compilers vectorise.
inline void write_planes(const PackedLayout& layout, const std::uint8_t* __restrict wide, std::uint8_t* __restrict to) noexcept {
  if (layout.nibbles < 0 && layout.twos < 0) {
    std::memcpy(to, wide, 1024);
    return;
  }
  int used = 0;  // bits that went into planes already
  if (layout.nibbles >= 0) {
    for (int i = 0; i < 512; ++i) to[layout.nibbles + i] = static_cast<std::uint8_t>((wide[i] & 15) | wide[i + 512] << 4);
    used = 4;
  }
  if (layout.twos >= 0) {
    for (int p = 0; p < 2; ++p)
      for (int j = 0; j < 4; ++j)
        for (int i = 0; i < 128; ++i)
          to[layout.twos + p * 128 + i] |= static_cast<std::uint8_t>((wide[p * 512 + j * 128 + i] >> used & 3) << (2 * j));
    used += 2;
  }
  if (layout.ones >= 0)
    for (int q = 0; q < 8; ++q)
      for (int i = 0; i < 128; ++i) to[layout.ones + i] |= static_cast<std::uint8_t>((wide[q * 128 + i] >> used & 1) << q);
}

// One quant of a block: quad q, byte i = 4 * output + k % 4.
inline std::uint8_t read_plane(const PackedLayout& layout, const std::uint8_t* from, int q, int i) noexcept {
  if (layout.nibbles < 0 && layout.twos < 0) return from[q * 128 + i];
  int out = 0, used = 0;
  if (layout.nibbles >= 0) {
    out = from[layout.nibbles + q % 4 * 128 + i] >> (q / 4 * 4) & 15;
    used = 4;
  }
  if (layout.twos >= 0) {
    out |= (from[layout.twos + q / 4 * 128 + i] >> (q % 4 * 2) & 3) << used;
    used += 2;
  }
  if (layout.ones >= 0) out |= (from[layout.ones + i] >> q & 1) << used;
  return static_cast<std::uint8_t>(out);
}

// Four quads of k of one output, as they lie in a file.
typedef std::uint32_t Quads __attribute__((vector_size(16)));
inline Quads read_quads(const std::byte* p) noexcept {
  Quads out;
  std::memcpy(&out, p, sizeof out);
  return out;
}

// Quad q of four outputs goes to `to` + 128 q, side by side.
inline void write_quads(Quads a, Quads b, Quads c, Quads d, std::uint8_t* to) noexcept {
  const Quads low_ab = __builtin_shufflevector(a, b, 0, 4, 1, 5), low_cd = __builtin_shufflevector(c, d, 0, 4, 1, 5);
  const Quads high_ab = __builtin_shufflevector(a, b, 2, 6, 3, 7), high_cd = __builtin_shufflevector(c, d, 2, 6, 3, 7);
  const Quads out[] = {__builtin_shufflevector(low_ab, low_cd, 0, 1, 4, 5), __builtin_shufflevector(low_ab, low_cd, 2, 3, 6, 7),
                       __builtin_shufflevector(high_ab, high_cd, 0, 1, 4, 5), __builtin_shufflevector(high_ab, high_cd, 2, 3, 6, 7)};
  for (int q = 0; q < 4; ++q) std::memcpy(to + 128 * q, &out[q], sizeof(Quads));
}

// `halves` times 16 bytes of each row, from `at` on, exclusive-or `flip`; where rows are missing `to` stays as it is.
inline void pack_quads(std::span<const std::byte* const> rows, index_t at, int halves, std::uint32_t flip, std::uint8_t* to) noexcept {
  const std::size_t whole = rows.size() / 4 * 4;
  const Quads mask = {flip, flip, flip, flip};
  for (int h = 0; h < halves; ++h, at += 16, to += 512) {
    for (std::size_t n = 0; n < whole; n += 4)
      write_quads(read_quads(rows[n] + at) ^ mask, read_quads(rows[n + 1] + at) ^ mask, read_quads(rows[n + 2] + at) ^ mask,
                  read_quads(rows[n + 3] + at) ^ mask, to + n * 4);
    for (std::size_t n = whole; n < rows.size(); ++n) {
      const Quads x = read_quads(rows[n] + at) ^ mask;
      for (int q = 0; q < 4; ++q) std::memcpy(to + 128 * q + n * 4, reinterpret_cast<const char*>(&x) + 4 * q, 4);
    }
  }
}

// Q4_0, Q4_1 and MXFP4 keep the nibbles of values i and i + 16 in one byte, as the packed form does: only their order changes.
inline void pack_nibbles(DType type, std::span<const std::byte* const> rows, index_t r, std::uint8_t* to) noexcept {
  const index_t bytes = block_size(type).bytes;
  const bool minimums = type == DType::q4_1;
  const std::size_t before = static_cast<std::size_t>(packed_layout(type).quants), scale = type == DType::mxfp4 ? 1 : 2;
  std::uint8_t* quants = to + before;
  if (rows.size() < static_cast<std::size_t>(kPanel)) {
    std::memset(to, 0, before);
    std::memset(quants, type == DType::q4_0 ? 0x88 : 0, 512);
  }
  for (std::size_t n = 0; n < rows.size(); ++n) {
    const std::byte* from = rows[n] + r * bytes;
    std::memcpy(to + scale * n, from, scale);
    if (minimums) std::memcpy(to + 64 + 2 * n, from + 2, 2);
  }
  pack_quads(rows, r * bytes + bytes - 16, 1, 0, quants);
}

// Q8_0 keeps its bytes; their offset makes them unsigned.
inline void pack_bytes(std::span<const std::byte* const> rows, index_t r, std::uint8_t* to) noexcept {
  constexpr index_t kBytes = 34;
  std::uint8_t* quants = to + 64;
  if (rows.size() < static_cast<std::size_t>(kPanel)) {
    std::memset(to, 0, 64);
    std::memset(quants, 0x80, 1024);
  }
  for (std::size_t n = 0; n < rows.size(); ++n) std::memcpy(to + 2 * n, rows[n] + r * kBytes, 2);
  pack_quads(rows, r * kBytes + 2, 2, 0x80808080u, quants);
}

// Packs record `r` of up to 32 rows.
inline void pack_record(DType type, std::span<const std::byte* const> rows, index_t r, std::uint8_t* to) noexcept {
  if (type == DType::q4_0 || type == DType::q4_1 || type == DType::mxfp4) return pack_nibbles(type, rows, r, to);
  if (type == DType::q8_0) return pack_bytes(rows, r, to);
  const PackedLayout layout = packed_layout(type);
  std::memset(to, 0, static_cast<std::size_t>(layout.bytes()));
  std::uint8_t wide[8][1024];
  const int padding = layout.offset();  // zero, as stored
  if (rows.size() < static_cast<std::size_t>(kPanel)) std::memset(wide, padding, sizeof wide);
  Record record;
  for (std::size_t n = 0; n < rows.size(); ++n) {
    read_record(type, rows[n] + r * block_size(type).bytes, record);
    std::memcpy(to + 2 * n, &record.scale, 2);
    if (layout.has_minimums()) std::memcpy(to + layout.minimums + 2 * n, &record.minimum, 2);
    for (int g = 0; g < layout.blocks * layout.groups; ++g) {
      if (layout.sub_scales >= 0) to[layout.sub_scales + g * 32 + static_cast<int>(n)] = record.sub_scales[g];
      if (layout.sub_minimums > layout.sub_scales) to[layout.sub_minimums + g * 32 + static_cast<int>(n)] = record.sub_minimums[g];
    }
    for (int s = 0; s < layout.blocks; ++s)
      for (int q = 0; q < 8; ++q) std::memcpy(wide[s] + q * 128 + n * 4, record.quants + s * 32 + q * 4, 4);
  }
  for (int s = 0; s < layout.blocks; ++s) write_planes(layout, wide[s], to + layout.quants + s * layout.block_bytes);
}

// [k][32] from up to 32 rows of plain numbers, or [k / 2][32][2]; zeros beside.
template <class Bits, int Step>
void pack_plain(std::span<const std::byte* const> rows, index_t cols, std::byte* to) noexcept {
  constexpr index_t kTile = 16;  // columns at a time: whole cache lines are read and written
  for (index_t k0 = 0; k0 < cols; k0 += kTile) {
    const index_t count = std::min(kTile, cols - k0), steps = (count + Step - 1) / Step;
    Bits tile[kTile / Step][kPanel][Step] = {};
    for (std::size_t n = 0; n < rows.size(); ++n) {
      Bits line[kTile];
      std::memcpy(line, rows[n] + k0 * static_cast<index_t>(sizeof(Bits)), static_cast<std::size_t>(count) * sizeof(Bits));
      for (index_t k = 0; k < count; ++k) tile[k / Step][n][k % Step] = line[k];
    }
    const auto bytes = static_cast<std::size_t>(steps * Step * kPanel) * sizeof(Bits);
    std::memcpy(to + k0 * kPanel * static_cast<index_t>(sizeof(Bits)), tile, bytes);
  }
}

inline float read_plain(DType type, const std::byte* p) noexcept {
  if (type == DType::f32) {
    float v;
    std::memcpy(&v, p, 4);
    return v;
  }
  std::uint16_t bits;
  std::memcpy(&bits, p, 2);
  return type == DType::f16 ? to_float(f16{bits}) : to_float(bf16{bits});
}

}  // namespace detail

HEADWISE_INLINE index_t packed_panel_bytes(DType type, index_t cols) {
  constexpr std::string_view where = "packed matrix";
  if (!is_weight_type(type)) fail(where, "a weight type", name_of(type));
  const BlockSize block = block_size(type);
  if (cols < 0 || cols % block.elements != 0)
    fail(where, concat("a width that is a multiple of ", block.elements, " for ", name_of(type)), concat(cols));
  const index_t record = is_quantised(type) ? packed_layout(type).bytes() : kPanel * block.bytes;
  return checked_mul(type == DType::bf16 ? checked_add(cols, cols % 2, where) : cols / block.elements, record, where);
}

HEADWISE_INLINE index_t packed_bytes(DType type, index_t rows, index_t cols) {
  constexpr std::string_view where = "packed matrix";
  if (rows < 0) fail(where, "at least 0 rows", concat(rows));
  return checked_mul(checked_add(rows, kPanel - 1, where) / kPanel, packed_panel_bytes(type, cols), where);
}

HEADWISE_INLINE void pack_panels(DType type, std::span<const std::byte* const> rows, index_t cols, index_t panel_begin, index_t panel_end,
                                 std::byte* packed) {
  const index_t panel_bytes = packed_panel_bytes(type, cols);
  const index_t count = static_cast<index_t>(rows.size());
  for (index_t panel = panel_begin; panel < panel_end; ++panel) {
    const index_t first = panel * kPanel, last = std::min(first + kPanel, count);
    const auto part = rows.subspan(static_cast<std::size_t>(first), static_cast<std::size_t>(last - first));
    std::byte* to = packed + panel * panel_bytes;
    if (is_quantised(type)) {
      const index_t records = cols / block_size(type).elements, record_bytes = packed_layout(type).bytes();
      for (index_t r = 0; r < records; ++r) detail::pack_record(type, part, r, reinterpret_cast<std::uint8_t*>(to + r * record_bytes));
    } else if (type == DType::f32) {
      detail::pack_plain<std::uint32_t, 1>(part, cols, to);
    } else if (type == DType::f16) {
      detail::pack_plain<std::uint16_t, 1>(part, cols, to);
    } else {
      detail::pack_plain<std::uint16_t, 2>(part, cols, to);
    }
  }
}

HEADWISE_INLINE void widen_row(DType type, const std::byte* file_row, index_t cols, float* out) {
  const BlockSize block = block_size(type);
  if (type == DType::f32) {
    std::memcpy(out, file_row, static_cast<std::size_t>(cols) * 4);
    return;
  }
  if (!is_quantised(type)) {
    for (index_t k = 0; k < cols; ++k) out[k] = detail::read_plain(type, file_row + k * block.bytes);
    return;
  }
  detail::Record record;
  for (index_t k = 0; k < cols; k += block.elements, file_row += block.bytes) {
    detail::read_record(type, file_row, record);
    detail::widen_record(type, record, out + k);
  }
}

HEADWISE_INLINE void unpack_row(const PackedMatrix& matrix, index_t row, float* out) {
  const DType type = matrix.type;
  const BlockSize block = block_size(type);
  const index_t n = row % kPanel;
  const std::byte* panel = matrix.data + row / kPanel * packed_panel_bytes(type, matrix.cols);
  if (!is_quantised(type)) {
    for (index_t k = 0; k < matrix.cols; ++k) {
      const index_t at = type == DType::bf16 ? (k / 2 * kPanel + n) * 2 + k % 2 : k * kPanel + n;
      out[k] = detail::read_plain(type, panel + at * block.bytes);
    }
    return;
  }
  const PackedLayout layout = packed_layout(type);
  detail::Record record;
  const auto* from = reinterpret_cast<const std::uint8_t*>(panel);
  for (index_t k = 0; k < matrix.cols; k += block.elements, from += layout.bytes()) {
    if (!layout.codes) record.scale = detail::read_f16(from + 2 * n);
    if (layout.has_minimums()) record.minimum = detail::read_f16(from + layout.minimums + 2 * n);
    for (int g = 0; g < layout.blocks * layout.groups; ++g) {
      if (layout.sub_scales >= 0) record.sub_scales[g] = from[layout.sub_scales + g * 32 + n];
      if (layout.sub_minimums >= 0) record.sub_minimums[g] = from[layout.sub_minimums + g * 32 + n];
    }
    for (int i = 0; i < block.elements; ++i)
      record.quants[i] = detail::read_plane(layout, from + layout.quants + i / 32 * layout.block_bytes, i % 32 / 4,
                                            static_cast<int>(n) * 4 + i % 4);
    detail::widen_record(type, record, out + k);
  }
}

}  // namespace hw::kernels
