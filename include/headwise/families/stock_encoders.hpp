#pragma once
// Encoders. (families/stock.hpp)

#include "headwise/families/albert.hpp"
#include "headwise/families/bert.hpp"
#include "headwise/families/big_bird.hpp"
#include "headwise/families/deberta.hpp"
#include "headwise/families/distilbert.hpp"
#include "headwise/families/electra.hpp"
#include "headwise/families/ernie.hpp"
#include "headwise/families/esm.hpp"
#include "headwise/families/eurobert.hpp"
#include "headwise/families/fnet.hpp"
#include "headwise/families/layoutlm.hpp"
#include "headwise/families/longformer.hpp"
#include "headwise/families/mobilebert.hpp"
#include "headwise/families/modernbert.hpp"
#include "headwise/families/mpnet.hpp"
#include "headwise/families/nomic_bert.hpp"
#include "headwise/families/rembert.hpp"
#include "headwise/families/roberta.hpp"
#include "headwise/families/roformer.hpp"
#include "headwise/families/xlnet.hpp"
#include "headwise/families/zoo.hpp"

namespace hw::families {

inline void add_encoders(Zoo& zoo) {
  zoo.add<Bert>().add<Roberta>().add<DistilBert>().add<Electra>().add<Albert>().add<RemBert>().add<RoFormer>();
  zoo.add<Ernie>().add<LayoutLm>().add<NomicBert>().add<JinaV3>().add<EuroBert>().add<ModernBert>().add<Esm>();
  zoo.add<FNet>().add<BigBird>().add<MpNet>().add<Deberta>().add<XlNet>().add<Longformer>().add<MobileBert>();
}

}  // namespace hw::families
