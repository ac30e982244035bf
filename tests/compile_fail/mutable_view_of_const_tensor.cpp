// expect: conversion from 'BasicView<const float>' to non-scalar type 'BasicView<float>' | no viable conversion from 'BasicView<const float>' to 'BasicView<float>'
// A constant view does not turn into a mutable one.
#include "headwise/core/view.hpp"

void copy(const hw::Tensor<float>& x) {
#ifdef HEADWISE_CORRECT
  hw::ConstView rows = x.view();
#else
  hw::View rows = x.view();
#endif
  (void)rows;
}
