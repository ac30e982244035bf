#include "headwise/flow/fingerprint.hpp"

#include <gtest/gtest.h>

#include <array>
#include <functional>
#include <memory>
#include <set>
#include <string>
#include <vector>

namespace {

template <class... T>
std::uint64_t print_of(const T&... values) {
  hw::Fingerprint out;
  (out.add(values), ...);
  return out.value();
}

enum class Colour : std::uint8_t { red, green };

struct Inner {
  float a = 1;
  std::optional<int> b{};
};

// A field of every sort that configurations have.
struct Outer {
  int number = 1;
  double real = 2;
  bool flag = false;
  Colour colour = Colour::red;
  std::string text{};
  std::optional<float> maybe{};
  Inner inner{};
  std::vector<Inner> list{};
  std::variant<int, Inner> either{};
  std::tuple<int, Inner> both{};
  std::array<int, 2> pair{};
  std::function<int(int)> function{};
  std::shared_ptr<int> pointer{};
  struct Nothing {
  } nothing{};
};

static_assert(hw::detail::field_count<Outer>() == 14);
static_assert(hw::detail::field_count<Inner>() == 2);
static_assert(hw::detail::field_count<Outer::Nothing>() == 0);

TEST(Fields, AreVisitedInOrder) {
  std::vector<double> seen;
  struct Three {
    int a = 1;
    float b = 2;
    double c = 3;
  };
  hw::each_field(Three(), [&](const auto& v) { seen.push_back(static_cast<double>(v)); });
  EXPECT_EQ(seen, (std::vector<double>{1, 2, 3}));
}

TEST(Fingerprint, CountsEveryFieldThatHasAValue) {
  std::set<std::uint64_t> prints{print_of(Outer())};
  const auto changed = [&](auto change) {
    Outer o;
    change(o);
    return prints.insert(print_of(o)).second;
  };
  EXPECT_TRUE(changed([](Outer& o) { o.number = 2; }));
  EXPECT_TRUE(changed([](Outer& o) { o.real = 2.5; }));
  EXPECT_TRUE(changed([](Outer& o) { o.flag = true; }));
  EXPECT_TRUE(changed([](Outer& o) { o.colour = Colour::green; }));
  EXPECT_TRUE(changed([](Outer& o) { o.text = "a"; }));
  EXPECT_TRUE(changed([](Outer& o) { o.maybe = 0.0f; }));
  EXPECT_TRUE(changed([](Outer& o) { o.inner.a = 2; }));
  EXPECT_TRUE(changed([](Outer& o) { o.inner.b = 0; }));
  EXPECT_TRUE(changed([](Outer& o) { o.list.resize(1); }));
  EXPECT_TRUE(changed([](Outer& o) { o.list.resize(2); }));
  EXPECT_TRUE(changed([](Outer& o) { o.list = {Inner(), {.a = 5}}; }));
  EXPECT_TRUE(changed([](Outer& o) { o.either = 7; }));
  EXPECT_TRUE(changed([](Outer& o) { o.either = Inner(); }));
  EXPECT_TRUE(changed([](Outer& o) { std::get<1>(o.both).a = 3; }));
  EXPECT_TRUE(changed([](Outer& o) { o.pair = {0, 1}; }));
  // What no two programs agree on does not count.
  EXPECT_FALSE(changed([](Outer& o) { o.function = [](int i) { return i; }; }));
  EXPECT_FALSE(changed([](Outer& o) { o.pointer = std::make_shared<int>(3); }));
}

TEST(Fingerprint, IsTheSameEverywhere) {
  EXPECT_EQ(hw::Fingerprint().value(), 0xcbf29ce484222325u);
  EXPECT_EQ(print_of(1), 0xaf63bc4c8601b62cu) << "FNV-1a of one word";
  EXPECT_EQ(print_of(1), print_of(std::int64_t{1}));
  EXPECT_EQ(print_of(0.5f), print_of(0.5));
  EXPECT_EQ(print_of("ab"), print_of(std::string("ab")));
  EXPECT_NE(print_of(std::string("ab"), std::string("c")), print_of(std::string("a"), std::string("bc")));
}

class Private {
 public:
  explicit Private(int v) : v_(v) {}
  void fingerprint(hw::Fingerprint& f) const { f.add(v_); }

 private:
  int v_;
};

TEST(Fingerprint, ClassesMayTakePart) { EXPECT_NE(print_of(Private(1)), print_of(Private(2))); }

}  // namespace
