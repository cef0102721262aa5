// Files for the readers' tests, put together byte by byte so that any part can lie.
#pragma once

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <zlib.h>

#include <cstdint>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "checkpoint/tensor_file.h"
#include "core/error.h"

namespace m2 {

inline std::span<const std::byte> as_span(const std::string& bytes) {
  return std::as_bytes(std::span(bytes));
}

// The value's bytes, little-endian.
template <class T>
std::string raw(T value) {
  std::string bytes(sizeof value, '\0');
  std::memcpy(bytes.data(), &value, sizeof value);
  return bytes;
}

inline std::string floats(size_t count) {
  std::string bytes;
  for (size_t i = 0; i < count; ++i) bytes += raw(static_cast<float>(i));
  return bytes;
}

// A folder of the running test's own, empty at the start and removed at the end.
class TestFolder {
 public:
  TestFolder() {
    const auto* test = testing::UnitTest::GetInstance()->current_test_info();
    path_ = std::filesystem::path(testing::TempDir()) /
            (std::string("m2_") + test->test_suite_name() + "_" + test->name());
    std::filesystem::remove_all(path_);
    std::filesystem::create_directories(path_);
  }
  ~TestFolder() { std::filesystem::remove_all(path_); }
  TestFolder(const TestFolder&) = delete;
  TestFolder& operator=(const TestFolder&) = delete;

  std::string path(const std::string& name = "") const { return (path_ / name).string(); }

  std::string write(const std::string& name, const std::string& content) const {
    std::ofstream(path(name), std::ios::binary) << content;
    return path(name);
  }

 private:
  std::filesystem::path path_;
};

// The line with which `read` refuses: an Error(kInput) without line breaks.
inline std::string refusal(const std::function<void()>& read) {
  try {
    read();
  } catch (const Error& error) {
    const std::string line = error.what();
    EXPECT_EQ(error.kind(), ErrorKind::kInput) << line;
    EXPECT_EQ(line.find('\n'), line.npos) << line;
    return line;
  }
  ADD_FAILURE() << "was not refused";
  return "";
}

// Whether `read` takes the input; if not, it must throw Error(kInput) and nothing else.
inline bool takes(const std::function<void()>& read) {
  try {
    read();
    return true;
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::kInput) << error.what();
    return false;
  }
}

// Reads every byte of every tensor, so that a sanitizer sees a view that lies.
inline void touch_all(const TensorFile& file) {
  for (const std::string& name : file.names()) {
    const TensorView* tensor = file.find(name);
    ASSERT_NE(tensor, nullptr);
    const auto* bytes = static_cast<const volatile char*>(tensor->data);
    for (size_t i = 0; i < tensor->bytes(); ++i) static_cast<void>(bytes[i]);
  }
}

inline std::string bytes_of(const TensorView* tensor) {
  if (tensor == nullptr) return "no such tensor";
  return {static_cast<const char*>(tensor->data), tensor->bytes()};
}

// Every way to change one bit of `bytes` below `end`.
inline void for_each_flip(const std::string& bytes, size_t end,
                          const std::function<void(const std::string&)>& visit) {
  std::string changed = bytes;
  for (size_t bit = 0; bit < 8 * end; ++bit) {
    const char mask = static_cast<char>(1 << (bit % 8));
    changed[bit / 8] = static_cast<char>(changed[bit / 8] ^ mask);
    visit(changed);
    changed[bit / 8] = static_cast<char>(changed[bit / 8] ^ mask);
  }
}

// safetensors

inline std::string safetensors(const std::string& header, const std::string& data) {
  return raw(uint64_t{header.size()}) + header + data;
}

// zip archives

struct ZipMember {
  std::string name;
  std::string content;
  bool deflate = false;
  std::optional<std::string> local_name = std::nullopt;
  std::optional<uint32_t> crc = std::nullopt;
  std::optional<uint32_t> size = std::nullopt;    // as claimed
  std::optional<uint32_t> record = std::nullopt;  // where the directory says the entry lies
  uint16_t flags = 0;
};

std::string deflated(const std::string& content);
std::string make_zip(const std::vector<ZipMember>& members, bool zip64 = false);

// pickles: each function gives the opcodes that push one value

std::string p_text(const std::string& text);
std::string p_integer(int64_t value);
std::string p_tuple(const std::vector<std::string>& items);
std::string p_global(const std::string& module, const std::string& name);
std::string p_call(const std::string& callable, const std::vector<std::string>& arguments);
std::string p_dict(const std::vector<std::pair<std::string, std::string>>& items);
std::string p_ordered_dict(const std::vector<std::pair<std::string, std::string>>& items);

struct TensorPickle {
  std::vector<int64_t> shape;
  std::vector<int64_t> strides;
  int64_t offset = 0;
  std::string storage_class = "FloatStorage";
  std::string key = "0";
  int64_t elements = 6;
};
std::string p_tensor(const TensorPickle& tensor);

// A protocol-2 pickle of the value.
std::string pickle_of(const std::string& value);

// A checkpoint as torch.save writes it, its storage 0 holding `data`.
std::string torch_archive(const std::string& value, const std::string& data = floats(6));

}  // namespace m2
