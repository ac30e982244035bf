// A saved state. Where the first byte is odd, its head and its checksum are made good, so that what lies behind them is reached.

#include <cstring>
#include <vector>

#include "headwise/flow/serial.hpp"
#include "tests/fuzz/fuzz.hpp"
#include "tests/models/toy.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const auto model = toy::hybrid(1);
  static const std::vector<std::byte> good = model->make_state().save();
  if (size == 0) return 0;
  std::vector<std::byte> bytes(size - 1);
  if (size > 1) std::memcpy(bytes.data(), data + 1, size - 1);
  if (data[0] % 2 == 1 && bytes.size() >= 24) {
    std::copy_n(good.begin(), 16, bytes.begin());  // magic, fingerprint
    const std::uint64_t sum = hw::checksum(std::span(bytes).first(bytes.size() - 8));
    std::memcpy(bytes.data() + bytes.size() - 8, &sum, 8);
  }
  fuzz::lawful([&] {
    hw::StateSet state = model->load_state(bytes);
    hw::StateSet again = model->load_state(state.save());
    if (state.size() < 300 && toy::feed(*model, &state, toy::ids(3)) != toy::feed(*model, &again, toy::ids(3))) {
      // NaNs in the keys differ from themselves; numbers do not.
      const auto a = toy::feed(*model, &state, toy::ids(1)), b = toy::feed(*model, &again, toy::ids(1));
      if (std::memcmp(a.data(), b.data(), a.size() * sizeof(float)) != 0) fuzz::broken("a state saved again is the same state");
    }
    if (state.size() > 0 && state.reach(state.size() - 1) == state.size() - 1) state.truncate(state.size() - 1);
  });
  return 0;
}
