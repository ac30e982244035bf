#pragma once
// Encoder-decoders. (families/stock.hpp)

#include "headwise/families/bart.hpp"
#include "headwise/families/bert2bert.hpp"
#include "headwise/families/led.hpp"
#include "headwise/families/longt5.hpp"
#include "headwise/families/marian_file.hpp"
#include "headwise/families/moonshine.hpp"
#include "headwise/families/nllb_moe.hpp"
#include "headwise/families/speech_to_text.hpp"
#include "headwise/families/switch_transformers.hpp"
#include "headwise/families/t5.hpp"
#include "headwise/families/t5gemma.hpp"
#include "headwise/families/trocr.hpp"
#include "headwise/families/vit_gpt2.hpp"
#include "headwise/families/whisper.hpp"
#include "headwise/families/whisper_ctranslate2.hpp"
#include "headwise/families/zoo.hpp"

namespace hw::families {

inline void add_seq2seq(Zoo& zoo) {
  zoo.add<T5>().add<T5Encoder>().add<Bart>().add<MBart>().add<Pegasus>().add<Marian>().add<M2M100>().add<Fsmt>();
  zoo.add<BigBirdPegasus>().add<Led>().add<T5Gemma>().add<Bert2Bert>().add<LongT5Global>().add<Whisper>();
  zoo.add<SpeechToText>()
      .add<Moonshine>()
      .add<TrOcr>()
      .add<VitGpt2>()
      .add<SwitchTransformers>()
      .add<NllbMoe>()
      .add<WhisperCTranslate2>()
      .add<MarianSsru>();
}

}  // namespace hw::families
