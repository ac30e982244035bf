#pragma once
// Decoders with experts. (families/stock.hpp)

#include "headwise/families/dbrx.hpp"
#include "headwise/families/deepseek.hpp"
#include "headwise/families/ernie4_5_moe.hpp"
#include "headwise/families/glm4_moe.hpp"
#include "headwise/families/gpt_oss.hpp"
#include "headwise/families/granite_moe.hpp"
#include "headwise/families/jetmoe.hpp"
#include "headwise/families/llama4.hpp"
#include "headwise/families/longcat_flash.hpp"
#include "headwise/families/mixtral.hpp"
#include "headwise/families/olmoe.hpp"
#include "headwise/families/phi_moe.hpp"
#include "headwise/families/qwen2_moe.hpp"
#include "headwise/families/qwen3_moe.hpp"
#include "headwise/families/zoo.hpp"

namespace hw::families {

inline void add_experts(Zoo& zoo) {
  zoo.add<Mixtral>().add<Qwen2Moe>().add<Qwen3Moe>().add<Olmoe>().add<GraniteMoe>().add<PhiMoe>().add<Ernie45Moe>();
  zoo.add<Glm4Moe>().add<Dbrx>().add<GptOss>().add<Llama4>().add<DeepSeek>().add<LongCatFlash>().add<JetMoe>();
}

}  // namespace hw::families
