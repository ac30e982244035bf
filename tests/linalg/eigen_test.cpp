#include "headwise/linalg/eigen.hpp"

#include <gtest/gtest.h>

namespace {

TEST(Eigen, SeesTheSameMemory) {
  hw::Tensor<float> t{3, 4};
  const hw::View part = t.view().row_range(1, 3).col_range(1, 3);
  hw::linalg::as_eigen(part)(1, 0) = 7;
  EXPECT_EQ(t.view()(2, 1), 7);
  EXPECT_EQ(hw::linalg::as_eigen(hw::ConstView(part)).sum(), 7);
}

}  // namespace
