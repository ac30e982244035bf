#pragma once
// Views as Eigen matrices: for algebra off the hot path (factorisations, merges at load) and for tests. The only room that sees Eigen.

#include <Eigen/Core>

#include "headwise/core/view.hpp"

namespace hw::linalg {

template <class T>
using RowMajor = Eigen::Matrix<T, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;

/// The same memory as `view`, as an Eigen expression. It must outlive what is made of it.
template <class T>
auto as_eigen(BasicView<T> view) noexcept {
  using Matrix = RowMajor<std::remove_const_t<T>>;
  using Mapped = std::conditional_t<std::is_const_v<T>, const Matrix, Matrix>;
  return Eigen::Map<Mapped, Eigen::Unaligned, Eigen::OuterStride<>>(view.data, view.rows, view.cols, Eigen::OuterStride<>(view.stride));
}

/// y = x w^T in double: an oracle for matrix kernels that shares nothing with them.
inline void matmul(ConstView x, ConstView w, View y) {
  as_eigen(y) = (as_eigen(x).cast<double>() * as_eigen(w).cast<double>().transpose()).cast<float>();
}

}  // namespace hw::linalg
