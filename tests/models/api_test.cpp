// The calls with bad parameters that tests/hostile/api.md lists, row by row, on the corpus's model (vocabulary 64, 128 positions): what the
// page says must happen, and the same object then gives the same bits as if the call had never been made.
//
// Rows of calls that do not exist yet: 34 (grammars), 37 (cross-attention), 39 (masks by call), 40 (speculative decoding), 41 (context
// shift), 42 (adapters), 49 (experts). By design there are no explicit positions for text (6), one object carries ids, state and what is
// wanted of a sequence (36), and a tap cannot change a shape (33). Rows held elsewhere: 13, 19 and 20 with more values in
// generate/sampling_test.cpp, 15 and 16 of beams in generate/beam_test.cpp, 17 in generate/stopping_test.cpp, 48 in models/calls_test.cpp,
// 50 in kernels/target_test.cpp, 52 in models/allocation_test.cpp.

#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <csignal>
#include <cmath>
#include <limits>
#include <thread>

#include "headwise/auto.hpp"
#include "headwise/core/thread_pool.hpp"
#include "tests/io/files.hpp"

namespace {

using hw::index_t;
using hw::StateSet;
using hw_test::error_of;
using hw_test::mentions;
using Ids = std::vector<std::int32_t>;

constexpr float kNan = std::numeric_limits<float>::quiet_NaN(), kInf = std::numeric_limits<float>::infinity();
const std::string kBase = std::string(HEADWISE_SOURCE_DIR) + "/tests/hostile/base/hf";

hw::LoadOptions one_thread() {
  hw::LoadOptions options;
  options.threads = 1;
  return options;
}

Ids ids(int n, int seed = 1) {
  Ids out;
  for (int i = 0; i < n; ++i) out.push_back((i * 7 + seed * 13) % 60 + 4);
  return out;
}

class Api : public testing::Test {
 protected:
  std::vector<float> feed(StateSet& state, const Ids& x) const {
    hw::Output out;
    model.forward({.ids = x, .state = &state, .wanted = hw::Wanted::all}, out);
    const hw::ConstView v = out.logits();
    return {v.data, v.data + v.rows * v.cols};
  }

  // The call throws an Error that has all of `words`, and a state of 12 tokens then goes on as an undisturbed one does.
  template <class Call>
  void refused(Call call, std::initializer_list<const char*> words) {
    StateSet state = model.make_state();
    feed(state, ids(12));
    StateSet undisturbed = state.fork();
    const std::string message = error_of([&] { call(state); });
    EXPECT_LE(message.size(), 500u);
    for (const char* word : words) EXPECT_TRUE(mentions(message, word));
    EXPECT_EQ(state.size(), 12);
    EXPECT_EQ(feed(state, ids(5, 2)), feed(undisturbed, ids(5, 2)));
  }
  void refused_options(const hw::GenerateOptions& options, std::initializer_list<const char*> words) {
    refused([&](StateSet& s) { hw::generate(model, s, {5}, options); }, words);
  }

