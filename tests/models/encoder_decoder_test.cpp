// Encoder-decoders: composed by hand, through the generation loop, and what calls with bad sources get. The golden cases hold each family
// to its outputs and to the laws of states.

#include "headwise/models/encoder_decoder.hpp"

#include <gtest/gtest.h>

#include "examples/support/golden_case.hpp"
#include "headwise/families/load.hpp"
#include "headwise/families/stock.hpp"
#include "headwise/headwise.hpp"
#include "headwise/io/open_weights.hpp"
#include "headwise/mixers/conv_front.hpp"
#include "headwise/models/with_front.hpp"
#include "tests/models/allocations.hpp"

namespace {

using hw::index_t;
const std::string kCases = std::string(HEADWISE_TEST_DATA) + "/models/";

using Reader = hw::Block<hw::PreNorm<hw::RmsNorm, hw::Attention<hw::Full>>, hw::PreNorm<hw::RmsNorm, hw::Mlp>>;
using Writer =
    hw::Block<hw::PreNorm<hw::RmsNorm, hw::Attention<>>, hw::PreNorm<hw::RmsNorm, hw::CrossAttention>, hw::PreNorm<hw::RmsNorm, hw::Mlp>>;
using Composed = hw::EncoderDecoder<Reader, Writer>;

Composed::Config composed(index_t positions = 0) {
  const hw::RmsNorm::Config norm{.size = 32};
  hw::QkvProjection::Config project{.hidden_size = 32, .num_attention_heads = 4, .num_key_value_heads = 4, .head_dim = 8};
  hw::Attention<hw::Full>::Config read{.project = project};
  hw::Attention<>::Config write{.project = project};
  read.options.scale = write.options.scale = 1.0f;
  read.options.relative = {.num_buckets = 8, .max_distance = 10};
  write.options.relative = {.num_buckets = 8, .max_distance = 10, .bidirectional = false};
  const hw::CrossAttention::Config cross{
      .hidden_size = 32, .num_attention_heads = 4, .num_key_value_heads = 4, .head_dim = 8, .options = {.scale = 1.0f}};
  const hw::Mlp::Config mlp{.hidden_size = 32, .intermediate_size = 48, .activation = hw::Activation::relu};
  Composed::Config c;
  c.encoder.embedding = c.decoder.embedding = {.vocab_size = 97, .hidden_size = 32};
  c.encoder.blocks.assign(2, Reader::Config{{{norm}, read}, {{norm}, mlp}});
  c.decoder.blocks.assign(2, Writer::Config{{{norm}, write}, {{norm}, cross}, {{norm}, mlp}});
  c.encoder.norm = c.decoder.norm = norm;
  c.encoder.max_positions = positions;
  c.decoder.heads = {{.name = "logits", .stages = {hw::ScaleStage{1 / std::sqrt(32.0f)}, hw::DenseStage{"", 97, false}}}};
  return c;
}

TEST(EncoderDecoder, ComposedIsTheSameModel) {
  hw::WeightMap names;
  for (const std::string side : {"encoder", "decoder"}) {
    const std::string ours = side + ".layers.*.", theirs = side + ".block.*.layer.", last = side == "encoder" ? "1" : "2";
    names.rename(side + ".embedding", "shared");
    names.rename(ours + "attention.norm", theirs + "0.layer_norm");
    names.rename(ours + "attention.relative_bias", side + ".block.0.layer.0.SelfAttention.relative_attention_bias");
    names.rename(ours + "cross_attention.norm", theirs + "1.layer_norm");
    for (const char* x : {"q", "k", "v", "o"}) {
      names.rename(hw::concat(ours, "attention.", x), hw::concat(theirs, "0.SelfAttention.", x));
      names.rename(hw::concat(ours, "cross_attention.", x), hw::concat(theirs, "1.EncDecAttention.", x));
    }
    names.rename(ours + "mlp.norm", theirs + last + ".layer_norm");
    names.rename(ours + "mlp.up", theirs + last + ".DenseReluDense.wi");
    names.rename(ours + "mlp.down", theirs + last + ".DenseReluDense.wo");
    names.rename(side + ".norm", side + ".final_layer_norm");
  }
  names.rename("decoder.head", "shared");
  const golden::Case c(kCases + "t5");
  const golden::Report report = golden::check(c, [&](int threads) {
    return std::make_unique<Composed>(composed(), hw::Weights(hw::open_weights(kCases + "t5"), names), std::make_shared<hw::ThreadPool>(threads));
  });
  for (const std::string& why : report.failures) ADD_FAILURE() << why;
  EXPECT_GE(report.compared.size(), 12u);
}

// The generation loop of every decoder, and the front door from source ids to new ids.
TEST(EncoderDecoder, GeneratesFromASource) {
  for (const std::string name : {"t5", "bart", "m2m_100", "fsmt"}) {
    const golden::Case c(kCases + name);
    const auto expected = c.ints("greedy_ids");
    const hw::TextModel text = hw::load(kCases + name, hw::stock_zoo(), {.threads = 1});
    const hw::GenerateOptions options{.max_new_tokens = static_cast<index_t>(expected.size())};
    const auto source = c.rows()[0].ids;

    hw::StateSet state = text.model().encode({.ids = source});
    EXPECT_EQ(hw::generate(text.model(), state, {c.start_id}, options).ids, expected) << name;

    auto stream = text.generate_ids(source, options, true);
    while (stream.next()) {}
    EXPECT_EQ(std::vector<std::int32_t>(stream.tokens().ids().begin(), stream.tokens().ids().end()), expected) << name;
  }
}

TEST(EncoderDecoder, ForksShareTheSource) {
  const Composed model(composed(), hw::RandomWeights{.seed = 1}, std::make_shared<hw::ThreadPool>(1));
  const std::vector<std::int32_t> source(300, 5), tokens{1, 2, 3};
  hw::StateSet state = model.encode({.ids = source});
  EXPECT_EQ(state.source_size(), 300);
  EXPECT_EQ(state.size(), 0);
  hw::Output out;
  model.forward({.ids = tokens, .state = &state}, out);
  const std::vector<float> expected(out.logits().row(0), out.logits().row(0) + 97);
  hw::StateSet fork = state.fork();
  EXPECT_EQ(fork.source_size(), 300);
  state = hw::StateSet();  // the fork keeps what it needs
  EXPECT_EQ(model.rewind(fork, 0), 0);
  model.forward({.ids = tokens, .state = &fork}, out);
  EXPECT_TRUE(std::equal(expected.begin(), expected.end(), out.logits().row(0)));
}

template <class F>
std::string message(F f) {
  try {
    f();
  } catch (const hw::Error& e) {
    return e.what();
  }
  return "no error";
}

TEST(EncoderDecoder, BadSourcesAreRefused) {
  const Composed model(composed(8), hw::RandomWeights{.seed = 1}, std::make_shared<hw::ThreadPool>(1));
  const std::vector<std::int32_t> tokens{1, 2, 3}, none, outside{97}, too_long(9, 1);
  hw::Output out;
  hw::StateSet empty = model.make_state();
  const auto expect = [](const std::string& found, const std::string& part) { EXPECT_NE(found.find(part), std::string::npos) << found; };
  expect(message([&] { model.forward({.ids = tokens}, out); }), "expected a state with a source");
  expect(message([&] { model.forward({.ids = tokens, .state = &empty}, out); }), "a state without one");
  EXPECT_EQ(empty.size(), 0);
  expect(message([&] { (void)model.encode({.ids = none}); }), "no tokens");
  expect(message([&] { (void)model.encode({.ids = outside}); }), "vocabulary size 97");
  expect(message([&] { (void)model.encode({.ids = too_long}); }), "at most 8 positions");

  using Plain = hw::Block<hw::PreNorm<hw::RmsNorm, hw::Mlp>>;
  hw::Decoder<Plain>::Config plain;
  plain.embedding = {.vocab_size = 9, .hidden_size = 32};
  plain.blocks = {Plain::Config{{{.pre = {32}}, hw::Mlp::Config{32, 16}}}};
  plain.norm = hw::RmsNorm::Config{32};
  const hw::Decoder<Plain> decoder(plain, hw::RandomWeights{});
  expect(message([&] { (void)decoder.encode({.ids = tokens}); }), "reads sources");

  // A decoder with cross-attention and no encoder: nothing to read.
  const hw::Decoder<Writer> alone(composed().decoder, hw::RandomWeights{}, std::make_shared<hw::ThreadPool>(1));
  hw::StateSet state = alone.make_state();
  expect(message([&] { alone.forward({.ids = tokens}, out); }), "Model::encode");
  expect(message([&] { alone.forward({.ids = tokens, .state = &state}, out); }), "remembers no source");
  EXPECT_EQ(state.size(), 0);
  auto odd = composed();
  std::get<0>(odd.decoder.blocks[0]) = Writer::Config(std::get<0>(odd.decoder.blocks[1]));
  std::get<1>(std::get<0>(odd.decoder.blocks[0])).sublayer.memory_size = 33;
  const Composed wide(odd, hw::RandomWeights{}, std::make_shared<hw::ThreadPool>(1));
  expect(message([&] { (void)wide.encode({.ids = tokens}); }), "rows of 33 values");
}

// A saved state of one source is the state of that source alone; one without a source is refused.
TEST(EncoderDecoder, SavedStatesKeepTheSource) {
  const Composed model(composed(), hw::RandomWeights{.seed = 1}, std::make_shared<hw::ThreadPool>(1));
  const std::vector<std::int32_t> source{4, 5, 6, 7}, tokens{1, 2, 3};
  hw::StateSet state = model.encode({.ids = source}), loaded = model.load_state(state.save());
  EXPECT_EQ(loaded.source_size(), 4);
  hw::Output a, b;
  model.forward({.ids = tokens, .state = &state}, a);
  model.forward({.ids = tokens, .state = &loaded}, b);
  EXPECT_TRUE(std::equal(a.logits().row(0), a.logits().row(0) + 97, b.logits().row(0)));
  hw::StateSet without = model.load_state(model.make_state().save());
  EXPECT_NE(message([&] { model.forward({.ids = tokens, .state = &without}, a); }).find("without one"), std::string::npos);
}

// What is computed of a source is computed once: steps find it in the state, and allocate nothing.
TEST(EncoderDecoder, StepsReadTheSourceFromTheState) {
  const Composed model(composed(), hw::RandomWeights{.seed = 1}, std::make_shared<hw::ThreadPool>(2));
  const std::vector<std::int32_t> source(300, 5), next{7};
  std::vector<hw::StateSet> states = [&] {
    hw::Output encoded;
    const std::vector<hw::Sequence> both{{.ids = source}, {.ids = std::span(source).first(40)}};
    return model.encode(both, encoded);
  }();
  for (hw::StateSet& s : states) s.reserve(64);
  const std::size_t bytes = states[0].bytes();
  const std::vector<hw::Sequence> batch{{.ids = next, .state = &states[0]}, {.ids = next, .state = &states[1]}};
  int entries = 0;
  const auto count = [&](const hw::TapPoint& at, hw::View x) {
    if (at.kind == hw::TapPoint::after_entry) entries += static_cast<int>(x.rows);
  };
  const hw::Tap tap(count);
  hw::Output out;
  model.forward(batch, out);  // warm-up
  const long before = allocations::made;
  for (int i = 0; i < 20; ++i) model.forward(batch, out, {.tap = &tap});
  EXPECT_EQ(allocations::made, before);
  EXPECT_EQ(entries, 20 * 2 * 2) << "two blocks of the decoder, a row of each sequence, none of the sources";
  EXPECT_EQ(states[0].bytes(), bytes);
  EXPECT_EQ(states[0].size(), 21);
  EXPECT_EQ(states[0].source_size(), 300);
}

// Sources of sound: a front between the signal and the encoder, and a bridge between two widths.
using Listener = hw::EncoderDecoder<hw::WithFront<hw::ConvFront, hw::Encoder<Reader>>, Writer>;

Listener::Config listener() {
  const Composed::Config text = composed(6);
  Listener::Config c;
  c.encoder.front = {.signal_size = 3,
                     .stages = {{.channels = 8, .kernel_size = 4, .stride = 2, .activation = hw::Activation::tanh, .norm_eps = 1e-5f},
                                {.channels = 32, .kernel_size = 3, .stride = 2, .padding = 1, .gated = true}}};
  c.encoder.stack = text.encoder;
  c.encoder.stack.embedding.vocab_size = 0;
  c.decoder = text.decoder;
  c.bridge = true;
  return c;
}

hw::Tensor<float> sound(index_t frames, index_t size = 3) {
  hw::Tensor<float> out({frames, size});
  for (index_t i = 0; i < out.size(); ++i) out.values()[static_cast<std::size_t>(i)] = std::sin(0.7f * static_cast<float>(i * i % 97));
  return out;
}

TEST(EncoderDecoder, SignalsOfUnequalLengthAreOneBatch) {
  const Listener model(listener(), hw::RandomWeights{.seed = 2}, std::make_shared<hw::ThreadPool>(2));
  EXPECT_EQ(model.encoder()->info().signal_size, 3);
  EXPECT_EQ(model.encoder()->signal_rows(18), 4);
  EXPECT_EQ(model.encoder()->signal_rows(3), 0);
  const hw::Tensor<float> a = sound(18), b = sound(9);
  const std::vector<std::int32_t> kept(3, -1), tokens{1, 2, 3};
  const std::vector<hw::Sequence> sources{{.signal = a.view()}, {.signal = b.view()}, {.ids = kept, .signal = a.view()}};
  hw::Output all, one, out;
  std::vector<hw::StateSet> states = model.encode(sources, all);
  for (std::size_t s = 0; s < sources.size(); ++s) {
    std::vector<hw::StateSet> alone = model.encode(std::span(sources).subspan(s, 1), one);
    const hw::ConstView together = all.hidden(static_cast<index_t>(s)), single = one.hidden();
    ASSERT_EQ(together.rows, std::vector<index_t>({4, 2, 3})[s]);
    ASSERT_EQ(states[s].source_size(), together.rows);
    EXPECT_TRUE(std::equal(single.data, single.data + single.rows * single.cols, together.data)) << s;
    model.forward({.ids = tokens, .state = &states[s]}, out);
    const std::vector<float> logits(out.logits().row(0), out.logits().row(0) + 97);
    model.forward({.ids = tokens, .state = &alone[0]}, out);
    EXPECT_TRUE(std::equal(logits.begin(), logits.end(), out.logits().row(0))) << s;
  }
  // The bridge changes what is read, and belongs to the model.
  auto plain = listener();
  plain.bridge = false;
  const Listener without(plain, hw::RandomWeights{.seed = 2}, std::make_shared<hw::ThreadPool>(1));
  EXPECT_NE(model.info().fingerprint, without.info().fingerprint);
  hw::StateSet other = without.encode({.signal = a.view()});
  EXPECT_NE(message([&] { model.forward({.ids = tokens, .state = &other}, out); }).find("a state of this model"), std::string::npos);
}

TEST(EncoderDecoder, BadSignalsAreRefused) {
  const Listener model(listener(), hw::RandomWeights{.seed = 2}, std::make_shared<hw::ThreadPool>(1));
  const Composed text(composed(), hw::RandomWeights{.seed = 1}, std::make_shared<hw::ThreadPool>(1));
  const hw::Tensor<float> good = sound(18), wide = sound(18, 4), brief = sound(3), long_one = sound(40);
  const std::vector<std::int32_t> ids{1}, none(5, -1);
  const auto expect = [](const hw::Model& m, const hw::Sequence& source, const std::string& part) {
    const std::string found = message([&] { (void)m.encode(source); });
    EXPECT_NE(found.find(part), std::string::npos) << found;
  };
  expect(text, {.signal = good.view()}, "one that reads ids");
  expect(model, {.signal = wide.view()}, "a signal of 3 columns");
  expect(model, {.signal = brief.view()}, "long enough for one row");
  expect(model, {.signal = long_one.view()}, "at most 6 positions");
  expect(model, {.ids = ids, .signal = good.view()}, "no ids beside a signal");
  expect(model, {.ids = none, .signal = good.view()}, "up to 4 times -1");
  expect(model, {.vectors = good.view(), .signal = good.view()}, "either a signal or vectors");
  expect(model, {.ids = ids}, "vocabulary size 0");
  auto narrow = listener();
  narrow.encoder.front.stages.back().channels = 31;
  EXPECT_NE(message([&] { Listener(narrow, hw::RandomWeights{}, std::make_shared<hw::ThreadPool>(1)); }).find("rows of 32 values"),
            std::string::npos);
}

}  // namespace
