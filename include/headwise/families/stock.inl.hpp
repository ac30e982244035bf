#pragma once
#include "headwise/families/albert.hpp"
#include "headwise/families/bert.hpp"
#include "headwise/families/big_bird.hpp"
#include "headwise/families/distilbert.hpp"
#include "headwise/families/electra.hpp"
#include "headwise/families/ernie.hpp"
#include "headwise/families/esm.hpp"
#include "headwise/families/eurobert.hpp"
#include "headwise/families/fnet.hpp"
#include "headwise/families/gemma3.hpp"
#include "headwise/families/gpt2.hpp"
#include "headwise/families/layoutlm.hpp"
#include "headwise/families/llama.hpp"
#include "headwise/families/modernbert.hpp"
#include "headwise/families/nomic_bert.hpp"
#include "headwise/families/rembert.hpp"
#include "headwise/families/roberta.hpp"
#include "headwise/families/roformer.hpp"
#include "headwise/families/stock.hpp"

namespace hw {

HEADWISE_INLINE Zoo stock_zoo() {
  using namespace families;
  Zoo zoo;
  zoo.add<Llama>().add<Gpt2>().add<Gemma3>();
  zoo.add<Bert>().add<Roberta>().add<DistilBert>().add<Electra>().add<Albert>().add<RemBert>().add<RoFormer>().add<Ernie>().add<LayoutLm>();
  zoo.add<NomicBert>().add<JinaV3>().add<EuroBert>().add<ModernBert>().add<Esm>().add<FNet>().add<BigBird>();
  return zoo;
}

}  // namespace hw
