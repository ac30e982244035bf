// expect: assignment of read-only location | cannot assign to return value because function 'operator()' returns a const value
// A view of constant numbers is read, not written.
#include "headwise/core/view.hpp"

void scale(hw::ConstView x) {
#ifdef HEADWISE_CORRECT
  hw::Tensor<float> y{x.rows, x.cols};
  y.view()(0, 0) = 2 * x(0, 0);
#else
  x(0, 0) = 2 * x(0, 0);
#endif
}
