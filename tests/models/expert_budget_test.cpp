// LoadOptions::expert_budget: every golden checkpoint with experts, from folders and GGUF files, at budgets down to one expert, has the
// bits that it has with all experts in memory, and keeps every law.

#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <thread>

#include "examples/support/golden_case.hpp"
#include "headwise/families/stock.hpp"
#include "tests/io/files.hpp"
#include "tests/models/allocations.hpp"
#include "tests/models/toy.hpp"

namespace {

using hw::index_t;
const std::string kGolden = HEADWISE_TEST_DATA;

std::unique_ptr<hw::Model> load(const std::string& path, std::optional<index_t> budget, int threads = 2) {
  return hw::stock_zoo().load(path, {.threads = threads, .expert_budget = budget});
}

// What the largest expert takes, as the message about a budget of nothing says.
index_t least(const std::string& path) {
  try {
    load(path, 0);
  } catch (const hw::Error& e) {
    const std::string_view message = e.what(), before = "at least ";
    const std::size_t at = message.find(before);
    if (message.find("expert_budget") != std::string_view::npos && at != std::string_view::npos)
      return std::stoll(std::string(message.substr(at + before.size())));
    ADD_FAILURE() << message;
  }
  return 0;  // no experts
}

struct Checkpoint {
  std::string path, golden_case;
};

std::vector<Checkpoint> checkpoints() {
  std::vector<Checkpoint> all, out;
  for (const auto& entry : std::filesystem::directory_iterator(kGolden + "/models")) all.push_back({entry.path(), entry.path()});
  for (const auto& entry : std::filesystem::directory_iterator(kGolden + "/gguf"))
    all.push_back({entry.path(), kGolden + "/models/" + entry.path().stem().string()});
  for (Checkpoint& c : all)
    if (load(c.path, index_t{1} << 40)->info().experts->size() > 0) out.push_back(std::move(c));
  std::sort(out.begin(), out.end(), [](const Checkpoint& a, const Checkpoint& b) { return a.path < b.path; });
  return out;
}

// Logits of prefill at once and in chunks, of steps, and of two sequences side by side.
std::vector<float> everything(const hw::Model& model) {
  std::vector<float> out;
  std::vector<std::int32_t> ids = toy::ids(17), other = toy::ids(5, 2);
  const auto add = [&](const std::vector<float>& more) { out.insert(out.end(), more.begin(), more.end()); };
  for (const std::size_t chunk : {0, 5, 1}) {
    hw::StateSet state = model.make_state();
    add(toy::feed(model, &state, ids, chunk));
  }
  hw::StateSet a = model.make_state(), b = model.make_state();
  const hw::Sequence both[] = {{.ids = ids, .state = &a, .wanted = hw::Wanted::all},
                               {.ids = other, .state = &b, .wanted = hw::Wanted::all}};
  hw::Output y;
  model.forward(both, y);
  for (const index_t s : {0, 1})
    for (index_t r = 0; r < y.logits(s).rows; ++r) out.insert(out.end(), y.logits(s).row(r), y.logits(s).row(r) + y.logits(s).cols);
  return out;
}

TEST(ExpertBudget, EveryFamilyHasTheSameBits) {
  const std::vector<Checkpoint> all = checkpoints();
  EXPECT_GE(all.size(), 30u);
  for (const Checkpoint& c : all) {
    const index_t total = load(c.path, index_t{1} << 40)->info().experts->statistics().total_bytes;
    const auto whole = load(c.path, {});
    EXPECT_EQ(whole->info().experts, nullptr);
    for (const index_t budget : {total, total / 2, least(c.path)}) {
      const auto some = load(c.path, budget);
      EXPECT_EQ(some->info().fingerprint, whole->info().fingerprint) << c.path;
      if (whole->encoder() == nullptr) {
        EXPECT_EQ(everything(*some), everything(*whole)) << c.path << " " << budget;
        const hw::ExpertStatistics s = some->info().experts->statistics();
        EXPECT_GT(s.misses, 0) << c.path;
        EXPECT_EQ(s.misses, s.loads) << c.path;
        EXPECT_EQ(s.evictions == 0, budget == total) << c.path;
        EXPECT_LE(s.peak_bytes, budget) << c.path;
        EXPECT_NE(some->explain().find(hw::concat(s.misses, " misses")), std::string::npos) << some->explain();
      }
    }
    const golden::Report report = golden::check(golden::Case(c.golden_case), [&](int threads) { return load(c.path, total / 2, threads); });
    for (const std::string& why : report.failures) ADD_FAILURE() << c.path << ": " << why;
    EXPECT_GE(report.compared.size(), 5u) << c.path;
  }
}

TEST(ExpertBudget, TwoThreadsHaveTheirBits) {
  const std::string path = kGolden + "/models/mixtral";
  const auto whole = load(path, {}), some = load(path, least(path));
  const std::vector<float> expected = everything(*whole);
  std::vector<float> got[2];
  std::thread threads[2];
  for (int t = 0; t < 2; ++t)
    threads[t] = std::thread([&, t] {
      for (int i = 0; i < 5; ++i) got[t] = everything(*some);
    });
  for (std::thread& t : threads) t.join();
  EXPECT_EQ(got[0], expected);
  EXPECT_EQ(got[1], expected);
}

TEST(ExpertBudget, NothingIsAllocatedWhereTheChosenAreInMemory) {
  const auto model = load(kGolden + "/models/mixtral", index_t{1} << 40, 1);
  const hw::ExpertStore& experts = *model->info().experts;
  hw::StateSet state = model->make_state();
  state.reserve(60);
  hw::Output out;
  int compared = 0;
  for (const std::int32_t& id : toy::ids(50)) {
    const index_t misses = experts.statistics().misses;
    const long before = allocations::made;
    model->forward({.ids = std::span(&id, 1), .state = &state}, out);
    if (experts.statistics().misses != misses || state.size() < 3) continue;
    EXPECT_EQ(allocations::made, before) << state.size();
    ++compared;
  }
  EXPECT_GT(compared, 20);
}

TEST(ExpertBudget, EveryAllocationOfAStepMayFail) {
  const std::string path = kGolden + "/models/mixtral";
  const auto model = load(path, least(path), 1);
  hw::StateSet state = model->make_state();
  const std::vector<std::int32_t> ids = toy::ids(9), next = toy::ids(3, 2);
  toy::feed(*model, &state, ids);
  hw::StateSet other = state.fork();
  const std::vector<float> expected = toy::feed(*model, &other, next);
  long failures = 0;
  for (bool failed = true; failed;) {
    hw::StateSet copy = state.fork();
    hw::Output out;
    allocations::fail_in = failures;
    try {
      model->forward({.ids = next, .state = &copy, .wanted = hw::Wanted::all}, out);
      failed = false;
    } catch (const std::bad_alloc&) {
    } catch (const hw::Error&) {
    }
    failed = allocations::fail_in.exchange(-1) < 0 || failed;
    EXPECT_LE(model->info().experts->statistics().resident_bytes, model->info().experts->budget());
    if (failed) {
      EXPECT_EQ(toy::feed(*model, &(copy = state.fork()), next), expected) << failures;
    }
    failures += failed;
  }
  EXPECT_GT(failures, 20);
}

TEST(ExpertBudget, AModelWithoutExpertsDoesNotMind) {
  const auto model = load(kGolden + "/models/llama", 0);
  EXPECT_EQ(model->info().experts->size(), 0);
  EXPECT_EQ(everything(*model), everything(*load(kGolden + "/models/llama", {})));
}

// The file's end, with experts, is cut between two steps: an error, and a state that goes on from where it was when the file is whole
// again.
TEST(ExpertBudget, AFileThatBecomesShorterIsAnError) {
  const hw_test::TempFolder folder;
  for (const char* name : {"config.json", "model.safetensors"})
    std::filesystem::copy_file(kGolden + "/models/mixtral/" + name, folder.path() + "/" + name);
  const std::string file = folder.path() + "/model.safetensors", kept = folder.path() + "/kept";
  std::filesystem::copy_file(file, kept);
  const auto model = load(folder.path(), least(folder.path())), whole = load(kGolden + "/models/mixtral", {});
  hw::StateSet state = model->make_state(), other = whole->make_state();
  const std::vector<std::int32_t> ids = toy::ids(9), next = toy::ids(3, 2);
  EXPECT_EQ(toy::feed(*model, &state, ids), toy::feed(*whole, &other, ids));

  std::filesystem::resize_file(file, std::filesystem::file_size(file) / 4 * 3);  // embeddings, which are looked up in the file, are before
  hw::Output out;
  try {
    model->forward({.ids = next, .state = &state}, out);
    ADD_FAILURE() << "no error";
  } catch (const hw::Error& e) {
    EXPECT_NE(std::string(e.what()).find("model.safetensors"), std::string::npos) << e.what();
    EXPECT_NE(std::string(e.what()).find("shorter"), std::string::npos) << e.what();
  }
  EXPECT_EQ(state.size(), 9);
  EXPECT_EQ(model->info().experts->statistics().resident_bytes, 0);

  std::filesystem::copy_file(kept, file, std::filesystem::copy_options::overwrite_existing);
  EXPECT_EQ(toy::feed(*model, &state, next), toy::feed(*whole, &other, next));
}

}  // namespace
