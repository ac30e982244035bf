// What the golden files do not show: hostile and odd input, streaming, fallbacks to older files, long texts.

#include "headwise/text/tokenizer.hpp"

#include <gtest/gtest.h>

#include <chrono>
#include <filesystem>
#include <fstream>
#include <thread>

#include "headwise/io/json.hpp"
#include "headwise/text/tokenizer_gguf.hpp"
#include "headwise/text/tokenizer_json.hpp"

namespace hw {
namespace {

using Ids = std::vector<std::int32_t>;

std::string golden_folder(const std::string& name) { return std::string(HEADWISE_TEST_DATA) + "/tokenizers/" + name; }
Tokenizer golden_tokenizer(const std::string& name) { return Tokenizer::load(golden_folder(name)); }

// A folder of its own with some files of a golden tokenizer.
std::string folder_with(const std::string& name, const std::vector<std::string>& files) {
  const std::filesystem::path folder = std::filesystem::path(testing::TempDir()) / ("tokenizer_test_" + name + "_" + files[0]);
  std::filesystem::create_directories(folder);
  for (const std::string& file : files)
    std::filesystem::copy_file(golden_folder(name) + "/" + file, folder / file, std::filesystem::copy_options::overwrite_existing);
  return folder.string();
}

Tokenizer tokenizer_of(std::string_view json) { return Tokenizer(text::read_tokenizer_json(Json::parse(json, "tokenizer.json"))); }

// A word level tokenizer with these steps.
Tokenizer steps(const std::string& normalizer, const std::string& pre_tokenizer, const std::string& decoder = "null") {
  return tokenizer_of(R"({"model": {"type": "WordLevel", "vocab": {"[UNK]": 0, "a": 1, "b": 2, "ab": 3, "aab": 4}, "unk_token": "[UNK]"},
                         "normalizer": )" +
                      normalizer + R"(, "pre_tokenizer": )" + pre_tokenizer + R"(, "decoder": )" + decoder + "}");
}

TEST(Tokenizer, KnowsItsTokens) {
  const Tokenizer tokenizer = golden_tokenizer("bpe_llama3");
  EXPECT_EQ(tokenizer.vocab_size(), 911);
  EXPECT_EQ(tokenizer.id_of("<|begin_of_text|>"), 906);
  EXPECT_EQ(tokenizer.bos_id(), 906);
  EXPECT_EQ(tokenizer.eos_id(), 907);
  EXPECT_EQ(tokenizer.pad_id(), -1);
  EXPECT_EQ(tokenizer.token_of(907), "<|end_of_text|>");
  EXPECT_TRUE(tokenizer.is_special(907));
  EXPECT_FALSE(tokenizer.is_special(5));
  EXPECT_FALSE(tokenizer.id_of("no such token"));
}

TEST(Tokenizer, IdsWithoutATokenAreErrors) {
  const Tokenizer tokenizer = golden_tokenizer("bpe_gpt2");
  for (const std::int32_t id : {-1, 901, 1'000'000}) {
    EXPECT_FALSE(tokenizer.has_token(id));
    try {
      tokenizer.decode(Ids{5, id});
      FAIL() << id;
    } catch (const Error& e) {
      EXPECT_NE(std::string(e.what()).find(std::to_string(id)), std::string::npos) << e.what();
    }
  }
}

TEST(Tokenizer, SpecialTokensCanBeText) {
  const Tokenizer tokenizer = golden_tokenizer("bpe_qwen2");
  EXPECT_EQ(tokenizer.encode("<|im_end|>").ids, Ids{1002});
  const Encoding plain = tokenizer.encode("<|im_end|>", {.parse_special = false});
  EXPECT_GT(plain.ids.size(), 1u);
  EXPECT_EQ(tokenizer.decode(plain.ids), "<|im_end|>");
  EXPECT_EQ(tokenizer.encode("<think>", {.parse_special = false}).ids, Ids{1005});  // added, not special
}

TEST(Tokenizer, OffsetsCanBeLeftOut) {
  const Tokenizer tokenizer = golden_tokenizer("bpe_llama3");
  const Encoding encoding = tokenizer.encode("ab cd", {.offsets = false});
  EXPECT_TRUE(encoding.offsets.empty());
  EXPECT_EQ(encoding.ids, tokenizer.encode("ab cd").ids);
}

TEST(Tokenizer, BytesThatAreNotUtf8AreReplaced) {
  // One U+FFFD for each maximal part, as Unicode's section 3.9 has it.
  const std::vector<std::pair<std::string, std::string>> cases = {{"\xFF", "\uFFFD"},
                                                                  {"a\xC3", "a\uFFFD"},
                                                                  {"\xE2\x82z", "\uFFFDz"},
                                                                  {"\xF0\x9F\x98", "\uFFFD"},
                                                                  {"\xED\xA0\x80", "\uFFFD\uFFFD\uFFFD"},
                                                                  {"\xC0\x80", "\uFFFD\uFFFD"},
                                                                  {"\xF4\x90\x80\x80", "\uFFFD\uFFFD\uFFFD\uFFFD"},
                                                                  {"\xF0\x80\x80\x41",
                                                                   "\uFFFD\uFFFD\uFFFD"
                                                                   "A"}};
  for (const char* name : {"bpe_gpt2", "sp_llama2", "wordpiece_cased", "unigram_nfkc", "spm_unigram_nfkc/tokenizer.model"}) {
    const Tokenizer tokenizer = Tokenizer::load(golden_folder(name));
    for (const auto& [bytes, text] : cases) EXPECT_EQ(tokenizer.encode(bytes).ids, tokenizer.encode(text).ids) << name;
  }
}

TEST(StreamDecoder, HoldsHalfACharacterBack) {
  const Tokenizer tokenizer = golden_tokenizer("bpe_gpt2");
  const Ids ids = tokenizer.encode("é").ids;  // two bytes, two tokens in this vocabulary
  StreamDecoder decoder(tokenizer);
  std::string text;
  for (std::size_t i = 0; i < ids.size(); ++i) text += decoder.push(ids[i]) + "|";
  EXPECT_EQ(text + decoder.finish(), ids.size() == 1 ? "é|" : "|é|");
  EXPECT_EQ(decoder.push(ids[0]) + decoder.finish(), ids.size() == 1 ? "é" : "\uFFFD");  // a new text, cut
  EXPECT_THROW(decoder.push(-1), Error);
}

TEST(StreamDecoder, EqualsDecodeForAnyIds) {
  for (const char* name : {"bpe_gpt2", "bpe_clip", "sp_llama2", "sp_gemma", "wordpiece_uncased", "unigram_t5", "wordlevel", "added_bpe",
                           "spm_bpe_llama/tokenizer.model", "spm_unigram_nfkc/tokenizer.model"}) {
    const Tokenizer tokenizer = Tokenizer::load(golden_folder(name));
    std::uint64_t seed = 1;
    for (int round = 0; round < 200; ++round) {
      Ids ids;
      for (int i = 0; i < round % 20; ++i) {
        seed = seed * 6364136223846793005u + 1442695040888963407u;
        const std::uint64_t range = seed >> 63 ? 300 : static_cast<std::uint64_t>(tokenizer.vocab_size());  // many byte tokens
        const auto id = static_cast<std::int32_t>((seed >> 33) % range);
        if (tokenizer.has_token(id)) ids.push_back(id);
      }
      for (const bool skip : {true, false}) {
        StreamDecoder decoder(tokenizer, skip);
        std::string text;
        for (const std::int32_t id : ids) text += decoder.push(id);
        EXPECT_EQ(text + decoder.finish(), tokenizer.decode(ids, skip)) << name;
      }
    }
  }
}

TEST(Decoder, Steps) {
  const auto decoded = [](const std::string& decoder, const Ids& ids) { return steps("null", "null", decoder).decode(ids); };
  EXPECT_EQ(decoded("null", {1, 2, 3}), "a b ab");
  EXPECT_EQ(decoded(R"({"type": "Fuse"})", {1, 2}), "ab");
  EXPECT_EQ(decoded(R"({"type": "BPEDecoder", "suffix": "b"})", {2, 3, 3}), " a a");
  EXPECT_EQ(decoded(R"({"type": "CTC", "pad_token": "a", "word_delimiter_token": "b", "cleanup": true})", {1, 2, 2, 4, 1, 4}), "   ");
  EXPECT_EQ(
      decoded(R"({"type": "Sequence", "decoders": [{"type": "Fuse"}, {"type": "Strip", "content": "a", "start": 1, "stop": 0}]})", {4, 1}),
      "aba");
  EXPECT_EQ(decoded(R"({"type": "Sequence", "decoders": [{"type": "Fuse"}, {"type": "Strip", "content": "a", "start": 0, "stop": 2}]})",
                    {2, 1, 1, 1}),
            "ba");
  EXPECT_EQ(
      decoded(R"({"type": "Sequence", "decoders": [{"type": "Fuse"}, {"type": "Replace", "pattern": {"String": "ba"}, "content": "x"}]})",
              {2, 1, 2}),
      "xb");
}

TEST(PreTokenizer, Behaviors) {
  const auto pieces = [](const std::string& behavior, const std::string& text, bool invert = false) {
    const Tokenizer tokenizer = steps("null", R"({"type": "Split", "pattern": {"String": "-"}, "behavior": ")" + behavior +
                                                  R"(", "invert": )" + (invert ? "true}" : "false}"));
    std::string out;
    for (const auto& o : tokenizer.encode(text).offsets) out += text.substr(o.begin, o.end - o.begin) + "|";
    return out;
  };
  EXPECT_EQ(pieces("Removed", "the-final--countdown"), "the|final|countdown|");
  EXPECT_EQ(pieces("Isolated", "the-final--countdown"), "the|-|final|-|-|countdown|");
  EXPECT_EQ(pieces("MergedWithPrevious", "the-final--countdown"), "the-|final-|-|countdown|");
  EXPECT_EQ(pieces("MergedWithNext", "the-final--countdown"), "the|-final|-|-countdown|");
  EXPECT_EQ(pieces("Contiguous", "the-final--countdown"), "the|-|final|--|countdown|");
  EXPECT_EQ(pieces("Removed", "the-final--countdown", true), "-|-|-|");
}

