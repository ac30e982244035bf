#include "program.hpp"

#include <unistd.h>

#include <charconv>
#include <csignal>
#include <iostream>
#include <memory>

namespace program {
namespace {
volatile std::sig_atomic_t interrupt = 0;
}

int run(const std::string& name, const std::function<int()>& body) {
  try {
    return body();
  } catch (const std::bad_alloc&) {
    std::cerr << name << ": out of memory\n";
  } catch (const std::exception& e) {
    std::cerr << name << ": " << e.what() << '\n';
  }
  return 1;
}

void catch_interrupt() {
  std::signal(SIGINT, [](int) {
    interrupt = 1;
    std::signal(SIGINT, SIG_DFL);
  });
}

bool interrupted() { return interrupt != 0; }

std::function<void(double)> progress_bar(const std::string& what) {
  if (isatty(STDERR_FILENO) == 0) return {};
  const auto shown = std::make_shared<int>(-1);
  return [what, shown](double share) {
    const int percent = static_cast<int>(share * 100);
    if (percent == *shown) return;
    *shown = percent;
    constexpr int kWidth = 40;
    const int done = percent * kWidth / 100;
    std::cerr << '\r' << what << " [" << std::string(static_cast<std::size_t>(done), '=') << std::string(static_cast<std::size_t>(kWidth - done), ' ') << "] " << percent << '%';
    if (percent >= 100) std::cerr << "\r\x1b[K";
    std::cerr.flush();
  };
}

std::vector<std::int32_t> parse_ids(const std::string& text) {
  std::vector<std::int32_t> ids;
  const char* at = text.data();
  const char* end = at + text.size();
  while (at < end) {
    if (*at == ',' || *at == ' ') {
      ++at;
      continue;
    }
    std::int32_t id = 0;
    const auto [next, error] = std::from_chars(at, end, id);
    if (error != std::errc() || (next < end && *next != ',' && *next != ' ')) hw::fail("--ids", "numbers with commas between them", hw::quoted(text));
    ids.push_back(id);
    at = next;
  }
  return ids;
}

}  // namespace program
