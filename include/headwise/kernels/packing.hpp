#pragma once
// The packed form of a weight matrix, which every matrix kernel reads.
//
// y = x W^T, W (rows, cols) as checkpoints store it: one row per output. Rows are packed in panels of 32 outputs (the last one padded
// with zeros); inside a panel k ascends, so a kernel streams through memory whatever the number of input rows. f32, f16: [panel][k][32];
// bf16: [panel][pair of k][32][2], as dot products of bf16 read it, an odd last k beside a zero. Quantised types:
// [panel][record][...], a record being 32 or 256 values of k, as in the file: f16 scales of the 32 outputs in one cache line (then
// minimums; MXFP4 has exponents, a byte each), sub-scales as bytes [group][32], then for each block of 32 values of k the quants as
// unsigned numbers (the offset of signed types is taken back in the kernel) in planes of [quad of k][32 outputs][4 k]:
//   q8    8 quads, a byte each (q ^ 0x80)
//   q4    quad j in the low nibble, quad j + 4 in the high nibble, j < 4
//   q2    two planes of [32][4]: quad 4 p + j in bits 2j, 2j + 1 of plane p
//   mxfp4 as q4, the code of the value (kE2m1)
//   +1    q5, q3: one plane of [32][4] more, quad j in bit j;  +2  q6: as q2
// No type grows beyond its file's size but Q3_K (4%), Q4_K (3%) and Q5_K (2%), whose packed 6-bit scales become bytes.

#include <cstddef>
#include <cstdint>
#include <span>

#include "headwise/core/config.hpp"
#include "headwise/core/dtype.hpp"

namespace hw::kernels {

/// Outputs in a panel.
inline constexpr index_t kPanel = 32;

/// A view of packed weights: `rows` outputs, `cols` inputs. The data should begin at a cache line.
struct PackedMatrix {
  DType type = DType::f32;
  index_t rows = 0;
  index_t cols = 0;
  const std::byte* data = nullptr;

  index_t panels() const noexcept { return (rows + kPanel - 1) / kPanel; }
};

/// Where the parts of a record lie, in bytes; -1: there is no such part.
struct PackedLayout {
  int blocks = 1;        // blocks of 32 k in a record
  int minimums = -1;     // f16[32]; the scales are at 0
  int sub_scales = -1;   // u8[groups][32]: 6-bit scales (Q4_K, Q5_K), signed (Q3_K, Q6_K), scale | minimum << 4 (Q2_K), exponent (MXFP4)
  int sub_minimums = -1; // u8[groups][32]
  int groups = 1;        // scales for each block of 32: 1 or 2
  int quants = 0;        // the first block's planes
  int block_bytes = 0;   // of one block's planes
  int nibbles = -1, twos = -1, ones = -1;  // planes, from the start of the block's; none: a byte each
  int offset_shift = -1;  // quants are stored + (1 << offset_shift); -1: unsigned type

  bool codes = false;     // quants are the numbers of values in kE2m1

  constexpr int bytes() const noexcept { return quants + blocks * block_bytes; }
  constexpr int offset() const noexcept { return offset_shift < 0 ? 0 : 1 << offset_shift; }
  constexpr bool has_minimums() const noexcept { return minimums >= 0; }
};

constexpr PackedLayout packed_layout(DType type) noexcept {
  switch (type) {
    case DType::q8_0: return {.quants = 64, .block_bytes = 1024, .offset_shift = 7};
    case DType::q4_0: return {.quants = 64, .block_bytes = 512, .nibbles = 0, .offset_shift = 3};
    case DType::q4_1: return {.minimums = 64, .quants = 128, .block_bytes = 512, .nibbles = 0};
    case DType::q5_0: return {.quants = 64, .block_bytes = 640, .nibbles = 0, .ones = 512, .offset_shift = 4};
    case DType::q5_1: return {.minimums = 64, .quants = 128, .block_bytes = 640, .nibbles = 0, .ones = 512};
    case DType::q2_k:
      return {.blocks = 8, .minimums = 64, .sub_scales = 128, .sub_minimums = 128, .groups = 2,
              .quants = 640, .block_bytes = 256, .twos = 0};
    case DType::q3_k:
      return {.blocks = 8, .sub_scales = 64, .groups = 2, .quants = 576, .block_bytes = 384, .twos = 0, .ones = 256, .offset_shift = 2};
    case DType::q4_k:
      return {.blocks = 8, .minimums = 64, .sub_scales = 128, .sub_minimums = 384, .quants = 640, .block_bytes = 512, .nibbles = 0};
    case DType::q5_k:
      return {.blocks = 8, .minimums = 64, .sub_scales = 128, .sub_minimums = 384,
              .quants = 640, .block_bytes = 640, .nibbles = 0, .ones = 512};
    case DType::q6_k:
      return {.blocks = 8, .sub_scales = 64, .groups = 2, .quants = 576, .block_bytes = 768, .nibbles = 0, .twos = 512, .offset_shift = 5};
    case DType::mxfp4: return {.sub_scales = 0, .quants = 32, .block_bytes = 512, .nibbles = 0, .offset_shift = 4, .codes = true};
    default: return {};
  }
}

/// The values of MXFP4's 16 codes, in halves of its scale, plus 16: as the other types, an unsigned number and an offset.
alignas(16) inline constexpr std::uint8_t kE2m1[16] = {16, 17, 18, 19, 20, 22, 24, 28, 16, 15, 14, 13, 12, 10, 8, 4};

/// Bytes of one panel. Errors: not a weight type, cols not a multiple of the type's block, sizes that overflow.
index_t packed_panel_bytes(DType type, index_t cols);

/// Bytes of the whole packed matrix; errors as above.
index_t packed_bytes(DType type, index_t rows, index_t cols);

/// Packs panels [panel_begin, panel_end) into `packed`, the start of the whole matrix. rows[i] points at output i's bytes as the file
/// stores them (block_size(type) says how many), so that slices, permutations and fused matrices cost nothing. Ranges of panels may be
/// packed at the same time by several threads.
void pack_panels(DType type, std::span<const std::byte* const> rows, index_t cols, index_t panel_begin, index_t panel_end,
                 std::byte* packed);

/// out[k] = the values of one row of the file (any weight type), for embeddings. `cols` is a multiple of the type's block.
void widen_row(DType type, const std::byte* file_row, index_t cols, float* out);

/// out[k] = the values of one output of a packed matrix: the same numbers as widen_row of that row.
void unpack_row(const PackedMatrix& matrix, index_t row, float* out);

}  // namespace hw::kernels

#if HEADWISE_DEFINITIONS
#include "headwise/kernels/packing.inl.hpp"
#endif
