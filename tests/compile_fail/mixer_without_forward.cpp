// expect: Sublayer must have forward(In, View delta) const
// A mixer of a user's own with another signature.
#include "headwise/headwise.hpp"

struct Mixer {
  static constexpr std::string_view kName = "mixer";
  struct Config {};
  Mixer(const Config&, const hw::Build&) {}
#ifdef HEADWISE_CORRECT
  void forward(hw::In in, hw::View delta) const;
#else
  void forward(hw::View x) const;
#endif
};
const std::size_t size = sizeof(hw::PreNorm<hw::RmsNorm, Mixer>);
