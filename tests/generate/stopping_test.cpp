#include "headwise/generate/stopping.hpp"

#include <gtest/gtest.h>

#include <algorithm>

#include "headwise/core/rng.hpp"

namespace {

using hw::StopMatcher;

// What a matcher gives out for a text in pieces of the given lengths.
struct Outcome {
  std::string text;
  bool stopped = false;
  bool operator==(const Outcome&) const = default;
};
Outcome stream(const std::vector<std::string>& stops, std::string_view text, const std::vector<std::size_t>& cuts) {
  StopMatcher matcher(stops);
  Outcome out;
  std::size_t at = 0;
  for (std::size_t i = 0; at < text.size() && !out.stopped; ++i) {
    const std::size_t n = std::min(cuts.empty() ? std::size_t{1} : cuts[i % cuts.size()], text.size() - at);
    const auto piece = matcher.push(text.substr(at, n));
    out.text += piece.text;
    out.stopped = piece.stopped;
    at += n;
  }
  if (!out.stopped) out.text += matcher.finish();
  return out;
}

// The definition: the smallest end of a stop string; of several with this end, the one that begins first.
Outcome plain(const std::vector<std::string>& stops, std::string_view text) {
  std::size_t best_end = std::string_view::npos, best_begin = 0;
  for (const std::string& stop : stops) {
    const std::size_t at = text.find(stop);
    if (at == std::string_view::npos) continue;
    const std::size_t end = at + stop.size();
    if (end < best_end || (end == best_end && at < best_begin)) best_end = end, best_begin = at;
  }
  if (best_end == std::string_view::npos) return {std::string(text), false};
  return {std::string(text.substr(0, best_begin)), true};
}

TEST(StopMatcher, HoldsBackWhatMayBeTheBeginningOfAStopString) {
  StopMatcher matcher({"</s>"});
  EXPECT_EQ(matcher.push("Hi").text, "Hi");
  EXPECT_EQ(matcher.push(" <").text, " ");
  EXPECT_EQ(matcher.push("/").text, "");
  EXPECT_EQ(matcher.push("b> <").text, "</b> ");
  EXPECT_EQ(matcher.push("/s").text, "");
  EXPECT_FALSE(matcher.stopped());
  const auto last = matcher.push(">tail");
  EXPECT_EQ(last.text, "");
  EXPECT_TRUE(last.stopped);
  EXPECT_EQ(matcher.stop_string(), "</s>");
  EXPECT_EQ(matcher.push("more").text, "");
  EXPECT_TRUE(matcher.push("more").stopped);
}

TEST(StopMatcher, GivesTheRestAtTheEnd) {
  StopMatcher matcher({"stop"});
  EXPECT_EQ(matcher.push("a sto").text, "a ");
  EXPECT_EQ(matcher.finish(), "sto");
  EXPECT_EQ(matcher.push("p").text, "p");  // begins again: no "sto" before it
}

TEST(StopMatcher, NoStringsPassEverything) {
  StopMatcher matcher;
  EXPECT_EQ(matcher.push("anything").text, "anything");
  EXPECT_EQ(matcher.push("").text, "");
  EXPECT_EQ(matcher.finish(), "");
}

TEST(StopMatcher, EmptyStringIsAnError) {
  EXPECT_THROW(StopMatcher({"a", ""}), hw::Error);
  try {
    StopMatcher({""});
  } catch (const hw::Error& e) {
    EXPECT_EQ(std::string(e.what()), "stop: expected strings that are not empty, found \"\"");
  }
}

TEST(StopMatcher, OneStringIsThePrefixOfAnother) {
  EXPECT_EQ(stream({"ab", "abc"}, "xabc", {4}), (Outcome{"x", true}));
  EXPECT_EQ(stream({"abc", "b"}, "xabc", {4}), (Outcome{"xa", true}));  // "b" is complete first
  EXPECT_EQ(stream({"bc", "abc", "c"}, "xabc", {1}), (Outcome{"x", true}));
}

TEST(StopMatcher, BytesThatAreNotUtf8) { EXPECT_EQ(stream({"\xFF\x80"}, "a\xFF\xFF\x80z", {2}), (Outcome{"a\xFF", true})); }

TEST(StopMatcher, AMegabyteLongStopString) {
  const std::string stop = std::string(1 << 20, 'a') + "b";
  const std::string text = "a" + stop + "tail";
  EXPECT_EQ(stream({stop}, text, {4096}), (Outcome{"a", true}));
  EXPECT_EQ(stream({stop}, std::string(3 << 20, 'a'), {4096}), (Outcome{std::string(3 << 20, 'a'), false}));
}

TEST(StopMatcher, AgreesWithAPlainSearchHoweverTheTextIsCut) {
  hw::Rng rng(7);
  int stopped = 0;
  for (int round = 0; round < 4000; ++round) {
    const auto word = [&](std::size_t longest) {
      std::string s;
      for (std::size_t n = 1 + rng.below(longest); n > 0; --n) s += static_cast<char>('a' + rng.below(2));
      return s;
    };
    std::vector<std::string> stops;
    for (std::uint64_t n = 1 + rng.below(3); n > 0; --n) stops.push_back(word(5) + (rng.below(2) ? "c" : ""));
    std::string text = word(30);
    if (rng.below(2)) text += "c" + word(10);
    std::vector<std::size_t> cuts;
    for (int i = 0; i < 3; ++i) cuts.push_back(1 + rng.below(6));
    const Outcome expected = plain(stops, text);
    stopped += expected.stopped;
    ASSERT_EQ(stream(stops, text, cuts), expected) << text;
    ASSERT_EQ(stream(stops, text, {text.size()}), expected) << text;
  }
  EXPECT_GT(stopped, 1000);
  EXPECT_LT(stopped, 3900);
}

}  // namespace
