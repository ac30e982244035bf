// Loads one case of the corpus, as a child process of run.py.
//
//     hostile_probe PATH     exit 0: loaded; 3: hw::Error, its message on standard output; 4: another std::exception
//     hostile_probe --idle   prints the address space of this process in kB
//
// Everything runs on a thread with a small stack, so that recursion on input depth shows.

#include <pthread.h>

#include <cstdio>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <string>

#include "headwise/io/gguf_config.hpp"
#include "headwise/io/hf_config.hpp"
#include "headwise/io/open_weights.hpp"
#include "headwise/kernels/ref/dequantise.hpp"

namespace {

// Reads every value of every tensor.
double touch(const hw::WeightSource& source) {
  double sum = 0;
  float values[256];
  for (const hw::RawTensor& tensor : source.tensors()) {
    if (source.find(tensor.name) != &tensor) hw::fail(tensor.name, "the tensor is not found under its own name");
    const hw::BlockSize block = hw::block_size(tensor.type);
    for (std::size_t at = 0; at < tensor.bytes.size(); at += static_cast<std::size_t>(block.bytes)) {
      hw::ref::dequantise_row(tensor.type, tensor.bytes.data() + at, block.elements, values);
      sum += static_cast<double>(values[0]);
    }
  }
  return sum;
}

// Reads every key and every element of every array.
std::size_t touch(const hw::Gguf& gguf) {
  std::size_t sum = 0;
  for (const hw::Gguf::Entry& entry : gguf.metadata()) {
    sum += entry.key.size() + entry.value.describe().size();
    if (!gguf.contains(entry.key)) hw::fail(entry.key, "the key is not found under its own name");
    if (!entry.value.is_array()) continue;
    if (entry.value.type() == hw::GgufType::string)
      for (const std::string_view s : entry.value.strings()) sum += s.size() + (s.empty() ? 0 : static_cast<unsigned char>(s.back()));
    else if (entry.value.type() != hw::GgufType::boolean)
      sum += entry.value.as<std::vector<double>>().size();
  }
  return sum;
}

// Reads every value.
std::size_t touch(const hw::Json& json) { return json.dump().size() + (json == json ? 1 : 0); }

void load(const std::string& path) {
  if (path.ends_with(".gguf")) {
    const hw::Gguf gguf = hw::Gguf::open(path);
    touch(gguf);
    touch(hw::HfConfig(hw::gguf_config(gguf)).json());
  }
  if (std::filesystem::is_directory(path)) {
    touch(hw::read_hf_config(path).json());
    for (const char* name : {"generation_config.json", "tokenizer.json", "tokenizer_config.json"})
      if (const std::string file = path + "/" + name; std::filesystem::exists(file)) touch(hw::Json::read(file));
  }
  touch(*hw::open_weights(path));
  touch(*hw::open_weights(path, hw::MappedFile::Access::copy));
}

struct Task {
  std::string path;
  int exit = 0;
  std::string message;
};

void* run(void* argument) {
  Task& task = *static_cast<Task*>(argument);
  try {
    load(task.path);
  } catch (const hw::Error& e) {
    task.exit = 3;
    task.message = e.what();
  } catch (const std::exception& e) {
    task.exit = 4;
    task.message = e.what();
  }
  return nullptr;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 2) return 2;
  if (argv[1] == std::string("--idle")) {
    std::ifstream status("/proc/self/status");
    for (std::string word; status >> word;)
      if (word == "VmSize:" && status >> word) return std::puts(word.c_str()) < 0;
    return 1;
  }
#if defined(NDEBUG) && !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
  constexpr std::size_t kStack = 256u << 10;
#else
  constexpr std::size_t kStack = 2u << 20;  // debug builds and sanitizers have larger frames
#endif
  Task task{argv[1], 0, {}};
  pthread_attr_t attributes;
  pthread_t thread;
  if (pthread_attr_init(&attributes) != 0 || pthread_attr_setstacksize(&attributes, kStack) != 0 ||
      pthread_create(&thread, &attributes, run, &task) != 0)
    return 1;
  pthread_join(thread, nullptr);
  std::cout << task.message;
  return task.exit;
}
