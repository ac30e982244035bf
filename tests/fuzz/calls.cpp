// Sequences of calls on a few states: forward, batches, fork, truncate, rewind, hold, release, reserve, save and load, one byte an act. The
// oracle is a list of ids for each state, run through the model from the beginning without any state: the same bits.

#include <algorithm>
#include <cstring>
#include <optional>
#include <vector>

#include "tests/fuzz/fuzz.hpp"
#include "tests/models/toy.hpp"

namespace {

constexpr std::size_t kStates = 3, kLongest = 90;

struct Sequence {
  hw::StateSet state;
  std::vector<std::int32_t> ids;
  std::vector<hw::index_t> held;
};

class Machine {
 public:
  explicit Machine(const hw::Model& model) : model_(model) {
    for (Sequence& s : all_) s.state = model_.make_state();
  }

  void act(std::uint8_t op, std::uint8_t argument) {
    Sequence& s = all_[op / 16 % kStates];
    Sequence& other = all_[(op / 16 + 1) % kStates];
    const auto size = static_cast<hw::index_t>(s.ids.size());
    const hw::index_t n = size == 0 ? 0 : argument % (size + 1);
    switch (op % 10) {
      case 0: case 1: forward({&s}, argument); break;
      case 2: forward({&s, &other}, argument); break;
      case 3: other = {s.state.fork(), s.ids, {}}; break;
      case 4:
        if (s.state.reach(n) == n) {
          s.state.truncate(n);
          cut(s, n);
        } else if (fuzz::lawful([&] { s.state.truncate(n); })) {
          fuzz::broken("truncate to what is not reached is refused");
        }
        break;
      case 5:
        model_.rewind(s.state, n);
        cut(s, n);
        break;
      case 6:
        s.state.hold();
        if (std::find(s.held.begin(), s.held.end(), size) == s.held.end()) s.held.push_back(size);
        break;
      case 7:
        if (!s.held.empty()) {
          s.state.release(s.held.back());
          s.held.pop_back();
        }
        break;
      case 8:
        s.state = model_.load_state(s.state.save());
        s.held.clear();
        break;
      case 9:
        s.state.reserve(argument);
        if (fuzz::lawful([&] { s.state.truncate(size + 1); })) fuzz::broken("truncate beyond the end is refused");
        break;
    }
    if (s.state.size() != static_cast<hw::index_t>(s.ids.size())) fuzz::broken("the size of a state");
    for (const hw::index_t h : s.held)
      if (s.state.reach(h) != h) fuzz::broken("what is held is reached");
  }

 private:
  static void cut(Sequence& s, hw::index_t n) {
    s.ids.resize(static_cast<std::size_t>(n));
    std::erase_if(s.held, [&](hw::index_t h) { return h > n; });
  }

  void forward(std::vector<Sequence*> batch, std::uint8_t argument) {
    std::vector<std::vector<std::int32_t>> added;
    std::vector<hw::Sequence> step;
    for (Sequence* s : batch) {
      added.push_back(toy::ids(1 + argument % 13, argument));
      if (s->ids.size() + added.back().size() > kLongest) return;
    }
    for (std::size_t i = 0; i < batch.size(); ++i) step.push_back({.ids = added[i], .state = &batch[i]->state});
    model_.forward(step, out_);
    for (std::size_t i = 0; i < batch.size(); ++i) {
      batch[i]->ids.insert(batch[i]->ids.end(), added[i].begin(), added[i].end());
      model_.forward({.ids = batch[i]->ids}, plain_);
      const hw::ConstView a = out_.logits(static_cast<hw::index_t>(i)), b = plain_.logits();
      if (std::memcmp(a.data, b.data, sizeof(float) * static_cast<std::size_t>(b.cols)) != 0) fuzz::broken("the same bits");
    }
  }

  const hw::Model& model_;
  Sequence all_[kStates];
  hw::Output out_, plain_;
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const auto hybrid = toy::hybrid(1), attention = toy::hybrid(1, false);
  if (size == 0) return 0;
  Machine machine(data[0] % 2 == 0 ? *hybrid : *attention);
  for (std::size_t i = 1; i + 1 < std::min<std::size_t>(size, 81); i += 2) machine.act(data[i], data[i + 1]);
  return 0;
}
