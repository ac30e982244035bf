// Loads one case of the corpus and uses it, as a child process of run.py.
//
//     hostile_probe KIND PATH     KIND as in the manifest; the request is JSON on standard input: {"ids": [...], "probe": {...}}
//     hostile_probe --families    prints the model types that it knows, one a line
//     hostile_probe --idle        prints the address space of this process in kB
//
// Exit 0: all went well; one line of JSON: "logits" of every row of `ids` (non-finite ones as "nan", "inf", "-inf"), "ids" of each text that
// the probe encodes, "text" that its messages are rendered to, or its ids detokenized, and whether a grammar "accepts" the strings of the probe.
// 3: hw::Error, as {"error": message}. 4: any other exception, or a law of this file broken; the same, and always a finding.
//
// Everything runs on a thread with a small stack, so that recursion on input depth shows.

#include <malloc.h>
#include <pthread.h>

#include <cmath>
#include <cstdio>
#include <cstring>
#include <fstream>
#include <iostream>
#include <iterator>
#include <string>

#include "headwise/auto.hpp"
#include "headwise/io/gguf.hpp"
#include "headwise/io/open_weights.hpp"
#include "headwise/kernels/ref/dequantise.hpp"
#include "headwise/text/grammar.hpp"

namespace {

using Access = hw::MappedFile::Access;

// Two ways to the same thing gave different things.
[[noreturn]] void broken(const std::string& law) { throw std::logic_error(law); }

// Reads every key and every element of every array of a GGUF, whoever needs them.
void touch(const hw::Gguf& gguf) {
  for (const hw::Gguf::Entry& entry : gguf.metadata()) {
    std::size_t read = entry.key.size() + entry.value.describe().size();
    if (!gguf.contains(entry.key)) broken("a key is not found under its own name");
    if (!entry.value.is_array()) continue;
    if (entry.value.type() == hw::GgufType::string)
      for (const std::string_view s : entry.value.strings()) read += s.empty() ? 0 : static_cast<unsigned char>(s.back());
    else if (entry.value.type() != hw::GgufType::boolean)
      read += entry.value.as<std::vector<double>>().size();
    if (read == 0) broken("an entry with no name and no value");
  }
}

// Reads every value of every tensor.
void touch(const hw::WeightSource& source) {
  float values[256];
  for (const hw::RawTensor& tensor : source.tensors()) {
    if (source.find(tensor.name) != &tensor) broken("a tensor is not found under its own name");
    const hw::BlockSize block = hw::block_size(tensor.type);
    for (std::size_t at = 0; at < tensor.bytes.size(); at += static_cast<std::size_t>(block.bytes))
      hw::ref::dequantise_row(tensor.type, tensor.bytes.data() + at, block.elements, values);
  }
}

// A text of the probe: a string, or a part of a recipe ({"hex"}, {"text"}, {"repeat", "count"}) for bytes that no JSON string has.
std::string bytes_of(const hw::Json& part) {
  if (part.is_string()) return part.as<std::string>();
  if (const auto text = part.find("text")) return text->as<std::string>();
  std::string out;
  if (const auto hex = part.find("hex")) {
    const auto digits = hex->as<std::string>();
    for (std::size_t i = 0; i + 1 < digits.size(); i += 2) out += static_cast<char>(std::stoi(digits.substr(i, 2), nullptr, 16));
    return out;
  }
  const std::string once = bytes_of(part["repeat"]);
  for (auto n = part.get<std::size_t>("count"); n > 0; --n) out += once;
  return out;
}

std::vector<std::int32_t> encode(const hw::Tokenizer& tokenizer, const std::string& bytes) {
  const hw::Encoding encoding = tokenizer.encode(bytes);
  if (encoding.offsets.size() != encoding.ids.size()) broken("ids and offsets differ in number");
  hw::StreamDecoder stream(tokenizer);
  std::string streamed;
  for (const std::int32_t id : encoding.ids) streamed += stream.push(id);
  if (streamed + stream.finish() != tokenizer.decode(encoding.ids)) broken("the stream and decode differ");
  tokenizer.encode(bytes, {.add_special_tokens = false, .parse_special = false, .offsets = false});
  tokenizer.encode_pair(bytes.substr(0, 1000), "b");
  return encoding.ids;
}

// The logits of all rows, from a state where the model keeps one; or nothing where the model has no logits.
hw::Tensor<float> logits(const hw::Model& model, const std::vector<std::int32_t>& ids, bool stateful) {
  hw::Output out;
  hw::StateSet state;
  if (stateful) state = model.make_state();
  model.forward({.ids = ids, .state = stateful ? &state : nullptr, .wanted = hw::Wanted::all}, out);
  const hw::ConstView rows = out.logits();
  hw::Tensor<float> copy({rows.rows, rows.cols});
  for (hw::index_t i = 0; i < rows.rows; ++i) std::copy_n(rows.row(i), rows.cols, copy.view().row(i));
  return copy;
}

hw::TextModel load(const std::string& path, Access access) {
  hw::LoadOptions options;
  options.threads = 1;
  options.access = access;
  return hw::load(path, options);
}

// What the probe asks of a tokenizer and of a chat template.
struct Texts {
  std::vector<std::vector<std::int32_t>> ids;
  std::string text;
};
Texts use(const hw::Json& probe, const hw::Tokenizer* tokenizer, const hw::ChatTemplate* chat) {
  Texts out;
  if (const auto texts = probe.find("encode")) {
    if (tokenizer == nullptr) hw::fail("tokenizer", "the checkpoint has none");
    for (const hw::Json& text : texts->items()) out.ids.push_back(encode(*tokenizer, bytes_of(text)));
  }
  if (const auto ids = probe.find("detokenize")) {
    if (tokenizer == nullptr) hw::fail("tokenizer", "the checkpoint has none");
    out.text = tokenizer->decode(ids->as<std::vector<std::int32_t>>());
  }
  const auto messages = probe.contains("messages") ? probe.find("messages") : probe.find("chat");
  if (messages) {
    if (chat == nullptr) hw::fail("chat", "the checkpoint has no chat template");
    hw::ChatOptions options;
    options.add_generation_prompt = probe.get_or("add_generation_prompt", true);
    out.text = chat->render(hw::JinjaValue::from_json(*messages), options);
  }
  return out;
}

std::string answer(const hw::Tensor<float>& logits, const Texts& texts, const std::vector<bool>& accepts = {}) {
  hw::JsonBuilder out;
  out.begin_object().key("logits").begin_array();
  const hw::ConstView rows = logits.view();
  for (hw::index_t i = 0; i < rows.rows; ++i) {
    out.begin_array();
    for (hw::index_t j = 0; j < rows.cols; ++j) {
      const float v = rows(i, j);
      if (std::isfinite(v))
        out.real(v);
      else
        out.string(std::isnan(v) ? "nan" : v > 0 ? "inf" : "-inf");
    }
    out.end_array();
  }
  out.end_array().member("ids", texts.ids).member("text", texts.text).key("accepts").begin_array();
  for (const bool accepted : accepts) out.boolean(accepted);
  out.end_array().end_object();
  return out.finish().dump();
}

std::string use_model(const std::string& path, const std::vector<std::int32_t>& ids, const hw::Json& probe) {
  if (path.ends_with(".gguf")) touch(hw::Gguf::open(path));
  const hw::TextModel model = load(path, Access::map);
  touch(*hw::open_weights(path, Access::copy));
  hw::Tensor<float> all;
  if (!ids.empty()) {
    all = logits(model.model(), ids, model.model().info().couples <= hw::Couples::past);
    const hw::Tensor<float> again = logits(load(path, Access::copy).model(), ids, false);
    if (again.size() != all.size() || std::memcmp(again.data(), all.data(), sizeof(float) * static_cast<std::size_t>(all.size())) != 0)
      broken("a mapped file and its copy, with a state and without, give other logits");
  }
  const Texts texts = use(probe, probe.contains("encode") || probe.contains("detokenize") ? &model.tokenizer() : nullptr,
                          model.has_chat_template() ? &model.chat_template() : nullptr);
  if (probe.get_or("forward", false))
    for (const hw::Json& text : probe["encode"].items()) logits(model.model(), model.encode(bytes_of(text)), false);
  return answer(all, texts);
}

std::string run(const std::string& kind, const std::string& path, const hw::Json& request) {
  const hw::Json probe = request.find("probe").value_or(hw::Json::object({}));
  std::vector<std::int32_t> ids;
  if (const auto given = request.find("ids"); given && !given->is_null()) ids = given->as<std::vector<std::int32_t>>();
  if (kind == "sentencepiece") {
    const hw::Tokenizer tokenizer = hw::Tokenizer::load(path);
    return answer({}, use(probe, &tokenizer, nullptr));
  }
  if (kind == "chat_template") {
    const hw::ChatTemplate chat = hw::ChatTemplate::load(path);
    return answer({}, use(probe, nullptr, &chat));
  }
  if (kind == "grammar") {
    std::ifstream file(path, std::ios::binary);
    const std::string text{std::istreambuf_iterator<char>(file), {}};
    const hw::Grammar grammar = path.ends_with(".json") ? hw::Grammar::json_schema(text) : hw::Grammar::gbnf(text);
    std::vector<bool> accepts;
    for (const hw::Json& accepted : probe["accept"].items()) accepts.push_back(grammar.accepts(accepted.as<std::string_view>()));
    return answer({}, {}, accepts);
  }
  for (const char* model : {"base", "gguf", "safetensors", "index", "config", "tokenizer", "tokenizer_config"})
    if (kind == model) return use_model(path, ids, probe);
  broken("there is no kind " + kind);
}

struct Task {
  std::string kind, path, request;
  int exit = 0;
  std::string output;
};

void* run(void* argument) {
  Task& task = *static_cast<Task*>(argument);
  const auto error = [&](int exit, const char* what) {
    task.exit = exit;
    task.output = hw::Json::object({{"error", what}}).dump();
  };
  try {
    task.output = run(task.kind, task.path, hw::Json::parse(task.request.empty() ? "{}" : task.request, "the request"));
  } catch (const hw::Error& e) {
    error(3, e.what());
  } catch (const std::exception& e) {
    error(4, e.what());
  }
  return nullptr;
}

}  // namespace

