// The program's operator new, counted; and each allocation of a call made to fail, one after the other: bad_alloc or hw::Error comes out,
// nothing leaks, and everything is as before the call.

#include "tests/models/allocations.hpp"

#include <gtest/gtest.h>

#include <cstdlib>
#include <iostream>
#include <new>

#include "headwise/auto.hpp"
#include "tests/models/toy.hpp"

#if defined(__GNUC__) && !defined(__clang__)
#pragma GCC diagnostic ignored "-Wmismatched-new-delete"  // both sides are replaced here, by malloc and free
#endif

namespace {

void* allocate(std::size_t n, std::size_t align) {
  if (allocations::fail_in.load(std::memory_order_relaxed) >= 0 && allocations::fail_in.fetch_sub(1) == 0) throw std::bad_alloc();
  void* p = std::aligned_alloc(align, (n + align - 1) / align * align);
  if (p == nullptr) throw std::bad_alloc();
  allocations::made.fetch_add(1, std::memory_order_relaxed);
  allocations::live.fetch_add(1, std::memory_order_relaxed);
  return p;
}
void release(void* p) noexcept {
  if (p != nullptr) allocations::live.fetch_sub(1, std::memory_order_relaxed);
  std::free(p);
}

}  // namespace

void* operator new(std::size_t n) { return allocate(n, alignof(std::max_align_t)); }
void* operator new(std::size_t n, std::align_val_t a) { return allocate(n, static_cast<std::size_t>(a)); }
void* operator new(std::size_t n, const std::nothrow_t&) noexcept {  // a sanitizer's own would not go with our delete
  try {
    return operator new(n);
  } catch (const std::bad_alloc&) {
    return nullptr;
  }
}
void operator delete(void* p) noexcept { release(p); }
void operator delete(void* p, std::size_t) noexcept { release(p); }
void operator delete(void* p, std::align_val_t) noexcept { release(p); }
void operator delete(void* p, std::size_t, std::align_val_t) noexcept { release(p); }

namespace {

using hw::index_t;
using hw::StateSet;

// Fails the first allocation of `call`, then the second, ... until it needs no more. `after` looks at what is left of a failure.
template <class Call, class After>
long sweep(Call call, After after) {
  long coped = 0;
  for (long n = 0;; ++n) {
    const long live = allocations::live;
    allocations::fail_in = n;
    bool failed = false;
    try {
      call();
    } catch (const std::bad_alloc&) {
      failed = true;
    } catch (const hw::Error&) {
      failed = true;
    }
    const bool reached = allocations::fail_in.exchange(-1) < 0;
    if (failed) {
      EXPECT_EQ(allocations::live, live) << "leaked where allocation " << n << " failed";
    }
    if (!reached || testing::Test::HasFailure()) {
      EXPECT_FALSE(failed);
      EXPECT_LE(coped, n / 20) << "failures that nobody was told of";
      return n;
    }
    coped += !failed;  // std::stable_sort does without its buffer
    after();
  }
}

const std::string kHostile = std::string(HEADWISE_SOURCE_DIR) + "/tests/hostile/";

hw::TextModel load(const std::string& path) {
  hw::LoadOptions options;
  options.threads = 1;
  return hw::load(path, options);
}

TEST(Allocations, EveryOneOfLoadMayFail) {
  for (const char* path : {"gguf/base-q8.gguf", "base/hf"}) {
    load(kHostile + path);  // what a library keeps for good (locales, the CPU's target) is there now
    const long points = sweep([&] { load(kHostile + path); }, [] {});
    std::cout << points << " allocations of " << path << "\n";
    EXPECT_GT(points, 200) << path;
  }
}

class AllocationsOfStates : public testing::TestWithParam<bool> {
 protected:
  void SetUp() override {
    toy::feed(*model, &state, toy::ids(70));
    StateSet undisturbed = state.fork();
    expected = toy::feed(*model, &undisturbed, next);
  }
  // A state goes on from where it was.
  void as_before(StateSet& s) {
    ASSERT_EQ(s.size(), 70);
    const auto got = toy::feed(*model, &s, next);
    ASSERT_EQ(got, expected);
    model->rewind(s, 70);
  }
  const std::unique_ptr<hw::Model> model = toy::hybrid(1, GetParam());
  const std::vector<std::int32_t> next = toy::ids(6, 2);
  StateSet state = model->make_state();
  std::vector<float> expected;
};
INSTANTIATE_TEST_SUITE_P(Toy, AllocationsOfStates, testing::Bool(), [](const auto& info) { return info.param ? "hybrid" : "attention"; });

TEST_P(AllocationsOfStates, EveryOneOfReserveMayFail) {
  StateSet forked = state.fork();
  EXPECT_GT(sweep(
                [&] {
                  StateSet s = state.fork();
                  s.reserve(500);
                },
                [&] { as_before(state); }),
            5);
  // The same state again and again: what a failed call has reserved already stays, and changes nothing.
  for (long n = 0; n < 20; ++n) {
    allocations::fail_in = n;
    try {
      forked.reserve(700);
    } catch (const std::bad_alloc&) {
    }
    allocations::fail_in = -1;
    as_before(forked);
  }
}

TEST_P(AllocationsOfStates, EveryOneOfForwardMayFail) {
  StateSet s = state.fork();
  EXPECT_GT(sweep(
                [&] {
                  hw::Output out;
                  const auto cold = toy::hybrid(1, GetParam());  // arenas are not warm yet
                  cold->forward({.ids = next, .state = &s, .wanted = hw::Wanted::all}, out);
                  cold->rewind(s, 70);
                },
                [&] {
                  if (s.size() != 70) model->rewind(s, 70);
                  as_before(s);
                }),
            20);
}

TEST_P(AllocationsOfStates, EveryOneOfGenerateAndSaveMayFail) {
  EXPECT_GT(sweep(
                [&] {
                  StateSet s = state.fork();
                  hw::generate(*model, s, next, {.sampling = {.temperature = 1, .top_k = 5}, .max_new_tokens = 4});
                },
                [&] { as_before(state); }),
            5);
  EXPECT_GT(sweep([&] { model->load_state(state.save()); }, [&] { as_before(state); }), 5);
}

}  // namespace
