// Calls with bad parameters: an error that names the argument, and a state that is as before. And a decode step that allocates nothing.

#include <gtest/gtest.h>

#include <array>

#include "tests/models/allocations.hpp"
#include "tests/models/toy.hpp"

namespace {

using hw::index_t;
using hw::StateSet;

TEST(Decode, AllocatesNothingAfterWarmUp) {
  for (const bool recurrent : {false, true}) {
    const auto model = toy::hybrid(2, recurrent);
    StateSet state = model->make_state();
    hw::Output out;
    const auto prompt = toy::ids(50);
    model->forward({.ids = prompt, .state = &state}, out);
    state.reserve(200);
    for (int i = 0; i < 3; ++i) model->forward({.ids = std::span(prompt).first(1), .state = &state}, out);
    const long before = allocations::made;
    for (int i = 0; i < 150; ++i) model->forward({.ids = std::span(prompt).first(1), .state = &state}, out);
    EXPECT_EQ(allocations::made, before) << (recurrent ? "hybrid" : "attention");
  }
}

TEST(Decode, TheCounterCounts) {
  const long before = allocations::made;
  const auto p = std::make_unique<std::array<int, 100>>();
  EXPECT_GT(allocations::made, before);
  EXPECT_NE(p, nullptr);
}

// The call throws an Error that mentions all of `words`, and `state` then continues as an undisturbed one does.
template <class Call>
void expect_refusal(const hw::Model& model, Call call, std::initializer_list<const char*> words) {
  StateSet state = model.make_state();
  toy::feed(model, &state, toy::ids(12));
  StateSet undisturbed = state.fork();
  try {
    call(state);
    ADD_FAILURE() << "no error";
  } catch (const hw::Error& e) {
    const std::string what = e.what();
    EXPECT_LE(what.size(), 500u);
    for (const char* word : words) EXPECT_NE(what.find(word), std::string::npos) << what << "  lacks  " << word;
  }
  const auto y = toy::ids(5, 2);
  EXPECT_EQ(toy::feed(model, &state, y), toy::feed(model, &undisturbed, y));
}

TEST(Calls, BadSequencesAreRefused) {
  const auto model = toy::hybrid(1, true, 128);
  hw::Output out;
  const std::vector<std::int32_t> good = toy::ids(3);
  const auto bad_id = [&](std::int32_t id) {
    return [&, id](StateSet& s) {
      const std::vector<std::int32_t> ids{1, 2, id};
      model->forward({.ids = ids, .state = &s}, out);
    };
  };
  expect_refusal(*model, [&](StateSet& s) { model->forward({.ids = {}, .state = &s}, out); }, {"sequence 0", "no tokens"});
  expect_refusal(*model, [&](StateSet&) { model->forward(std::span<const hw::Sequence>(), out); }, {"no sequence"});
  expect_refusal(*model, bad_id(64), {"token 2", "64", "vocabulary"});
  expect_refusal(*model, bad_id(2147483647), {"2147483647"});
  expect_refusal(*model, bad_id(-1), {"-1"});
  expect_refusal(*model,
                 [&](StateSet& s) {  // only the last of the batch is wrong
                   StateSet other = model->make_state();
                   const std::vector<std::int32_t> wrong{99};
                   const hw::Sequence batch[] = {{.ids = good, .state = &s}, {.ids = wrong, .state = &other}};
                   model->forward(batch, out);
                 },
                 {"sequence 1", "99"});
  expect_refusal(*model,
                 [&](StateSet& s) {
                   const auto many = toy::ids(117);  // 12 + 117 = 129 positions
                   model->forward({.ids = many, .state = &s}, out);
                 },
                 {"128", "max_position_embeddings"});
  expect_refusal(*model,
                 [&](StateSet& s) {
                   const hw::Sequence batch[] = {{.ids = good, .state = &s}, {.ids = good, .state = &s}};
                   model->forward(batch, out);
                 },
                 {"sequence 1", "same state", "sequence 0"});
  expect_refusal(*model,
                 [&](StateSet& s) {
                   const hw::Sequence batch[] = {{.ids = good, .state = &s}, {.ids = good}};
                   model->forward(batch, out);
                 },
                 {"sequence 1", "all sequences"});
  expect_refusal(*model,
                 [&](StateSet&) {
                   StateSet foreign = toy::hybrid(1, false)->make_state();
                   model->forward({.ids = good, .state = &foreign}, out);
                 },
                 {"state of this model"});
  expect_refusal(*model,
                 [&](StateSet& s) {
                   const std::vector<std::int32_t> rows{-1, -1};
                   hw::Tensor<float> narrow({2, toy::kWidth - 1});
                   model->forward({.ids = rows, .state = &s, .vectors = narrow.view()}, out);
                 },
                 {"(2, 64)", "(2, 63)"});
  expect_refusal(*model,
                 [&](StateSet& s) {
                   const std::vector<std::int32_t> marks{0};
                   model->forward({.ids = good, .state = &s, .marks = marks}, out);
                 },
                 {"mark"});
}

TEST(Calls, BadPositionsAreRefused) {
  const auto model = toy::hybrid(1);
  expect_refusal(*model, [&](StateSet& s) { s.truncate(13); }, {"truncate", "13", "12"});
  expect_refusal(*model, [&](StateSet& s) { s.truncate(-1); }, {"truncate", "-1"});
  expect_refusal(*model, [&](StateSet& s) { s.truncate(5); }, {"truncate", "5", "rewind"});  // the recurrence does not reach it
  expect_refusal(*model, [&](StateSet& s) { s.reserve(-1); }, {"reserve", "-1"});
  expect_refusal(*model, [&](StateSet& s) { model->rewind(s, 20); }, {"20"});
}

TEST(Calls, MovedFromStatesAreErrors) {
  const auto model = toy::hybrid(1);
  StateSet a = model->make_state();
  StateSet b = std::move(a);
  hw::Output out;
  const auto x = toy::ids(2);
  EXPECT_THROW(model->forward({.ids = x, .state = &a}, out), hw::Error);  // NOLINT: that is the point
  EXPECT_THROW((void)a.fork(), hw::Error);
  a = model->make_state();
  model->forward({.ids = x, .state = &a}, out);
}

// A model that differs in one field of one part computes other numbers from the same weights: its states are foreign.
TEST(Calls, StatesOfAModelThatDiffersInOneFieldAreRefused) {
  using Layer = toy::Attend;
  using Model = hw::Decoder<Layer>;
  const auto build = [](auto change) {
    const hw::RmsNorm::Config norm{.size = 64};
    hw::Attention<>::Config attention;
    attention.project = {.hidden_size = 64, .num_attention_heads = 4, .num_key_value_heads = 2, .head_dim = 16};
    attention.project.rotary = hw::RotaryConfig{.dims = 16};
    const Layer::Config layer{{{norm}, attention}, {{norm}, {.hidden_size = 64, .intermediate_size = 96}}};
    Model::Config c;
    c.embedding = {.vocab_size = 64, .hidden_size = 64};
    c.blocks = {layer, layer};
    c.schedule = {{.block = 0, .state = 0}, {.block = 1, .state = 1}};
    c.norm = norm;
    c.heads = {{.name = "logits", .stages = {hw::DenseStage{"", 64, false}}}};
    auto& second = std::get<0>(c.blocks[1]);
    change(c, std::get<0>(second), std::get<1>(second));
    return std::make_unique<Model>(c, hw::RandomWeights{.seed = 7}, std::make_shared<hw::ThreadPool>(1));
  };
  const auto model = build([](auto&, auto&, auto&) {});
  StateSet state = model->make_state();
  toy::feed(*model, &state, toy::ids(9));
  const auto saved = state.save();
  EXPECT_EQ(build([](auto&, auto&, auto&) {})->load_state(saved).size(), 9) << "the same model, built again";

  const auto refuses = [&](const char* field, auto change) {
    const auto other = build(change);
    EXPECT_NE(other->info().fingerprint, model->info().fingerprint) << field;
    EXPECT_THROW(other->load_state(saved), hw::Error) << field;
    hw::Output out;
    StateSet foreign = state.fork();
    const std::vector<std::int32_t> one{1};
    EXPECT_THROW(other->forward({.ids = one, .state = &foreign}, out), hw::Error) << field;
  };
  refuses("window", [](auto&, auto& a, auto&) { a.sublayer.mask.window = 5; });
  refuses("theta", [](auto&, auto& a, auto&) { a.sublayer.project.rotary->theta = 5e5; });
  refuses("rope scaling", [](auto&, auto& a, auto&) { a.sublayer.project.rotary->factor = 2; });
  refuses("scale", [](auto&, auto& a, auto&) { a.sublayer.options.scale = 0.5f; });
  refuses("soft cap", [](auto&, auto& a, auto&) { a.sublayer.options.soft_cap = 30; });
  refuses("alibi", [](auto&, auto& a, auto&) { a.sublayer.options.alibi = true; });
  refuses("eps", [](auto&, auto& a, auto&) { a.join.pre.eps = 1e-3f; });
  refuses("residual multiplier", [](auto&, auto& a, auto&) { a.join.scale = 0.5f; });
  refuses("activation", [](auto&, auto&, auto& m) { m.sublayer.activation = hw::Activation::relu; });
  refuses("embedding scale", [](auto& c, auto&, auto&) { c.embedding.scale = 8; });
  refuses("schedule", [](auto& c, auto&, auto&) { std::swap(c.schedule[0].block, c.schedule[1].block); });
  refuses("logit cap", [](auto& c, auto&, auto&) { c.heads[0].stages.push_back(hw::ScaleStage{.cap = 30}); });
  refuses("positions", [](auto& c, auto&, auto&) { c.max_positions = 100; });
}

TEST(Calls, StatesOutliveTheirModel) {
  StateSet state = toy::hybrid(1)->make_state();
  StateSet child;
  {
    const auto model = toy::hybrid(1);
    toy::feed(*model, &state, toy::ids(5));
    child = state.fork();
  }
  state = StateSet();
  EXPECT_EQ(child.size(), 5);
  toy::feed(*toy::hybrid(1), &child, toy::ids(5));
}

TEST(Generate, RefusesBadArguments) {
  const auto model = toy::hybrid(1, true, 128);
  const auto with = [&](const hw::GenerateOptions& o, std::vector<std::int32_t> prompt = {1, 2}) {
    return [&model, o, prompt](StateSet& s) { hw::generate(*model, s, prompt, o); };
  };
  expect_refusal(*model, with({}, {}), {"prompt", "empty"});
  expect_refusal(*model, with({.max_new_tokens = -1}), {"max_new_tokens", "-1"});
  expect_refusal(*model, with({.stop_ids = {64}}), {"stop_ids", "64"});
  expect_refusal(*model, with({.sampling = {.temperature = -1}}), {"temperature", "-1"});
  expect_refusal(*model, with({.prefill_chunk = 0}), {"prefill_chunk", "0"});
}

TEST(Generate, EndsWhereItShould) {
  const auto model = toy::hybrid(1, true, 128);
  StateSet state = model->make_state();
  EXPECT_TRUE(hw::generate(*model, state, {1}, {.max_new_tokens = 0}).ids.empty());
  EXPECT_EQ(state.size(), 0) << "no token, no forward";
  const auto all = hw::generate(*model, state, toy::ids(100), {.max_new_tokens = 2147483647});
  EXPECT_EQ(all.finish, hw::FinishReason::context);
  EXPECT_EQ(all.ids.size(), 29u) << "128 positions hold 100 + 28 tokens; the last of 29 is not fed";
  StateSet again = model->make_state();
  const auto stopped = hw::generate(*model, again, toy::ids(100), {.max_new_tokens = 50, .stop_ids = {all.ids[4]}});
  EXPECT_EQ(stopped.finish, hw::FinishReason::stop_id);
  EXPECT_LE(stopped.ids.size(), 4u);
}

TEST(Generate, ChunkedPromptsAndSeedsAreReproducible) {
  const auto model = toy::hybrid(2);
  const hw::SamplingOptions sampling{.temperature = 1.0f, .top_k = 20, .top_p = 0.95f, .seed = 42};
  std::vector<std::int32_t> first;
  for (const index_t chunk : {512, 1, 13}) {
    StateSet state = model->make_state();
    const auto made = hw::generate(*model, state, toy::ids(60), {.sampling = sampling, .max_new_tokens = 40, .prefill_chunk = chunk});
    if (first.empty()) first = made.ids;
    EXPECT_EQ(made.ids, first);
  }
}

// A callback that throws: the same exception reaches the caller, and going on gives what an undisturbed run gives.
TEST(Generate, CallbacksMayThrow) {
  const auto model = toy::hybrid(1);
  StateSet undisturbed = model->make_state();
  const auto expected = hw::generate(*model, undisturbed, toy::ids(9), {.max_new_tokens = 12}).ids;
  for (const std::size_t at : {0u, 5u, 11u}) {
    StateSet state = model->make_state();
    std::vector<std::int32_t> got;
    try {
      hw::generate(*model, state, toy::ids(9), {.max_new_tokens = 12}, [&](std::int32_t id) -> bool {
        got.push_back(id);
        if (got.size() == at + 1) throw std::out_of_range("from the callback");
        return true;
      });
      ADD_FAILURE() << "no exception";
    } catch (const std::out_of_range& e) {
      EXPECT_STREQ(e.what(), "from the callback");
    }
    const auto rest = hw::generate(*model, state, {got.back()}, {.max_new_tokens = static_cast<index_t>(12 - got.size())}).ids;
    got.insert(got.end(), rest.begin(), rest.end());
    EXPECT_EQ(got, expected);
  }
}

TEST(Compose, WrongSizesAreRefusedWithoutAFile) {
  const auto build = [](auto change) {
    using Layer = toy::Attend;
    hw::Decoder<Layer>::Config c;
    const hw::RmsNorm::Config norm{.size = 64};
    hw::Attention<>::Config attention;
    attention.project = {.hidden_size = 64, .num_attention_heads = 4, .num_key_value_heads = 2, .head_dim = 16};
    c.embedding = {.vocab_size = 10, .hidden_size = 64};
    c.heads = {{.name = "logits", .stages = {hw::DenseStage{"", 10, false}}}};
    c.norm = norm;
    change(c, attention);
    c.blocks.push_back(Layer::Config{{{norm}, attention}, {{norm}, {.hidden_size = 64, .intermediate_size = 96}}});
    return std::make_unique<hw::Decoder<Layer>>(c, hw::RandomWeights{}, std::make_shared<hw::ThreadPool>(1));
  };
  EXPECT_NO_THROW(build([](auto&, auto&) {}));
  EXPECT_THROW(build([](auto& c, auto&) { c.embedding.hidden_size = 0; }), hw::Error);
  EXPECT_THROW(build([](auto& c, auto&) { c.embedding.vocab_size = -5; }), hw::Error);
  EXPECT_THROW(build([](auto&, auto& a) { a.project.num_attention_heads = 0; }), hw::Error);
  EXPECT_THROW(build([](auto&, auto& a) { a.project.num_key_value_heads = 3; }), hw::Error);
  EXPECT_THROW(build([](auto&, auto& a) { a.project.head_dim = 0; }), hw::Error);
  EXPECT_THROW(build([](auto&, auto& a) { a.mask.window = -1; }), hw::Error);
  EXPECT_THROW(build([](auto&, auto& a) { a.project.rotary = hw::RotaryConfig{.dims = 15}; }), hw::Error);
  EXPECT_THROW(build([](auto&, auto& a) { a.project.rotary = hw::RotaryConfig{.dims = 32}; }), hw::Error);
  EXPECT_THROW(build([](auto& c, auto&) { c.schedule = {{.block = 3}}; }), hw::Error);
  EXPECT_THROW(build([](auto& c, auto&) { c.schedule = {{.block = 0, .state = 0}, {.block = 0, .state = 0}}; }), hw::Error);
  EXPECT_THROW(build([](auto& c, auto&) { c.heads.push_back(c.heads[0]); }), hw::Error);
}

// Sizes that do not fit each other are the composer's error: a message with the part's name, no read past a weight.
TEST(Calls, PartsOfAnotherWidth) {
  const hw::RmsNorm::Config norm{.size = 64};
  hw::Attention<>::Config attention;
  attention.project = {.hidden_size = 64, .num_attention_heads = 4, .num_key_value_heads = 2, .head_dim = 16};
  const toy::Attend::Config layer{{{norm}, attention}, {{norm}, {.hidden_size = 64, .intermediate_size = 96}}};
  const auto message = [](const toy::Attend::Config& block, const hw::AnyNormConfig& last) -> std::string {
    hw::Decoder<toy::Attend>::Config config;
    config.embedding = {.vocab_size = 64, .hidden_size = 64};
    config.blocks = {block};
    config.norm = last;
    config.heads = {{.name = "logits", .stages = {hw::DenseStage{"", 64, false}}}};
    const hw::Decoder<toy::Attend> model(config, hw::RandomWeights{.seed = 1});
    StateSet state = model.make_state();
    try {
      hw::generate(model, state, {1, 2, 3}, {.max_new_tokens = 1});
    } catch (const hw::Error& e) {
      EXPECT_EQ(state.size(), 0);
      return e.what();
    }
    return "no error";
  };
  EXPECT_EQ(message(layer, norm), "no error");
  auto other = layer;
  std::get<0>(other).join.pre.size = 32;
  EXPECT_EQ(message(other, norm), "layers.0.attention.norm: expected rows of 32 values as input, found 64");
  other = layer;
  std::get<0>(other).sublayer.project.hidden_size = 32;
  EXPECT_EQ(message(other, norm), "layers.0.attention.q: expected rows of 32 values as input, found 64");
  other = layer;
  std::get<1>(other).sublayer.hidden_size = 96;
  EXPECT_EQ(message(other, norm), "layers.0.mlp.gate: expected rows of 96 values as input, found 64");
  EXPECT_EQ(message(layer, hw::RmsNorm::Config{.size = 65}), "norm: expected rows of 65 values as input, found 64");
  EXPECT_EQ(message(layer, hw::LayerNorm::Config{.size = 8}), "norm: expected rows of 8 values as input, found 64");
}

}  // namespace
