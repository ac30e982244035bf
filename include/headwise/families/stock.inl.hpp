#pragma once
#include "headwise/families/albert.hpp"
#include "headwise/families/bailing_hybrid.hpp"
#include "headwise/families/bart.hpp"
#include "headwise/families/bert.hpp"
#include "headwise/families/bert2bert.hpp"
#include "headwise/families/big_bird.hpp"
#include "headwise/families/bloom.hpp"
#include "headwise/families/cohere.hpp"
#include "headwise/families/cohere2.hpp"
#include "headwise/families/ctrl.hpp"
#include "headwise/families/dbrx.hpp"
#include "headwise/families/deberta.hpp"
#include "headwise/families/deepseek.hpp"
#include "headwise/families/distilbert.hpp"
#include "headwise/families/electra.hpp"
#include "headwise/families/ernie.hpp"
#include "headwise/families/ernie4_5_moe.hpp"
#include "headwise/families/esm.hpp"
#include "headwise/families/eurobert.hpp"
#include "headwise/families/falcon.hpp"
#include "headwise/families/falcon_h1.hpp"
#include "headwise/families/fnet.hpp"
#include "headwise/families/gemma.hpp"
#include "headwise/families/gemma2.hpp"
#include "headwise/families/gemma3.hpp"
#include "headwise/families/glm.hpp"
#include "headwise/families/glm4.hpp"
#include "headwise/families/glm4_moe.hpp"
#include "headwise/families/gpt2.hpp"
#include "headwise/families/gpt_neo.hpp"
#include "headwise/families/gpt_neox.hpp"
#include "headwise/families/gpt_oss.hpp"
#include "headwise/families/gptj.hpp"
#include "headwise/families/granite.hpp"
#include "headwise/families/granite_moe.hpp"
#include "headwise/families/granite_moe_hybrid.hpp"
#include "headwise/families/jamba.hpp"
#include "headwise/families/jetmoe.hpp"
#include "headwise/families/kimi_linear.hpp"
#include "headwise/families/layoutlm.hpp"
#include "headwise/families/led.hpp"
#include "headwise/families/lfm2.hpp"
#include "headwise/families/lfm3.hpp"
#include "headwise/families/llama.hpp"
#include "headwise/families/llama4.hpp"
#include "headwise/families/longcat_flash.hpp"
#include "headwise/families/longformer.hpp"
#include "headwise/families/longt5.hpp"
#include "headwise/families/mamba.hpp"
#include "headwise/families/mamba2.hpp"
#include "headwise/families/minimax.hpp"
#include "headwise/families/mistral.hpp"
#include "headwise/families/mixtral.hpp"
#include "headwise/families/modernbert.hpp"
#include "headwise/families/moonshine.hpp"
#include "headwise/families/mpnet.hpp"
#include "headwise/families/mpt.hpp"
#include "headwise/families/nemotron.hpp"
#include "headwise/families/nemotron_h.hpp"
#include "headwise/families/nomic_bert.hpp"
#include "headwise/families/olmo3.hpp"
#include "headwise/families/olmo_hybrid.hpp"
#include "headwise/families/olmoe.hpp"
#include "headwise/families/openai_gpt.hpp"
#include "headwise/families/opt.hpp"
#include "headwise/families/phi.hpp"
#include "headwise/families/phi3.hpp"
#include "headwise/families/phi_moe.hpp"
#include "headwise/families/qwen2.hpp"
#include "headwise/families/qwen2_moe.hpp"
#include "headwise/families/qwen3.hpp"
#include "headwise/families/qwen3_moe.hpp"
#include "headwise/families/qwen3_next.hpp"
#include "headwise/families/recurrent_gemma.hpp"
#include "headwise/families/rembert.hpp"
#include "headwise/families/roberta.hpp"
#include "headwise/families/roformer.hpp"
#include "headwise/families/rwkv.hpp"
#include "headwise/families/smollm3.hpp"
#include "headwise/families/speech_to_text.hpp"
#include "headwise/families/stablelm.hpp"
#include "headwise/families/starcoder2.hpp"
#include "headwise/families/stock.hpp"
#include "headwise/families/t5.hpp"
#include "headwise/families/t5gemma.hpp"
#include "headwise/families/trocr.hpp"
#include "headwise/families/vit_gpt2.hpp"
#include "headwise/families/whisper.hpp"
#include "headwise/families/xlnet.hpp"
#include "headwise/families/xlstm.hpp"
#include "headwise/families/zamba.hpp"
#include "headwise/families/zamba2.hpp"

namespace hw {

HEADWISE_LOAD_TIME Zoo stock_zoo() {
  using namespace families;
  Zoo zoo;
  zoo.add<Llama>().add<Mistral>().add<Qwen2>().add<Qwen3>().add<Gemma>().add<Gemma2>().add<Gemma3>().add<Granite>().add<SmolLm3>();
  zoo.add<Phi3>().add<Glm>().add<Glm4>().add<Olmo3>().add<Cohere>().add<Cohere2>().add<Starcoder2>().add<Nemotron>().add<Phi>();
  zoo.add<Gpt2>().add<GptNeo>().add<GptNeoX>().add<GptJ>().add<OpenAiGpt>().add<Opt>().add<Ctrl>().add<Bloom>();
  zoo.add<Falcon>().add<Mpt>().add<StableLm>();
  zoo.add<Mixtral>().add<Qwen2Moe>().add<Qwen3Moe>().add<Olmoe>().add<GraniteMoe>().add<PhiMoe>().add<Ernie45Moe>().add<Glm4Moe>();
  zoo.add<Dbrx>().add<GptOss>().add<Llama4>().add<DeepSeek>().add<LongCatFlash>().add<JetMoe>();
  zoo.add<Mamba>().add<Mamba2>().add<FalconH1>().add<GraniteMoeHybrid>().add<Lfm2>().add<RecurrentGemma>().add<Qwen3Next>();
  zoo.add<NemotronH>()
      .add<Jamba>()
      .add<OlmoHybrid>()
      .add<KimiLinear>()
      .add<BailingHybrid>()
      .add<MiniMax>()
      .add<Zamba>()
      .add<Zamba2>()
      .add<Lfm3>();
  zoo.add<Bert>().add<Roberta>().add<DistilBert>().add<Electra>().add<Albert>().add<RemBert>().add<RoFormer>().add<Ernie>().add<LayoutLm>();
  zoo.add<NomicBert>().add<JinaV3>().add<EuroBert>().add<ModernBert>().add<Esm>().add<FNet>().add<BigBird>();
  zoo.add<MpNet>().add<Deberta>().add<XlNet>().add<Longformer>();
  zoo.add<T5>().add<T5Encoder>().add<Bart>().add<MBart>().add<Pegasus>().add<Marian>().add<M2M100>().add<Fsmt>();
  zoo.add<BigBirdPegasus>().add<Led>().add<T5Gemma>().add<Bert2Bert>();
  zoo.add<LongT5Global>().add<Whisper>().add<SpeechToText>().add<Moonshine>().add<TrOcr>().add<VitGpt2>();
  zoo.add<Rwkv>().add<Xlstm>();
  return zoo;
}

}  // namespace hw
