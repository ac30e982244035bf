// expect: needs #include <headwise/mixers/attention/attend_with.hpp>
// A score of a user's own is compiled into the kernels of every target, which only that header brings.
#include "headwise/headwise.hpp"
#ifdef HEADWISE_CORRECT
#include "headwise/mixers/attention/attend_with.hpp"
#endif

struct Score {
  void modify(const hw::kernels::ScoreTile&) const {}
};
using Layer = hw::Block<hw::PreNorm<hw::RmsNorm, hw::Attention<hw::Causal, hw::QkvProjection, Score>>>;
template class hw::Decoder<Layer>;