  const hw::TextModel text = hw::load(kBase, one_thread());
  const hw::Model& model = text.model();
  hw::Output out;
};

TEST_F(Api, Rows1To5Forward) {
  refused([&](StateSet& s) { model.forward({.ids = {}, .state = &s}, out); }, {"no tokens"});
  refused([&](StateSet& s) { hw::generate(model, s, {}); }, {"prompt", "empty"});
  for (const std::int32_t id : {64, 2147483647, -1}) {
    const Ids bad{5, 6, id};
    refused([&](StateSet& s) { model.forward({.ids = bad, .state = &s}, out); },
            {"sequence 0", "token 2", "64", std::to_string(id).c_str()});
  }
  const Ids good = ids(3), bad{64};
  StateSet first = model.make_state();
  refused(
      [&](StateSet& s) {
        const hw::Sequence batch[] = {{.ids = good, .state = &first}, {.ids = bad, .state = &s}};
        model.forward(batch, out);
      },
      {"sequence 1"});
  EXPECT_EQ(first.size(), 0) << "no sequence of the batch has advanced";

  const Ids many = ids(129);
  refused([&](StateSet& s) { model.forward({.ids = many, .state = &s}, out); }, {"128", "max_position_embeddings"});
  StateSet full = model.make_state();
  feed(full, ids(127));
  StateSet same = full.fork();
  feed(same, {7});
  EXPECT_TRUE(mentions(error_of([&] { feed(same, {7}); }), "max_position_embeddings"));
  same.truncate(127);
  EXPECT_EQ(feed(same, {9}), feed(full, {9})) << "the first 128 stay usable";
}

TEST_F(Api, Rows7And8MaxNewTokens) {
  StateSet state = model.make_state();
  EXPECT_TRUE(hw::generate(model, state, ids(3), {.max_new_tokens = 0}).ids.empty());
  EXPECT_EQ(state.size(), 0);
  refused_options({.max_new_tokens = -1}, {"max_new_tokens", "-1"});
  for (const index_t n : {index_t{2147483647}, std::numeric_limits<index_t>::max()}) {
    StateSet s = model.make_state();
    EXPECT_EQ(hw::generate(model, s, ids(100), {.max_new_tokens = n}).finish, hw::FinishReason::context);
  }
}

TEST_F(Api, Rows9To14And16Sampling) {
  for (const float t : {kNan, kInf, -1.0f}) refused_options({.sampling = {.temperature = t}}, {"temperature"});
  const auto greedy = [&](const hw::SamplingOptions& sampling) {
    StateSet s = model.make_state();
    return hw::generate(model, s, ids(4), {.sampling = sampling, .max_new_tokens = 8}).ids;
  };
  const Ids best = greedy({});
  EXPECT_EQ(greedy({.temperature = 0}), best);
  EXPECT_EQ(greedy({.temperature = 1e-30f}), best);
  EXPECT_EQ(greedy({.temperature = 1e30f}).size(), 8u);
  EXPECT_EQ(greedy({.temperature = 1, .top_p = 0}), best);
  EXPECT_EQ(greedy({.temperature = 1, .top_k = 1000}), greedy({.temperature = 1}));
  EXPECT_EQ(greedy({.temperature = 1, .top_k = 0, .top_p = 1}), greedy({.temperature = 1}));
  refused_options({.sampling = {.temperature = 1, .top_k = -1}}, {"top_k", "-1"});
  for (const float p : {-0.1f, 1.5f, kNan}) {
    refused_options({.sampling = {.temperature = 1, .top_p = p}}, {"top_p"});
    refused_options({.sampling = {.temperature = 1, .min_p = p}}, {"min_p"});
    refused_options({.sampling = {.temperature = 1, .typical_p = p}}, {"typical_p"});
    refused_options({.sampling = {.temperature = 1, .epsilon_cutoff = p}}, {"epsilon_cutoff"});
    refused_options({.sampling = {.temperature = 1, .eta_cutoff = p}}, {"eta_cutoff"});
  }
  for (const float p : {0.0f, -1.0f, kNan}) refused_options({.sampling = {.repetition_penalty = p}}, {"repetition_penalty"});
  refused_options({.sampling = {.no_repeat_ngram_size = -1}}, {"no_repeat_ngram_size"});
  EXPECT_EQ(greedy({.no_repeat_ngram_size = 100000}), best);
  for (const std::int32_t id : {-1, 64}) {
    refused_options({.stop_ids = {id}}, {"stop_ids", std::to_string(id).c_str()});
    refused_options({.sampling = {.logit_bias = {{id, 1.0f}}}}, {"logit_bias"});
  }
  refused_options({.sampling = {.logit_bias = {{3, kNan}}}}, {"logit_bias"});
  EXPECT_EQ(greedy({.logit_bias = {}}), best);
}

TEST_F(Api, Row17StopStrings) {
  const auto run = [&](std::vector<std::string> stops) {
    return text.generate("the cat", {.max_new_tokens = 12, .stop_strings = std::move(stops)}, true).rest();
  };
  const std::string all = run({});
  ASSERT_GT(all.size(), 4u);
  EXPECT_TRUE(mentions(error_of([&] { run({""}); }), "stop"));
  EXPECT_EQ(run({std::string(1 << 20, 'x')}), all);
  EXPECT_EQ(run({"\xFF\xFE"}), all);
  const std::string three = all.substr(2, 3);
  EXPECT_EQ(run({three}), all.substr(0, all.find(three))) << "the text ends exactly before the stop string, tokens or not";
  EXPECT_EQ(run({three.substr(0, 2), three}), all.substr(0, all.find(three.substr(0, 2))));
}

// A token whose embedding is NaN makes the logits NaN.
TEST_F(Api, Rows18And19NothingToChooseFrom) {
  hw::Tensor<float> vectors({1, 16});
  for (float& v : vectors.values()) v = kNan;
  StateSet state = model.make_state();
  hw::TokenStream stream(model, state, {-1}, vectors.view());
  EXPECT_TRUE(mentions(error_of([&] { stream.next(); }), "NaN"));
  for (const float t : {0.0f, 1.0f}) {
    hw::SamplingOptions none{.temperature = t};
    for (std::int32_t id = 0; id < 64; ++id) none.logit_bias.emplace_back(id, -kInf);
    refused(
        [&](StateSet& s) {
          StateSet own = s.fork();
          hw::generate(model, own, {5}, {.sampling = none});
        },
        {"logit_bias"});
  }
}

TEST_F(Api, Rows21And22Truncate) {
  refused([](StateSet& s) { s.truncate(13); }, {"truncate", "13", "12"});
  refused([](StateSet& s) { s.truncate(-1); }, {"truncate", "-1"});
  refused([this](StateSet& s) { model.rewind(s, 13); }, {"13", "12"});
  StateSet state = model.make_state(), fresh = model.make_state();
  const auto first = feed(state, ids(12));
  state.truncate(12);
  EXPECT_EQ(state.size(), 12);
  state.truncate(0);
  EXPECT_EQ(feed(state, ids(12)), feed(fresh, ids(12)));
  EXPECT_EQ(feed(fresh, ids(3)).size(), 3u * 64u);
}

TEST_F(Api, Row23StatesOfOtherModels) {
  hw::LoadOptions half = one_thread();
  half.weights = hw::DType::f16;
  const hw::TextModel other = hw::load(kBase, half);
  const Ids one{5};
  refused(
      [&](StateSet& s) {
        StateSet foreign = other.model().make_state();
        const hw::Sequence batch[] = {{.ids = one, .state = &s}, {.ids = one, .state = &foreign}};
        model.forward(batch, out);
      },
      {"sequence 1", "a state of this model", std::to_string(model.info().fingerprint).c_str(),
       std::to_string(other.model().info().fingerprint).c_str()});
  EXPECT_TRUE(mentions(error_of([&] { model.load_state(other.model().make_state().save()); }), "fingerprint"));
}

TEST_F(Api, Row24SavedStates) {
  StateSet state = model.make_state();
  feed(state, ids(20));
  const auto saved = state.save();
  const auto refuse = [&](std::span<const std::byte> bytes, const std::string& word) {
    refused([&](StateSet& s) { s = model.load_state(bytes); }, {"saved state", word.c_str()});
  };
  refuse({}, "0 bytes");
  for (std::size_t n = 1; n < saved.size(); n += 1 + saved.size() / 97) refuse(std::span(saved).first(n), "");
  for (std::size_t i = 0; i < saved.size(); i += 1 + saved.size() / 97) {
    auto flipped = saved;
    flipped[i] ^= std::byte{16};
    refuse(flipped, i < 8 ? "not a saved state" : "checksum");
  }
  auto swapped = saved;  // as a machine of the other byte order would have written it
  std::reverse(swapped.begin(), swapped.begin() + 8);
  refuse(swapped, "not a saved state");
  auto longer = saved;
  longer.push_back(std::byte{0});
  refuse(longer, "checksum");
}

TEST_F(Api, Row25PathsThatCannotBeWritten) {
  const hw_test::TempFolder folder;
  StateSet state = model.make_state();
  feed(state, ids(30));
  const auto entries = [&] {
    return std::distance(std::filesystem::directory_iterator(folder.path()), std::filesystem::directory_iterator());
  };
  const auto refuse = [&](const std::string& path, std::initializer_list<const char*> words) {
    const std::string message = error_of([&] { state.save(path); });
    for (const char* word : words) EXPECT_TRUE(mentions(message, word));
  };
  refuse("", {"empty"});
  refuse(std::string("a\0b", 3), {"NUL"});
  refuse(folder.path(), {folder.path().c_str(), "a folder"});
  refuse(folder.path() + "/none/state", {"/none/state", "No such file"});
  refuse("/dev/full", {"/dev/full", "device"});
  EXPECT_TRUE(std::filesystem::is_character_file("/dev/full"));

  // A disk that is full after 100 bytes: what was there under the name is still there.
  const std::string path = folder.file("state", "before");
  rlimit before{};
  getrlimit(RLIMIT_FSIZE, &before);
  const auto handler = std::signal(SIGXFSZ, SIG_IGN);
  const rlimit small{100, before.rlim_max};
  setrlimit(RLIMIT_FSIZE, &small);
  const std::string message = error_of([&] { state.save(path); });
  setrlimit(RLIMIT_FSIZE, &before);
  std::signal(SIGXFSZ, handler);
  EXPECT_TRUE(mentions(message, "state") && mentions(message, "File too large"));
  EXPECT_EQ(entries(), 1);
  EXPECT_EQ(std::filesystem::file_size(path), 6u);

  state.save(path);
  EXPECT_EQ(entries(), 1);
  StateSet loaded = model.load_state(path);
  EXPECT_EQ(feed(loaded, ids(4)), feed(state, ids(4)));
  EXPECT_TRUE(mentions(error_of([&] { model.load_state(folder.file("other", "something else entirely")); }), "other"));
}

TEST_F(Api, Row26MovedFrom) {
  StateSet a = model.make_state();
  StateSet b = std::move(a);
  for (const auto& call : std::vector<std::function<void()>>{[&] { feed(a, {5}); }, [&] { (void)a.fork(); }, [&] { a.truncate(0); },
                                                             [&] { a.hold(); }, [&] { a.reserve(1); }, [&] { (void)a.save(); }})
    EXPECT_TRUE(mentions(error_of(call), "state"));
  EXPECT_EQ(a.size(), 0);
  a = model.make_state();
  feed(a, {5});

  hw::TextModel first = hw::load(kBase, one_thread());
  hw::TextModel second = std::move(first);
  EXPECT_TRUE(mentions(error_of([&] { (void)first.model(); }), "moved from"));  // NOLINT: that is the point
  EXPECT_THROW((void)first.generate("the"), hw::Error);
  EXPECT_FALSE(second.generate("the", {.max_new_tokens = 3}, true).rest().empty());
  hw::TextStream stream = second.generate("the", {.max_new_tokens = 3}, true);
  hw::TextStream moved = std::move(stream);
  EXPECT_FALSE(stream.next());  // NOLINT
  EXPECT_FALSE(moved.rest().empty());
}

TEST_F(Api, Rows27And28Forks) {
  StateSet child;
  {
    const hw::TextModel other = hw::load(kBase, one_thread());
    StateSet parent = other.model().make_state();
    feed(parent, ids(40));
    child = parent.fork();
  }  // parent and model are gone
  StateSet again = model.make_state();
  feed(again, ids(40));
  const std::size_t once = child.bytes();
  std::vector<StateSet> idle;
  for (int i = 0; i < 10000; ++i) idle.push_back(child.fork());
  EXPECT_EQ(child.bytes(), once);
  StateSet other = child.fork();
  other.truncate(30);
  feed(other, ids(10, 3));
  EXPECT_EQ(feed(child, ids(5, 2)), feed(again, ids(5, 2))) << "neither sees the other";
}

TEST_F(Api, Row29OneStateInTwoForwards) {
  StateSet state = model.make_state(), undisturbed = model.make_state();
  const Ids x = ids(6);
  std::string message;
  const auto tap = [&](const hw::TapPoint& point, hw::View) {
    if (point.kind != hw::TapPoint::after_embedding) return;
    std::thread([&] { message = error_of([&] { feed(state, {5}); }); }).join();
    EXPECT_TRUE(mentions(error_of([&] { state.truncate(0); }), "forward"));
    EXPECT_TRUE(mentions(error_of([&] { (void)state.fork(); }), "forward"));
  };
  const hw::Tap looking(tap);
  model.forward({.ids = x, .state = &state}, out, {.tap = &looking});
  EXPECT_TRUE(mentions(message, "forward"));
  feed(undisturbed, x);
  EXPECT_EQ(feed(state, ids(4)), feed(undisturbed, ids(4)));
}

TEST_F(Api, Rows30And31Callbacks) {
  StateSet undisturbed = model.make_state();
  const Ids expected = hw::generate(model, undisturbed, ids(5), {.max_new_tokens = 6}).ids;
  refused(
      [&](StateSet& s) {
        StateSet own = s.fork();
        hw::generate(model, own, {5}, {.max_new_tokens = 5}, [&](std::int32_t) { return own.truncate(3), true; });
      },
      {"generate", "callback"});
  refused(
      [&](StateSet& s) {
        StateSet own = s.fork();
        hw::generate(model, own, {5}, {.max_new_tokens = 5}, [&](std::int32_t id) { return feed(own, {id}), true; });
      },
      {"generate", "callback"});
  StateSet stopped = model.make_state();
  const auto made = hw::generate(model, stopped, ids(5), {.max_new_tokens = 6}, [n = 0](std::int32_t) mutable { return ++n < 3; });
  EXPECT_EQ(made.ids, Ids(expected.begin(), expected.begin() + 3));
  EXPECT_EQ(made.finish, hw::FinishReason::callback);
  for (const std::size_t at : {0u, 2u, 5u}) {
    StateSet state = model.make_state();
    Ids got;
    const auto call = [&] {
      hw::generate(model, state, ids(5), {.max_new_tokens = 6}, [&](std::int32_t id) {
        got.push_back(id);
        return got.size() == at + 1 ? throw std::out_of_range("mine") : true;
      });
    };
    EXPECT_THROW(call(), std::out_of_range);
    const Ids rest = hw::generate(model, state, {got.back()}, {.max_new_tokens = static_cast<index_t>(6 - got.size())}).ids;
    got.insert(got.end(), rest.begin(), rest.end());
    EXPECT_EQ(got, expected);
  }
}

// An executor that throws instead of its `when`-th piece of work.
struct Throwing final : hw::Executor {
  int threads() const noexcept override { return 2; }
  void run(int count, hw::FunctionRef<void(int)> task) override {
    if (when-- == 0) throw std::runtime_error("the executor's own");
    for (int i = 0; i < count; ++i) task(i);
  }
  int when = 0;
};

TEST_F(Api, Row32Executors) {
  for (const int n : {-1, 1000000}) EXPECT_TRUE(mentions(error_of([&] { hw::ThreadPool pool(n); }), std::to_string(n)));
  hw::LoadOptions none;
  none.threads = -1;
  EXPECT_TRUE(mentions(error_of([&] { hw::load(kBase, none); }), "threads"));

  StateSet state = model.make_state(), undisturbed = model.make_state();
  feed(state, ids(12)), feed(undisturbed, ids(12));
  const Ids x = ids(60, 2);
  int thrown = 0;
  for (int when = 0; when < 8; ++when) {
    Throwing executor;
    executor.when = when;
    StateSet own = state.fork();
    try {
      model.forward({.ids = x, .state = &own}, out, {.executor = &executor});
    } catch (const std::runtime_error& e) {
      ++thrown;
      EXPECT_STREQ(e.what(), "the executor's own");
      EXPECT_EQ(own.size(), 12);
      EXPECT_EQ(feed(own, ids(5, 2)), feed(undisturbed = state.fork(), ids(5, 2)));
    }
  }
  EXPECT_GT(thrown, 0);
}

TEST_F(Api, Row35Batches) {
  const Ids one{5};
  refused(
      [&](StateSet& s) {
        const hw::Sequence batch[] = {{.ids = one, .state = &s}, {.ids = one}};
        model.forward(batch, out);
      },
      {"sequence 1", "state"});
  refused(
      [&](StateSet& s) {
        const hw::Sequence batch[] = {{.ids = one, .state = &s}, {.ids = one, .state = &s}};
        model.forward(batch, out);
      },
      {"sequence 1", "sequence 0"});
}

TEST_F(Api, Row38Embeddings) {
  const Ids rows{-1, -1};
  hw::Tensor<float> narrow({2, 15}), one({1, 16}), nan({2, 16});
  refused([&](StateSet& s) { model.forward({.ids = rows, .state = &s, .vectors = narrow.view()}, out); }, {"(2, 16)", "(2, 15)"});
  refused([&](StateSet& s) { model.forward({.ids = rows, .state = &s, .vectors = one.view()}, out); }, {"(2, 16)", "(1, 16)"});
  refused([&](StateSet& s) { model.forward({.ids = rows, .state = &s}, out); }, {"-1"});
  for (float& v : nan.values()) v = kNan;
  model.forward({.ids = rows, .vectors = nan.view()}, out);
  for (const float v : out.logits()[0]) EXPECT_TRUE(std::isnan(v));
}

TEST_F(Api, Row43QuantiseOnLoad) {
  hw::LoadOptions q8 = one_thread();
  q8.weights = hw::DType::q8_0;
  const hw::TextModel quantised = hw::load(kBase, q8);
  std::size_t kept = 0, changed = 0;
  for (const hw::MatrixReport& m : quantised.model().info().matrices) {
    (m.cols % 32 == 0 ? changed : kept) += 1;
    EXPECT_EQ(m.type, m.cols % 32 == 0 ? hw::DType::q8_0 : hw::DType::f32) << m.name;
  }
  EXPECT_GT(kept, 0u);
  EXPECT_GT(changed, 0u);
  EXPECT_TRUE(mentions(quantised.model().explain(), "q8_0 (file: f32)"));
  q8.weights = hw::DType::q6_k;
  EXPECT_THROW(hw::load(kBase, q8), hw::Error);
}

TEST_F(Api, Row44Paths) {
  const hw_test::TempFolder folder;
  const auto refuse = [&](const std::string& path, std::initializer_list<const char*> words) {
    const std::string message = error_of([&] { hw::load(path, one_thread()); });
    for (const char* word : words) EXPECT_TRUE(mentions(message, word));
  };
  refuse("", {"empty"});
  refuse(std::string("a\0b", 3), {"NUL"});
  refuse(folder.path(), {"config.json"});
  refuse(folder.path() + "/none.gguf", {"none.gguf", "No such file"});
  const std::string fifo = folder.path() + "/fifo.gguf", loop = folder.path() + "/loop.gguf", secret = folder.file("secret.gguf", "GGUF");
  ASSERT_EQ(::mkfifo(fifo.c_str(), 0600), 0);
  std::filesystem::create_symlink(loop, loop);
  refuse(fifo, {"fifo.gguf", "FIFO"});
  refuse("/dev/zero", {"/dev/zero", "device"});
  refuse(loop, {"loop.gguf", "symbolic links"});
  if (::geteuid() != 0) {  // root reads everything
    std::filesystem::permissions(secret, std::filesystem::perms::none);
    refuse(secret, {"secret.gguf", "denied"});
  }
}

TEST_F(Api, Rows45To47Text) {
  const hw::Tokenizer& tokenizer = text.tokenizer();
  for (const std::int32_t id : {-1, 64, 2147483647}) {
    const Ids one{id};
    EXPECT_TRUE(mentions(error_of([&] { (void)tokenizer.decode(one); }), std::to_string(id)));
    hw::StreamDecoder stream(tokenizer);
    EXPECT_TRUE(mentions(error_of([&] { stream.push(id); }), std::to_string(id)));
    EXPECT_FALSE(stream.push(47).empty() && stream.finish().empty()) << "usable after the error";
  }
  EXPECT_FALSE(tokenizer.decode(Ids(1000000, 47)).empty());
  EXPECT_EQ(tokenizer.encode("the \xFF\xC3").ids, tokenizer.encode("the \xEF\xBF\xBD\xEF\xBF\xBD").ids) << "what is not UTF-8 is U+FFFD";

  EXPECT_TRUE(mentions(error_of([&] { (void)text.chat(std::vector<hw::ChatMessage>{}); }), "no message"));
  const hw::ChatTemplate strict(
      "{% for m in messages %}{% if m.role == 'user' %}{{ m.content }}{% else %}{{ raise_exception('roles must alternate!') }}"
      "{% endif %}{% endfor %}");
  EXPECT_TRUE(mentions(error_of([&] { strict.render({{"wizard", "hello"}}); }), "roles must alternate!"));
  const hw_test::TempFolder folder;
  for (const char* name : {"config.json", "model.safetensors", "tokenizer.json"}) std::filesystem::copy(kBase + "/" + name, folder.path());
  const hw::TextModel plain = hw::load(folder.path(), one_thread());
  EXPECT_TRUE(mentions(error_of([&] { (void)plain.chat("hello"); }), "chat template"));
}

TEST_F(Api, Row51Views) {
  const hw::Sequence empty{.ids = std::span<const std::int32_t>()};
  EXPECT_TRUE(mentions(error_of([&] { model.forward(empty, out); }), "no tokens"));
  EXPECT_TRUE(mentions(error_of([&] { model.forward(std::span<const hw::Sequence>(), out); }), "no sequence"));
  EXPECT_TRUE(mentions(error_of([&] { (void)out.get("logits", -1); }), "logits"));
}

}  // namespace