int main(int argc, char** argv) {
  mallopt(M_ARENA_MAX, 1);  // an arena of malloc is 64 MB of address space, which the runner limits
  const std::string first = argc > 1 ? argv[1] : "";
  if (argc == 2 && first == "--idle") {
    std::ifstream status("/proc/self/status");
    for (std::string word; status >> word;)
      if (word == "VmSize:" && status >> word) return std::puts(word.c_str()) < 0;
    return 1;
  }
  if (argc == 2 && first == "--families") {
    for (const std::string& name : hw::stock_zoo().known()) std::cout << name << '\n';
    return 0;
  }
  if (argc != 3) return 2;
#if defined(NDEBUG) && !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
  constexpr std::size_t kStack = 256u << 10;
#else
  constexpr std::size_t kStack = 2u << 20;  // debug builds and sanitizers have larger frames
#endif
  Task task{first, argv[2], std::string(std::istreambuf_iterator<char>(std::cin), {}), 0, {}};
  pthread_attr_t attributes;
  pthread_t thread;
  if (pthread_attr_init(&attributes) != 0 || pthread_attr_setstacksize(&attributes, kStack) != 0 ||
      pthread_create(&thread, &attributes, run, &task) != 0)
    return 1;
  pthread_join(thread, nullptr);
  std::cout << task.output << '\n';
  return task.exit;
}
