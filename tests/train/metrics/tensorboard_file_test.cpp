#include "train/metrics/tensorboard_file.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <bit>
#include <cmath>
#include <cstring>
#include <map>
#include <sstream>

#include "config/config_files.h"
#include "train/metrics/crc32c.h"

namespace m2 {
namespace {

using testing::ElementsAre;
using testing::Pair;

std::string contents(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  std::ostringstream text;
  text << file.rdbuf();
  return text.str();
}

template <class Number>
Number number_at(const std::string& bytes, size_t at) {
  Number number;
  std::memcpy(&number, bytes.substr(at, sizeof(number)).data(), sizeof(number));
  return number;
}

// TFRecord by its description: the CRC is rotated right by 15 and a constant added.
void expect_crc(const std::string& bytes, uint32_t masked) {
  const uint32_t crc = crc32c(std::as_bytes(std::span(bytes)));
  EXPECT_EQ(masked, static_cast<uint32_t>(((crc >> 15) | (crc << 17)) + 0xa282ead8ul));
}

std::vector<std::string> records(const std::string& bytes) {
  std::vector<std::string> found;
  for (size_t at = 0; at < bytes.size();) {
    if (bytes.size() - at < 16) {
      ADD_FAILURE() << "cut short";
      break;
    }
    const auto length = number_at<uint64_t>(bytes, at);
    expect_crc(bytes.substr(at, 8), number_at<uint32_t>(bytes, at + 8));
    found.push_back(bytes.substr(at + 12, length));
    expect_crc(found.back(), number_at<uint32_t>(bytes, at + 12 + length));
    at += 16 + length;
  }
  return found;
}

// A protobuf message as field number to value: raw bytes, numbers as written.
using Message = std::multimap<uint64_t, std::string>;

uint64_t read_varint(const std::string& bytes, size_t& at) {
  uint64_t value = 0;
  for (int shift = 0;; shift += 7) {
    const auto byte = static_cast<unsigned char>(bytes.at(at++));
    value |= uint64_t{byte & 0x7Fu} << shift;
    if (byte < 0x80) return value;
  }
}

Message parse(const std::string& bytes) {
  Message message;
  for (size_t at = 0; at < bytes.size();) {
    const uint64_t tag = read_varint(bytes, at);
    size_t size = 0;
    if (tag % 8 == 0) {
      message.emplace(tag / 8, std::to_string(read_varint(bytes, at)));
      continue;
    }
    if (tag % 8 == 1) size = 8;
    if (tag % 8 == 2) size = read_varint(bytes, at);
    if (tag % 8 == 5) size = 4;
    message.emplace(tag / 8, bytes.substr(at, size));
    at += size;
  }
  return message;
}

std::string field(const Message& message, uint64_t number) {
  return message.count(number) == 1 ? message.find(number)->second : "";
}

// Tag and value of each scalar of an event.
std::vector<std::pair<std::string, float>> scalars(const Message& event) {
  std::vector<std::pair<std::string, float>> found;
  const Message summary = parse(field(event, 5));
  for (auto [at, end] = summary.equal_range(1); at != end; ++at) {
    const Message value = parse(at->second);
    found.emplace_back(field(value, 1), number_at<float>(field(value, 2), 0));
  }
  return found;
}

// How every file that TensorFlow has written begins: a record of 24 bytes, the CRC of that, and
// the tag of the time.
TEST(TensorBoardFile, BeginsAsTensorFlowsDo) {
  const TestFolder folder;
  const TensorBoardFile file(folder.path(), 0);
  const std::string bytes = contents(file.path());
  EXPECT_EQ(bytes.substr(0, 13), std::string("\x18\0\0\0\0\0\0\0\xa3\x7f\x4b\x22\x09", 13));
  EXPECT_THAT(bytes, testing::HasSubstr("\x1a\x0d"
                                        "brain.Event:2"));
}

TEST(TensorBoardFile, HoldsScalars) {
  const TestFolder folder;
  TensorBoardFile file(folder.path() + "/made", 0);
  file.write(1, 1700000000.25, std::vector<Metric>{{"loss", 10.5}, {"learning_rate", 8e-4}});
  file.write(300, 1700000001, std::vector<Metric>{{"loss", std::nan("")}});
  file.flush();
  const auto found = records(contents(file.path()));
  ASSERT_EQ(found.size(), 4u);
  const Message first = parse(found[2]), second = parse(found[3]);
  EXPECT_EQ(number_at<double>(field(first, 1), 0), 1700000000.25);
  EXPECT_EQ(field(first, 2), "1");
  EXPECT_THAT(scalars(first), ElementsAre(Pair("loss", 10.5f), Pair("learning_rate", 8e-4f)));
  EXPECT_EQ(field(second, 2), "300");  // two bytes of varint
  EXPECT_TRUE(std::isnan(scalars(second).at(0).second));
}

TEST(TensorBoardFile, AResumedRunDropsWhatComesAgain) {
  const TestFolder folder;
  const TensorBoardFile before(folder.path(), 0), after(folder.path(), 20);
  EXPECT_NE(before.path(), after.path());
  const auto found = records(contents(after.path()));
  ASSERT_EQ(found.size(), 2u);
  const Message start = parse(found[1]);
  EXPECT_EQ(field(start, 2), "21");
  EXPECT_EQ(field(parse(field(start, 7)), 1), "1");
  // One that begins again, nothing having been saved, does so too.
  EXPECT_EQ(field(parse(records(contents(before.path())).at(1)), 2), "1");
}

TEST(TensorBoardFile, AFolderThatCannotBe) {
  const TestFolder folder;
  const std::string taken = folder.write("taken", "");
  expect_error(ErrorKind::kFailed, "cannot be written: Not a directory",
               [&] { TensorBoardFile(taken, 0); });
}

}  // namespace
}  // namespace m2
