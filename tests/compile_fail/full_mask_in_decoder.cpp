// expect: a Decoder's blocks may depend on past rows only
// Attention that sees later rows cannot generate.
#include "headwise/headwise.hpp"

using Layer = hw::Block<hw::PreNorm<hw::RmsNorm, hw::Attention<hw::Full>>>;
#ifdef HEADWISE_CORRECT
using Model = hw::Encoder<Layer>;
#else
using Model = hw::Decoder<Layer>;
#endif
const std::size_t size = sizeof(Model);
