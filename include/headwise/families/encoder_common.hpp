#pragma once
// What BERT and the encoders that came from it share: one stack, one reading of the configuration, their heads and their tensors' names.
// A family changes what differs in `EncoderParts` and adds its own names.

#include <initializer_list>
#include <string>
#include <string_view>

#include "headwise/families/common.hpp"
#include "headwise/families/encoder_heads.hpp"
#include "headwise/families/zoo.hpp"
#include "headwise/layers/mlp.hpp"
#include "headwise/mixers/attention/attention.hpp"
#include "headwise/models/stack.hpp"

namespace hw::families {

/// Attention and MLP with the norm after the sum, as BERT has it, or before the sublayer. A checkpoint has one of them.
using PostNormLayer = Block<PostNorm<LayerNorm, Attention<Full>>, PostNorm<LayerNorm, Mlp>>;
using PreNormLayer = Block<PreNorm<LayerNorm, Attention<Full>>, PreNorm<LayerNorm, Mlp>>;
using BertStack = Encoder<PostNormLayer, PreNormLayer>;

/// The parts of an encoder as its configuration gives them.
struct EncoderParts {
  Embedding::Config embedding;
  LayerNorm::Config norm;
  Attention<Full>::Config attention;
  Mlp::Config mlp;
  EncoderHeads heads;
  std::size_t layers = 0;
  index_t max_positions = 0;
  bool pre_norm = false;

  /// Positions count from the padding id + 1 (RoBERTa), so that the table has fewer of use.
  void positions_after_padding(const HfConfig& c, index_t default_padding = 1);
  /// The tables are `size` wide, and are mapped to hidden_size behind their norm.
  void factorise(index_t size);
};

/// Do the layers have attention, with heads?
enum class Attends : bool { no, yes };

/// Errors: missing fields; fields that other mechanisms than these would need.
EncoderParts read_encoder(const HfConfig& c, const WeightSource& source, Attends attends = Attends::yes);

BertStack::Config make_encoder(const HfConfig& c, const WeightSource& source, const EncoderParts& parts);

/// BERT's names, and RoBERTa's for the heads. Names in the file may begin with one of `prefixes`.
WeightMap encoder_names(const HfConfig& c, std::initializer_list<std::string_view> prefixes);

/// q, k and v of every layer as thirds of one tensor.
void name_fused_qkv(WeightMap& map, std::string_view file);

}  // namespace hw::families

#if defined(HEADWISE_COMPILED)  // instantiated once, with this file's definitions
extern template class hw::Stack<hw::families::PostNormLayer, hw::families::PreNormLayer>;
extern template class hw::Encoder<hw::families::PostNormLayer, hw::families::PreNormLayer>;
#endif

#if HEADWISE_DEFINITIONS
#include "headwise/families/encoder_common.inl.hpp"
#endif
