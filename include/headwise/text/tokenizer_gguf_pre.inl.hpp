#pragma once
// The patterns behind the names of tokenizer.ggml.pre.
#include <algorithm>

#include "headwise/text/tokenizer_gguf.hpp"

namespace hw::text {
namespace detail {

inline constexpr std::string_view kGpt2 = R"('s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+)";
inline constexpr std::string_view kLlama3 =
    R"((?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+)";
inline constexpr std::string_view kQwen2 =
    R"((?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+)";
inline constexpr std::string_view kO200k =
    R"([^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+(?i:'s|'t|'re|'ve|'m|'ll|'d)?|)"
    R"([^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*(?i:'s|'t|'re|'ve|'m|'ll|'d)?|)"
    R"(\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+)";
inline constexpr std::string_view kTekken = R"([^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+|)"
                                            R"([^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*|)"
                                            R"(\p{N}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+)";
inline constexpr std::string_view kDeepseek3 = R"([!"#$%&'()*+,\-./:;<=>?@\[\\\]^_`{|}~][A-Za-z]+|[^\r\n\p{L}\p{P}\p{S}]?[\p{L}\p{M}]+|)"
                                               R"( ?[\p{P}\p{S}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+)";
inline constexpr std::string_view kBailing =
    R"((?i:'s|'d|'m|'t|'ll|'ve|'re)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]|\s+(?!\S)|\s+)";
inline constexpr std::string_view kSeedCoder =
    R"((?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}\r\n]+|\s*[\r\n]+|\s+(?!\S)|\s+)";
inline constexpr std::string_view kBloom = R"( ?[^(\s|.,!?…。，、।۔،)]+)";
inline constexpr std::string_view kSigns = R"([\p{P}$+<=>^~|]+)", kSignsAndTick = R"([\p{P}$+<=>^~|`]+)";
inline constexpr std::string_view kNumber = R"(\p{N})", kNumbers = R"(\p{N}+)", kUpToThree = R"(\p{N}{1,3})",
                                  kThreeDigits = "[0-9][0-9][0-9]";
inline constexpr std::string_view kLines = R"([\r\n])", kLetters = R"(\s?\p{L}+)", kPunctuation = R"(\s?\p{P}+)";
inline constexpr std::string_view kCjk = "[一-龥\\x{800}-一가-\\x{D7FF}]+", kHanAndKana = "[一-龥\\x{3040}-ゟ゠-ヿ]+";

}  // namespace detail

HEADWISE_INLINE std::optional<GgufPreTokenizer> find_gguf_pre_tokenizer(std::string_view name) {
  using namespace detail;
  const auto is = [&](std::initializer_list<std::string_view> names) { return std::find(names.begin(), names.end(), name) != names.end(); };
  if (is({"", "default"})) return GgufPreTokenizer{{kSigns, kGpt2, kNumbers, kThreeDigits}};
  if (is({"gpt-2", "phi-2", "mpt", "olmo", "jais", "trillion", "exaone4", "jina-es", "jina-de", "jina-v1-en", "jina-v2-es", "jina-v2-de",
          "jina-v2-code", "roberta-bpe", "gigachat", "a.x-4.0", "mellum", "modern-bert", "granite-docling"}))
    return GgufPreTokenizer{{kGpt2}};
  if (is({"starcoder", "refact", "command-r", "smollm", "codeshell", "exaone", "minerva-7b"})) return GgufPreTokenizer{{kNumber, kGpt2}};
  if (is({"llama3", "llama-v3", "llama-bpe", "falcon3", "falcon-h1", "pixtral", "midm-2.0", "lfm2"}))
    return GgufPreTokenizer{{kLlama3}, true, true};
  if (is({"dbrx", "smaug-bpe", "glm4", "chatglm-bpe"})) return GgufPreTokenizer{{kLlama3}};
  if (is({"qwen2", "deepseek-r1-qwen", "megrez"})) return GgufPreTokenizer{{kQwen2}, false, false, true};
  if (is({"stablelm2", "hunyuan"})) return GgufPreTokenizer{{kQwen2}};
  if (is({"gpt-4o", "llama4"})) return GgufPreTokenizer{{kO200k}};
  if (is({"tekken"})) return GgufPreTokenizer{{kTekken}, true, true};
  if (is({"deepseek-coder"})) return GgufPreTokenizer{{kLines, kLetters, kPunctuation, kCjk, kNumber}};
  if (is({"deepseek-v3", "hunyuan-dense", "joyai-llm"})) return GgufPreTokenizer{{kUpToThree, kHanAndKana, kDeepseek3}};
  if (is({"falcon"})) return GgufPreTokenizer{{kSignsAndTick, kGpt2, kThreeDigits}};
  if (is({"poro-chat", "bloom", "gpt3-finnish"})) return GgufPreTokenizer{{kBloom}};
  if (is({"viking"})) return GgufPreTokenizer{{kBloom, kNumber}};
  if (is({"bailingmoe"})) return GgufPreTokenizer{{kBailing}};
  if (is({"seed-coder"})) return GgufPreTokenizer{{kSeedCoder}};
  return std::nullopt;
}

}  // namespace hw::text
