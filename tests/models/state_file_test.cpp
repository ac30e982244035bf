// A process that is killed while it saves leaves the old file or the new one, never half of one.

#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <thread>

#include "tests/io/files.hpp"
#include "tests/models/toy.hpp"

namespace {

TEST(StateFile, SurvivesSigkillAtAnyMoment) {
  constexpr int kTimes = 200;
  const auto model = toy::hybrid(1);
  hw::StateSet small = model->make_state(), large = model->make_state();
  toy::feed(*model, &small, toy::ids(10));
  toy::feed(*model, &large, toy::ids(600));
  const hw_test::TempFolder folder;
  const std::string path = folder.path() + "/state";
  small.save(path);
  int sizes[2] = {0, 0}, interrupted = 0;
  for (int i = 0; i < kTimes; ++i) {
    const pid_t child = ::fork();
    ASSERT_GE(child, 0);
    if (child == 0) {
      for (;;) {
        large.save(path);
        small.save(path);
      }
    }
    std::this_thread::sleep_for(std::chrono::microseconds(200 + 37 * (i * i % 211)));
    ASSERT_EQ(::kill(child, SIGKILL), 0);
    int status = 0;
    ASSERT_EQ(::waitpid(child, &status, 0), child);
    ASSERT_TRUE(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
    const hw::StateSet loaded = model->load_state(path);  // throws where the file is broken
    ASSERT_TRUE(loaded.size() == 10 || loaded.size() == 600);
    ++sizes[loaded.size() == 600];
    for (const auto& entry : std::filesystem::directory_iterator(folder.path()))
      if (entry.path() != path) {  // what the killed process was writing
        EXPECT_NE(entry.path().string().find("/state.partial-"), std::string::npos);
        std::filesystem::remove(entry.path());
        ++interrupted;
      }
  }
  EXPECT_GT(sizes[0], 0);
  EXPECT_GT(sizes[1], 0);
  EXPECT_GT(interrupted, kTimes / 20) << "the signals came between the writes";
}

}  // namespace