TEST(Normalizer, StepsKeepTheOrigin) {
  const auto offsets = [](const std::string& normalizer, const std::string& text) {
    std::string out;
    for (const auto& o : steps(normalizer, R"({"type": "WhitespaceSplit"})").encode(text).offsets)
      out += concat("(", o.begin, ",", o.end, ")");
    return out;
  };
  EXPECT_EQ(offsets("null", "é a"), "(0,1)(2,3)");
  EXPECT_EQ(offsets(R"({"type": "NFD"})", "é a"), "(0,1)(2,3)");
  EXPECT_EQ(offsets(R"({"type": "NFC"})", "e\u0301 a"), "(0,1)(3,4)");
  EXPECT_EQ(offsets(R"({"type": "Strip", "strip_left": true, "strip_right": true})", "\u3000 ab \t"), "(2,4)");
  EXPECT_EQ(offsets(R"({"type": "Lowercase"})", "İx y"), "(0,2)(3,4)");
  EXPECT_EQ(offsets(R"({"type": "Replace", "pattern": {"Regex": "x+"}, "content": " "})", "axxxb"), "(0,1)(4,5)");
  EXPECT_EQ(offsets(R"({"type": "Nmt"})", "a\u200Bb\u0001c"), "(0,1)(2,5)");
}

