// expect: a score must have tile(const ScoreTile&) const or modify(const ScoreTile&) const
// A score whose functions cannot be called would change nothing, silently.
#include "headwise/headwise.hpp"
#include "headwise/mixers/attention/attend_with.hpp"

struct Score {
#ifdef HEADWISE_CORRECT
  void modify(const hw::kernels::ScoreTile&) const {}
#else
  void modify(const hw::kernels::ScoreTile&) {}
#endif
};
using Layer = hw::Block<hw::PreNorm<hw::RmsNorm, hw::Attention<hw::Causal, hw::QkvProjection, Score>>>;
template class hw::Decoder<Layer>;
