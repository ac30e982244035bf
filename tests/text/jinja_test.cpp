#include "headwise/text/jinja.hpp"

#include <gtest/gtest.h>

#include <thread>
#if defined(__linux__)
#include <pthread.h>
#endif

namespace {

using hw::jinja::Value;

std::string render(std::string_view source, const Value& variables = Value::dict({}), const hw::JinjaLimits& limits = {}) {
  return hw::JinjaTemplate(source).render(variables, limits);
}

std::string error_of(std::string_view source, const Value& variables = Value::dict({}), const hw::JinjaLimits& limits = {}) {
  try {
    return "no error: " + render(source, variables, limits);
  } catch (const hw::Error& e) {
    return e.what();
  }
}

// Probes with the text that Jinja2 rendered, or the error that it raised.
class JinjaGolden : public testing::TestWithParam<const char*> {};

TEST_P(JinjaGolden, RendersAsJinja2Does) {
  const hw::Json golden = hw::Json::read(std::string(HEADWISE_TEST_DATA) + "/" + GetParam() + "/golden.json");
  const Value variables = Value::from_json(golden["context"]);
  std::size_t texts = 0, errors = 0;
  for (const hw::Json& c : golden["cases"].items()) {
    const auto source = c.get<std::string>("template");
    std::string text, error;
    try {
      text = render(source, variables);
    } catch (const hw::Error& e) {
      error = e.what();
    }
    if (c.contains("error")) {
      ++errors;
      EXPECT_FALSE(error.empty()) << source << "\n  gave " << text << "\n  instead of " << c.get<std::string>("error");
      EXPECT_NE(error.find(c.get_or<std::string>("message", "")), std::string::npos) << error;
    } else {
      ++texts;
      EXPECT_EQ(text, c.get<std::string>("expected")) << source << "\n  " << error;
    }
  }
  EXPECT_GT(texts, 60u);
  EXPECT_GT(errors, 5u);
}

INSTANTIATE_TEST_SUITE_P(Text, JinjaGolden, testing::Values("jinja_features", "jinja_probes"),
                         [](const auto& info) { return std::string(info.param); });

TEST(Jinja, MessagesNameTheLineAndWhatIsWrong) {
  EXPECT_EQ(error_of("a\nb\n{{ x.y }}"), "chat template, line 3: 'x' is undefined");
  EXPECT_EQ(error_of("a\n{% if 1 %}\nb"), "chat template, line 2: the block 'if' has no end 'endif'");
  EXPECT_EQ(error_of("{{ 1 +\n\n }}"), "chat template, line 3: expected a value, found the end of the tag, '}}'");
  EXPECT_EQ(error_of("{% frobnicate %}"), "chat template, line 1: unknown tag 'frobnicate', or an end of a block that is not open here");
  EXPECT_EQ(error_of("\n{{ 1 | frobnicate }}"), "chat template, line 2: there is no filter 'frobnicate'");
  EXPECT_EQ(error_of("{{ raise_exception('roles must alternate') }}"), "chat template, line 1: roles must alternate");
  EXPECT_EQ(error_of("{% macro f(a) %}\n{{ a + 1 }}{% endmacro %}\n{{ f('x') }}"),
            "chat template, line 2: the operator + does not take values of types str and int");
  const std::string long_message = error_of("{{ raise_exception('" + std::string(5000, 'x') + "') }}");
  EXPECT_LE(long_message.size(), 500u);
}

TEST(Jinja, IntegersAreCheckedNotWrapped) {
  const char* const kOver = "chat template, line 1: the result of an integer operation needs more than 64 bits";
  EXPECT_EQ(render("{{ 9223372036854775807 - 1 }}|{{ -9223372036854775807 - 1 }}"), "9223372036854775806|-9223372036854775808");
  EXPECT_EQ(error_of("{{ 9223372036854775807 + 1 }}"), kOver);
  EXPECT_EQ(error_of("{{ 9223372036854775807 * 3 }}"), kOver);
  EXPECT_EQ(error_of("{{ (-9223372036854775807 - 1) // -1 }}"), kOver);
  EXPECT_EQ(error_of("{{ -(-9223372036854775807 - 1) }}"), kOver);
  EXPECT_EQ(error_of("{{ 2 ** 63 }}"), kOver);
  EXPECT_EQ(error_of("{{ 1e19 | int }}"), kOver);
  EXPECT_EQ(render("{{ (-9223372036854775807 - 1) % -1 }}|{{ (-2) ** 63 }}|{{ 1 ** 1000000000 }}"), "0|-9223372036854775808|1");
  EXPECT_EQ(error_of("{{ 99999999999999999999 }}"), "chat template, line 1: the integer '99999999999999999999' needs more than 64 bits");
}

TEST(Jinja, LimitsOfStepsBytesAndCalls) {
  hw::JinjaLimits limits;
  limits.steps = 10'000;
  EXPECT_EQ(render("{% for i in range(1000) %}{% endfor %}", Value::dict({}), limits), "");
  EXPECT_NE(error_of("{% for i in range(10000) %}{% endfor %}", Value::dict({}), limits).find("limit of steps"), std::string::npos);
  limits = {};
  limits.bytes = 10'000;
  EXPECT_EQ(render("{{ 'a' * 4900 }}", Value::dict({}), limits).size(), 4900u);
  EXPECT_NE(error_of("{{ 'a' * 9000 }}", Value::dict({}), limits).find("limit of bytes"), std::string::npos);
  limits = {};
  limits.calls = 20;
  const std::string countdown = "{% macro f(n) %}{{ f(n - 1) if n > 0 else 'end' }}{% endmacro %}";
  EXPECT_EQ(render(countdown + "{{ f(19) }}", Value::dict({}), limits), "end");
  EXPECT_NE(error_of(countdown + "{{ f(20) }}", Value::dict({}), limits).find("more than 20 macros"), std::string::npos);
}

// Work that a builtin does at one go is paid for as well.
TEST(Jinja, BuiltinsSpendSteps) {
  const Value text = Value::dict({{"s", std::string(1 << 20, 'a')}, {"m", std::string(1 << 19, 'a') + "b"}});
  hw::JinjaLimits limits;
  limits.steps = 2'000'000;
  for (const char* work :
       {"s.count(m)", "s.find(m)", "m in s", "s == s ~ ''", "s.split(m)|length", "s|replace(m, '')|length", "s.strip('bcd')", "s[5]"})
    EXPECT_NE(error_of(std::string("{% for i in range(99999) %}{% set x = ") + work + " %}{% endfor %}", text, limits).find("limit of"),
              std::string::npos)
        << work;
  // Parts that are shared would make a text of 2^100 characters.
  std::string doubled = "{% set x = [1] %}";
  for (int i = 0; i < 100; ++i) doubled += "{% set x = [x, x] %}";
  EXPECT_NE(error_of(doubled + "{{ x }}").find("limit of"), std::string::npos);
  EXPECT_NE(error_of(doubled + "{{ x | tojson }}").find("limit of"), std::string::npos);
  EXPECT_NE(error_of(doubled + "{% set y = [x] + [] %}{{ y == [x[0:2]] }}").find("limit of"), std::string::npos);
}

TEST(Jinja, ValuesNestOnlySoDeep) {
  const std::string deeper = "{% set ns = namespace(l=[]) %}{% for i in range(100000) %}{% set ns.l = [ns.l] %}{% endfor %}";
  EXPECT_NE(error_of(deeper).find("nest deeper than 128"), std::string::npos);
  Value value;
  for (int i = 0; i < Value::kMaxDepth; ++i) value = Value::list({value});
  EXPECT_EQ(render("{{ x | length }}", Value::dict({{"x", value.items()[0]}})), "1");
  EXPECT_THROW(Value::list({value}), hw::Error);
}

TEST(Jinja, CirclesOfNamespacesAreFreed) {  // AddressSanitizer's leak check looks at this one
  EXPECT_EQ(render("{% set a = namespace() %}{% set b = namespace(a=a) %}{% set a.b = [b, namespace] %}{{ a.b[0].a == a }}"), "True");
  EXPECT_EQ(render("{% set ns = namespace() %}{% for i in [1] %}{% set ns.loop = loop %}{{ loop.changed([ns, loop]) }}{% endfor %}"
                   "{{ ns.loop.changed([ns.loop]) }}"),
            "TrueTrue");
  EXPECT_NE(error_of("{% for i in [1] %}{{ loop.changed(loop) }}{{ 1 + none }}{% endfor %}").find("+"), std::string::npos);
}

TEST(Jinja, NothingOfTheHostIsInReach) {
  for (const char* escape : {"''.__class__", "messages['__class__']", "raise_exception.__globals__", "'' | attr('__class__')"}) {
    const Value variables = Value::dict({{"messages", Value::list({})}});
    EXPECT_EQ(render(std::string("{{ ") + escape + " }}", variables), "") << escape;
  }
  EXPECT_NE(error_of("{{ ''.__class__.__mro__ }}").find("__class__"), std::string::npos);
  EXPECT_NE(error_of("{% include '/etc/passwd' %}").find("include"), std::string::npos);
}

TEST(Jinja, TextOfMessagesIsNotATemplate) {
  EXPECT_EQ(render("{{ x }}", Value::dict({{"x", "{{ 7 * 7 }}{% raise %}{# c #}"}})), "{{ 7 * 7 }}{% raise %}{# c #}");
}

TEST(Jinja, TheTimeIsAParameter) {
  const std::chrono::system_clock::time_point noon{std::chrono::seconds(1721044800 + 43200)};  // 2024-07-15 and 16 somewhere on earth
  const hw::JinjaTemplate now("{{ strftime_now('%d %b %Y|%A|%j|%%|%Q|%-m') }}");
  const std::string text = now.render(Value::dict({}), {}, noon);
  EXPECT_TRUE(text == "16 Jul 2024|Tuesday|198|%|%Q|7" || text == "15 Jul 2024|Monday|197|%|%Q|7") << text;
}

TEST(Jinja, AnInputThatIsNotUtf8GoesThrough) {
  const Value variables = Value::dict({{"x", std::string("a\xFF\xC3z")}});
  EXPECT_EQ(render("{{ x }}|{{ x | length }}|{{ x | upper }}|{{ x[1:3] == x[1] ~ x[2] }}", variables), "a\xFF\xC3z|4|A\xFF\xC3Z|True");
  EXPECT_EQ(render("{{ x | tojson }}", variables), "\"a\xEF\xBF\xBD\xEF\xBF\xBDz\"");
  EXPECT_EQ(error_of("a\xFF"), "chat template: the text is not UTF-8");
}

TEST(Jinja, OneTemplateInSeveralThreads) {
  const hw::JinjaTemplate shared("{% for i in range(200) %}{{ i * n }},{% endfor %}{{ d.a | tojson }}");
  const Value part = Value::dict({{"a", Value::list({1, "x"})}});
  std::vector<std::string> texts(4);
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t)
    threads.emplace_back([&, t] { texts[static_cast<std::size_t>(t)] = shared.render(Value::dict({{"n", t}, {"d", part}})); });
  for (std::thread& thread : threads) thread.join();
  for (int t = 0; t < 4; ++t) EXPECT_EQ(texts[static_cast<std::size_t>(t)], shared.render(Value::dict({{"n", t}, {"d", part}})));
  EXPECT_NE(texts[0], texts[1]);
}