TEST(Tokenizer, FallsBackToVocabTxt) {
  for (const char* name : {"wordpiece_uncased", "wordpiece_cased"}) {
    const Tokenizer whole = golden_tokenizer(name), old = Tokenizer::load(folder_with(name, {"vocab.txt", "tokenizer_config.json"}));
    const std::string text = "The Café's 東京 [MASK] naïve\u0301 unaffable, don't.";
    EXPECT_EQ(old.encode(text).ids, whole.encode(text).ids);
    EXPECT_EQ(old.encode_pair(text, "b").type_ids, whole.encode_pair(text, "b").type_ids);
    EXPECT_EQ(old.decode(whole.encode(text).ids), whole.decode(whole.encode(text).ids));
  }
}

TEST(Tokenizer, FallsBackToVocabJsonAndMerges) {
  const Tokenizer whole = golden_tokenizer("bpe_gpt2"), old = Tokenizer::load(folder_with("bpe_gpt2", {"vocab.json", "merges.txt"}));
  const std::string text = "Hello world,  it's 42 résumés!\n\n";
  EXPECT_EQ(old.encode(text).ids, whole.encode(text).ids);
  EXPECT_EQ(old.decode(old.encode(text).ids), text);
}

TEST(Tokenizer, FolderWithOnlyASentencePieceModel) {
  const Ids plain = Tokenizer::load(golden_folder("spm_bpe_llama/tokenizer.model")).encode("Hello").ids;
  const std::string folder = folder_with("spm_bpe_llama", {"tokenizer.model"});
  const auto configured = [&](const std::string& config) {
    std::ofstream(folder + "/tokenizer_config.json") << config;
    return Tokenizer::load(folder);
  };
  EXPECT_EQ(configured("{}").encode("Hello").ids, plain);
  Ids with_bos = plain, with_eos = plain;
  with_bos.insert(with_bos.begin(), 1);
  with_eos.push_back(2);
  const Tokenizer llama =
      configured(R"({"tokenizer_class": "LlamaTokenizer", "bos_token": "<s>", "eos_token": "</s>", "unk_token": "<unk>"})");
  EXPECT_EQ(llama.encode("Hello").ids, with_bos);
  EXPECT_EQ(llama.encode("</s>", {.add_special_tokens = false}).ids, Ids{2});
  const Tokenizer t5 = configured(R"({"tokenizer_class": "T5Tokenizer"})");
  EXPECT_EQ(t5.encode("Hello").ids, with_eos);
  EXPECT_EQ(t5.vocab_size(), 1200);
  EXPECT_EQ(t5.id_of("<extra_id_0>"), 1199);
  EXPECT_EQ(t5.decode(t5.encode("Hello <extra_id_0>").ids, false), "Hello <extra_id_0>");
  EXPECT_THROW(configured(R"({"tokenizer_class": "XLMRobertaTokenizer"})"), Error);
}

