#include "headwise/io/mapped_file.hpp"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include "tests/io/files.hpp"

namespace {

using hw::MappedFile;
using hw_test::error_of;
using hw_test::mentions;

TEST(MappedFile, GivesTheBytesOfAFile) {
  const hw_test::TempFolder folder;
  const std::string path = folder.file("a", "hello");
  for (const auto access : {MappedFile::Access::map, MappedFile::Access::copy}) {
    MappedFile file = MappedFile::open(path, access);
    EXPECT_EQ(file.text(), "hello");
    EXPECT_EQ(file.path(), path);
    const std::byte* data = file.bytes().data();
    MappedFile moved = std::move(file);
    EXPECT_EQ(moved.bytes().data(), data);
    EXPECT_TRUE(file.bytes().empty());
    file = std::move(moved);
    EXPECT_EQ(file.text(), "hello");
  }
  EXPECT_TRUE(MappedFile::open(folder.file("empty", "")).bytes().empty());
}

TEST(MappedFile, RefusesWhatIsNoRegularFile) {
  const hw_test::TempFolder folder;
  EXPECT_TRUE(mentions(error_of([&] { MappedFile::open(folder.path()); }), "found a folder"));
  EXPECT_TRUE(mentions(error_of([&] { MappedFile::open("/dev/zero"); }), "'/dev/zero': expected a regular file"));
  const std::string fifo = folder.path() + "/fifo";
  ASSERT_EQ(::mkfifo(fifo.c_str(), 0600), 0);
  EXPECT_TRUE(mentions(error_of([&] { MappedFile::open(fifo); }), "FIFO"));  // and does not wait for a writer
  EXPECT_TRUE(mentions(error_of([&] { MappedFile::open(folder.path() + "/none"); }), "No such file"));
  EXPECT_TRUE(mentions(error_of([] { MappedFile::open(""); }), "the path is empty"));
  EXPECT_TRUE(mentions(error_of([] { MappedFile::open(std::string("a\0b", 3)); }), "NUL"));
  const std::string loop = folder.path() + "/loop";
  std::filesystem::create_symlink(loop, loop);
  EXPECT_TRUE(mentions(error_of([&] { MappedFile::open(loop); }), "loop"));
}

TEST(MappedFile, PagesThatWereGivenBackAreReadAgain) {
  const hw_test::TempFolder folder;
  std::string text(100'000, 'x');
  text[50'000] = 'y';
  const MappedFile file = MappedFile::open(folder.file("a", text));
  EXPECT_EQ(file.text(), text);
  file.advise(10, 90'000, MappedFile::Advice::not_needed);
  file.advise(99'999, 1 << 20, MappedFile::Advice::not_needed);  // cut to the file
  file.advise(1 << 30, 1, MappedFile::Advice::will_need);
  EXPECT_EQ(file.text(), text);
}

TEST(MappedFile, SaysThatItBecameShorter) {
  const hw_test::TempFolder folder;
  const std::string path = folder.file("a", std::string(100'000, 'x'));
  const MappedFile file = MappedFile::open(path), copy = MappedFile::open(path, MappedFile::Access::copy);
  EXPECT_NO_THROW(file.check());
  std::filesystem::resize_file(path, 60'000);
  EXPECT_TRUE(mentions(error_of([&] { file.check(); }), "expected 100000 bytes, found 60000: the file became shorter"));
  EXPECT_NO_THROW(copy.check());
  std::filesystem::resize_file(path, 200'000);
  EXPECT_NO_THROW(file.check());
  std::filesystem::remove(path);  // still there for us
  EXPECT_NO_THROW(file.check());
  EXPECT_EQ(file.text().substr(0, 60'000), std::string(60'000, 'x'));
}

}  // namespace