#if defined(__linux__)
// Brackets, blocks, macros and values nest as deep as they may on a stack of 256 KB (four times that under AddressSanitizer, whose frames
// are so much larger).
#if defined(__has_feature)
#if __has_feature(address_sanitizer)
#define HEADWISE_TEST_STACK (1024 * 1024)
#endif
#elif defined(__SANITIZE_ADDRESS__)
#define HEADWISE_TEST_STACK (1024 * 1024)
#endif
#if !defined(HEADWISE_TEST_STACK)
#define HEADWISE_TEST_STACK (256 * 1024)
#endif
TEST(Jinja, ASmallStackIsEnough) {
  static std::string failure;
  const auto body = [](void*) -> void* {
    const auto many = [](std::string_view piece, int count) {
      std::string out;
      for (int i = 0; i < count; ++i) out += piece;
      return out;
    };
    try {
      const auto expect = [](bool holds, const char* what) {
        if (!holds) throw hw::Error(what);
      };
      expect(render("{{ " + many("(", 90) + "1" + many(")", 90) + " }}") == "1", "brackets");
      expect(render(many("{% if 1 %}", 90) + "x" + many("{% endif %}", 90)) == "x", "blocks");
      expect(render("{{ 0" + many("+1", 100000) + " }}") == "100000", "a long sum");
      expect(render("{% macro f(n) %}{% if n > 0 %}{{ f(n - 1) }}{% else %}end{% endif %}{% endmacro %}{{ f(499) }}") == "end", "macros");
      const std::string deep = "{% set ns = namespace(l=1) %}{% for i in range(127) %}{% set ns.l = [ns.l] %}{% endfor %}";
      expect(render(deep + "{{ ns.l | tojson | length }}{{ ns.l | string | length }}{{ ns.l == ns.l }}") == "255255True", "values");
      for (const std::string& bad :
           {"{{ " + many("(", 100000), "{{ " + many("[", 100000), many("{% if 1 %}", 100000), many("{{ ", 350000),
            "{{ 1 " + many("if 1 else 1 ", 50000) + "}}", std::string("{% macro f() %}{{ f() }}{% endmacro %}{{ f() }}")})
        expect(error_of(bad).find("chat template, line 1: ") == 0, "errors");
    } catch (const hw::Error& e) {
      failure = e.what();
    }
    return nullptr;
  };
  pthread_attr_t attributes;
  pthread_attr_init(&attributes);
  ASSERT_EQ(pthread_attr_setstacksize(&attributes, HEADWISE_TEST_STACK), 0);
  pthread_t thread;
  ASSERT_EQ(pthread_create(&thread, &attributes, body, nullptr), 0);
  pthread_join(thread, nullptr);
  pthread_attr_destroy(&attributes);
  EXPECT_EQ(failure, "");
}
#endif

}  // namespace