TEST(Tokenizer, MissingFilesAreNamed) {
  const std::string empty = testing::TempDir() + "/tokenizer_test_empty";
  std::filesystem::create_directories(empty);
  EXPECT_THROW(Tokenizer::load(empty), Error);
  EXPECT_THROW(Tokenizer::load(empty + "/none.gguf"), Error);
  EXPECT_THROW(Tokenizer::load(empty + "/none.json"), Error);
  EXPECT_THROW(Tokenizer::load(""), Error);
}

TEST(Tokenizer, LongWordsAreNotQuadratic) {
  const auto start = std::chrono::steady_clock::now();
  for (const char* name : {"bpe_gpt2", "sp_llama2", "spm_bpe_llama/tokenizer.model", "unigram_t5", "wordpiece_cased", "bpe_clip"}) {
    const Tokenizer tokenizer = Tokenizer::load(golden_folder(name));
    for (const char* unit : {"a", "the", " ", "\n", "\u4F60", "1", "-"}) {
      std::string text;
      while (text.size() < 1'000'000) text += unit;
      const Encoding encoding = tokenizer.encode(text);
      EXPECT_FALSE(encoding.ids.empty());
    }
  }
  EXPECT_LT(std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count(), 300);  // quadratic: hours
}

TEST(Tokenizer, ThreadsShareIt) {
  const Tokenizer tokenizer = golden_tokenizer("bpe_llama3");
  const std::string text = "Several threads, one tokenizer: 12345 naïve cafés.";
  const Ids expected = tokenizer.encode(text).ids;
  std::vector<std::thread> threads;
  std::vector<int> wrong(4);
  for (std::size_t t = 0; t < wrong.size(); ++t)
    threads.emplace_back([&, t] {
      for (int i = 0; i < 200; ++i) wrong[t] += tokenizer.encode(text).ids != expected || tokenizer.decode(expected) != text;
    });
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(wrong, std::vector<int>(4));
}

// The definition of a golden byte-level tokenizer as a GGUF file would have it.
TEST(GgufTokenizer, SamePatternsAsTokenizerJson) {
  const std::vector<std::pair<std::string, std::string_view>> cases = {{"bpe_gpt2", "gpt-2"},
                                                                       {"bpe_llama3", "llama-bpe"},
                                                                       {"bpe_qwen2", "qwen2"},
                                                                       {"bpe_o200k", "gpt-4o"},
                                                                       {"bpe_starcoder", "starcoder"},
                                                                       {"bpe_falcon", "falcon"},
                                                                       {"bpe_deepseek_v3", "deepseek-v3"}};
  for (const auto& [name, pre] : cases) {
    SCOPED_TRACE(name);
    const Json json = Json::read(golden_folder(name) + "/tokenizer.json"), golden = Json::read(golden_folder(name) + "/golden.json");
    text::GgufVocabulary v;
    v.origin = "test.gguf";
    v.model = "gpt2";
    v.pre = pre;
    std::vector<std::string> merges;
    for (const Json& merge : json.at("model").at("merges").items()) {
      const auto pair = merge.as<std::vector<std::string>>();
      merges.push_back(pair[0] + " " + pair[1]);
    }
    v.merges.assign(merges.begin(), merges.end());
    v.tokens.resize(golden.get<std::size_t>("vocab_size"));
    v.types.assign(v.tokens.size(), text::TokenType::normal);
    const Json vocabulary = json.at("model").at("vocab"), added = json.at("added_tokens");
    for (const auto& [token, id] : vocabulary.members()) v.tokens[id.as<std::size_t>()] = token;
    for (const Json& token : added.items()) {
      v.tokens[token.get<std::size_t>("id")] = token.get<std::string_view>("content");
      v.types[token.get<std::size_t>("id")] = token.get<bool>("special") ? text::TokenType::control : text::TokenType::user_defined;
    }
    const Tokenizer tokenizer(text::make_gguf_tokenizer(v));
    for (const Json& c : golden.at("cases").items()) {
      if (!c.contains("text") || c.get<bool>("add_special_tokens")) continue;
      EXPECT_EQ(tokenizer.encode(c.get<std::string>("text"), {.add_special_tokens = false}).ids, c.get<Ids>("ids"))
          << c.get<std::string>("text");
    }
  }
}

}  // namespace
}  // namespace hw
