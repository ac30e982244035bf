#include "headwise/kernels/packing.hpp"

#include <gtest/gtest.h>

#include "headwise/core/error.hpp"
#include "headwise/kernels/ref/dequantise.hpp"
#include "tests/kernels/weights.hpp"

namespace {

using namespace hw;
using test::FileMatrix;
using test::kWeightTypes;
using test::Packed;

TEST(Packing, WidenedRowsAreTheReference) {
  for (const DType type : kWeightTypes) {
    const FileMatrix file(type, 5, 512);
    std::vector<float> want(512), got(512);
    for (index_t n = 0; n < file.rows; ++n) {
      ref::dequantise_row(type, file.row(n), 512, want.data());
      kernels::widen_row(type, file.row(n), 512, got.data());
      EXPECT_EQ(want, got) << name_of(type) << " row " << n;
    }
  }
}

TEST(Packing, PackedRowsKeepEveryValue) {
  for (const DType type : kWeightTypes)
    for (const index_t rows : {1, 31, 32, 33, 70}) {
      const FileMatrix file(type, rows, 768);
      const Packed packed(file);
      std::vector<float> want(768), got(768);
      for (index_t n = 0; n < rows; ++n) {
        ref::dequantise_row(type, file.row(n), 768, want.data());
        kernels::unpack_row(packed.matrix, n, got.data());
        EXPECT_EQ(want, got) << name_of(type) << " row " << n << " of " << rows;
      }
    }
}

TEST(Packing, RowsMayBeSlicedAndPermuted) {
  const FileMatrix file(DType::q4_1, 40, 64);
  std::vector<const std::byte*> rows;
  for (index_t n = 39; n >= 0; n -= 3) rows.push_back(file.row(n));
  AlignedBuffer<std::byte> storage(kernels::packed_bytes(file.type, static_cast<index_t>(rows.size()), 64));
  kernels::pack_panels(file.type, rows, 64, 0, 1, storage.data());
  std::vector<float> want(64), got(64);
  for (std::size_t i = 0; i < rows.size(); ++i) {
    ref::dequantise_row(file.type, rows[i], 64, want.data());
    kernels::unpack_row({file.type, static_cast<index_t>(rows.size()), 64, storage.data()}, static_cast<index_t>(i), got.data());
    EXPECT_EQ(want, got) << i;
  }
}

TEST(Packing, SizesStayNearTheFile) {
  for (const DType type : kWeightTypes) {
    const double file = static_cast<double>(block_size(type).bytes) / static_cast<double>(block_size(type).elements) * 320 * 4096;
    EXPECT_LE(static_cast<double>(kernels::packed_bytes(type, 320, 4096)), 1.04 * file) << name_of(type);
  }
}

TEST(Packing, WrongSizesAreErrors) {
  EXPECT_THROW(kernels::packed_bytes(DType::q4_0, 32, 33), Error);
  EXPECT_THROW(kernels::packed_bytes(DType::q4_k, 32, 128), Error);
  EXPECT_THROW(kernels::packed_bytes(DType::i32, 32, 32), Error);
  EXPECT_THROW(kernels::packed_bytes(DType::f32, -1, 32), Error);
  EXPECT_THROW(kernels::packed_bytes(DType::f32, 32, -32), Error);
  EXPECT_THROW(kernels::packed_bytes(DType::f32, index_t{1} << 60, index_t{1} << 10), Error);
  EXPECT_EQ(kernels::packed_bytes(DType::f32, 0, 32), 0);
  EXPECT_EQ(kernels::packed_bytes(DType::f32, 33, 0), 0);
}

}  // namespace
