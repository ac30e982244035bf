#pragma once
// Decoders with recurrences, and hybrids. (families/stock.hpp)

#include "headwise/families/bailing_hybrid.hpp"
#include "headwise/families/falcon_h1.hpp"
#include "headwise/families/granite_moe_hybrid.hpp"
#include "headwise/families/inkling.hpp"
#include "headwise/families/jamba.hpp"
#include "headwise/families/kimi_linear.hpp"
#include "headwise/families/lfm2.hpp"
#include "headwise/families/lfm3.hpp"
#include "headwise/families/mamba.hpp"
#include "headwise/families/mamba2.hpp"
#include "headwise/families/minimax.hpp"
#include "headwise/families/nemotron_h.hpp"
#include "headwise/families/olmo_hybrid.hpp"
#include "headwise/families/qwen3_next.hpp"
#include "headwise/families/recurrent_gemma.hpp"
#include "headwise/families/rwkv.hpp"
#include "headwise/families/xlstm.hpp"
#include "headwise/families/zamba.hpp"
#include "headwise/families/zamba2.hpp"
#include "headwise/families/zaya.hpp"
#include "headwise/families/zoo.hpp"

namespace hw::families {

inline void add_recurrent(Zoo& zoo) {
  zoo.add<Mamba>().add<Mamba2>().add<FalconH1>().add<GraniteMoeHybrid>().add<Lfm2>().add<Lfm3>().add<RecurrentGemma>();
  zoo.add<Qwen3Next>().add<NemotronH>().add<Jamba>().add<OlmoHybrid>().add<KimiLinear>().add<BailingHybrid>();
  zoo.add<MiniMax>().add<Zamba>().add<Zamba2>().add<Zaya>().add<Inkling>();
  zoo.add<Rwkv>().add<Xlstm>();
}

}  // namespace hw::families
