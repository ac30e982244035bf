#pragma once
// ERNIE 2.0 and 3.0: BERT with a table of tasks.                                                                    arXiv:1907.12412

#include "headwise/families/encoder_common.hpp"

namespace hw::families {

/// A token's task is axis 1 of Sequence::coords; 0 where it is not given.
struct Ernie {
  static constexpr std::string_view kModelTypes[] = {"ernie"};
  using Model = BertStack;

  static Model::Config config(const HfConfig& c, const WeightSource& source) {
    EncoderParts p = read_encoder(c, source);
    c.only("position_embedding_type", "absolute");
    if (!c.has("type_vocab_size")) p.embedding.types = 2;
    const auto tasks = c.size_or("task_type_vocab_size", 3);
    if (c.get_or("use_task_id", false)) p.embedding.tables = {{"tasks", tasks, 1}};
    return make_encoder(c, source, p);
  }

  static WeightMap weights(const HfConfig& c, const WeightSource&) {
    WeightMap map = encoder_names(c, {"ernie"});
    map.rename("embedding.tasks", "embeddings.task_type_embeddings");
    return map;
  }
};

}  // namespace hw::families

namespace hw {
HEADWISE_STOCK_FAMILY(Ernie)
}
