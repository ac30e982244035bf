// Loads one tokenizer of the corpus and uses it, as a child process of run_tokenizers.py.
//
//     tokenizer_probe PATH PROBE [ROWS]   PROBE: JSON with `encode` (texts in hexadecimal), `detokenize` (ids), `chat` (messages)
//     tokenizer_probe --idle                  prints the address space of this process in kB
//
// Exit 0: all worked; a line of ids for every text, then the decoded and the rendered text as JSON, on standard output. 3: hw::Error, its
// message on standard output; 4: another std::exception. A vocabulary of more than ROWS ids counts as the Error that a model would throw.
//
// Everything runs on a thread with a small stack, so that recursion on input depth shows.

#include <pthread.h>

#include <cstdio>
#include <fstream>
#include <iostream>
#include <string>

#include "headwise/io/json.hpp"
#include "headwise/text/chat_template.hpp"
#include "headwise/text/tokenizer.hpp"

namespace {

std::string from_hex(std::string_view hex) {
  const auto digit = [](char c) { return c <= '9' ? c - '0' : c - 'a' + 10; };
  std::string out;
  for (std::size_t i = 0; i + 1 < hex.size(); i += 2) out += static_cast<char>(digit(hex[i]) * 16 + digit(hex[i + 1]));
  return out;
}

std::string use(const std::string& path, const std::string& probe_path, std::int64_t rows) {
  const hw::Json probe = hw::Json::read(probe_path);
  const hw::Tokenizer tokenizer = hw::Tokenizer::load(path);
  if (tokenizer.vocab_size() > rows) hw::fail("model", hw::concat("there are no embeddings for ", tokenizer.vocab_size(), " tokens"));
  std::string out;
  for (const hw::Json& text : probe.at("encode").items()) {
    const std::string bytes = from_hex(text.as<std::string_view>());
    const hw::Encoding encoding = tokenizer.encode(bytes);
    if (encoding.offsets.size() != encoding.ids.size()) hw::fail("probe", "ids and offsets differ in number");
    for (const std::int32_t id : encoding.ids) out += std::to_string(id) + ' ';
    out += '\n';
    hw::StreamDecoder stream(tokenizer);
    std::string streamed;
    for (const std::int32_t id : encoding.ids) streamed += stream.push(id);
    if (streamed + stream.finish() != tokenizer.decode(encoding.ids)) hw::fail("probe", "the stream and decode differ");
    tokenizer.encode(bytes, {.add_special_tokens = false, .parse_special = false, .offsets = false});
    tokenizer.encode_pair(bytes.substr(0, 1000), "b");
  }
  if (const auto ids = probe.find("detokenize")) out += hw::Json(tokenizer.decode(ids->as<std::vector<std::int32_t>>())).dump() + "\n";
  if (const auto chat = probe.find("chat")) {
    hw::ChatOptions options;
    out += hw::Json(hw::ChatTemplate::load(path).render(hw::JinjaValue::from_json(*chat), options)).dump() + "\n";
  }
  return out;
}

struct Task {
  std::string path, probe;
  std::int64_t rows;
  int exit = 0;
  std::string output;
};

void* run(void* argument) {
  Task& task = *static_cast<Task*>(argument);
  try {
    task.output = use(task.path, task.probe, task.rows);
  } catch (const hw::Error& e) {
    task.exit = 3;
    task.output = e.what();
  } catch (const std::exception& e) {
    task.exit = 4;
    task.output = e.what();
  }
  return nullptr;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc == 2 && argv[1] == std::string("--idle")) {
    std::ifstream status("/proc/self/status");
    for (std::string word; status >> word;)
      if (word == "VmSize:" && status >> word) return std::puts(word.c_str()) < 0;
    return 1;
  }
  if (argc < 3) return 2;
#if defined(NDEBUG) && !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
  constexpr std::size_t kStack = 256u << 10;
#else
  constexpr std::size_t kStack = 2u << 20;  // debug builds and sanitizers have larger frames
#endif
  Task task{argv[1], argv[2], argc > 3 ? std::stoll(argv[3]) : INT64_MAX, 0, {}};
  pthread_attr_t attributes;
  pthread_t thread;
  if (pthread_attr_init(&attributes) != 0 || pthread_attr_setstacksize(&attributes, kStack) != 0 ||
      pthread_create(&thread, &attributes, run, &task) != 0)
    return 1;
  pthread_join(thread, nullptr);
  std::cout << task.output;
  return task.exit;
}
