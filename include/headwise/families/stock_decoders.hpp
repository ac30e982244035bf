#pragma once
// Dense decoders. (families/stock.hpp)

#include "headwise/families/bloom.hpp"
#include "headwise/families/cohere.hpp"
#include "headwise/families/cohere2.hpp"
#include "headwise/families/ctrl.hpp"
#include "headwise/families/falcon.hpp"
#include "headwise/families/gemma.hpp"
#include "headwise/families/gemma2.hpp"
#include "headwise/families/gemma3.hpp"
#include "headwise/families/glm.hpp"
#include "headwise/families/glm4.hpp"
#include "headwise/families/gpt2.hpp"
#include "headwise/families/gpt_neo.hpp"
#include "headwise/families/gpt_neox.hpp"
#include "headwise/families/gptj.hpp"
#include "headwise/families/granite.hpp"
#include "headwise/families/llama.hpp"
#include "headwise/families/mistral.hpp"
#include "headwise/families/mpt.hpp"
#include "headwise/families/nemotron.hpp"
#include "headwise/families/olmo3.hpp"
#include "headwise/families/openai_gpt.hpp"
#include "headwise/families/opt.hpp"
#include "headwise/families/phi.hpp"
#include "headwise/families/phi3.hpp"
#include "headwise/families/qwen2.hpp"
#include "headwise/families/qwen3.hpp"
#include "headwise/families/smollm3.hpp"
#include "headwise/families/stablelm.hpp"
#include "headwise/families/starcoder2.hpp"
#include "headwise/families/zoo.hpp"

namespace hw::families {

inline void add_decoders(Zoo& zoo) {
  zoo.add<Llama>().add<Mistral>().add<Qwen2>().add<Qwen3>().add<Gemma>().add<Gemma2>().add<Gemma3>().add<Granite>();
  zoo.add<SmolLm3>().add<Phi3>().add<Glm>().add<Glm4>().add<Olmo3>().add<Cohere>().add<Cohere2>().add<Starcoder2>();
  zoo.add<Nemotron>().add<Phi>().add<Gpt2>().add<GptNeo>().add<GptNeoX>().add<GptJ>().add<OpenAiGpt>().add<Opt>();
  zoo.add<Ctrl>().add<Bloom>().add<Falcon>().add<Mpt>().add<StableLm>();
}

}  // namespace hw::families
