#include "train/metrics/tensorboard_file.h"

#include <unistd.h>

#include <atomic>
#include <bit>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <filesystem>

#include "core/error.h"
#include "core/text.h"
#include "train/metrics/crc32c.h"

namespace m2 {
namespace {

// Little-endian, as both TensorFlow's records and protobuf's fixed fields are.
template <class Unsigned>
std::string fixed(Unsigned value) {
  std::string bytes;
  for (size_t i = 0; i < sizeof(value); ++i) bytes += static_cast<char>(value >> (8 * i) & 0xFF);
  return bytes;
}

// Seven bits a byte, the lowest first; the top bit says that more follow.
std::string varint(uint64_t value) {
  std::string bytes;
  for (; value >= 0x80; value >>= 7) bytes += static_cast<char>(value | 0x80);
  return bytes + static_cast<char>(value);
}

// A field's number and how its value is written.
std::string tag(uint64_t field, uint64_t wire_type) {
  return varint(field << 3 | wire_type);
}

std::string varint_field(uint64_t field, uint64_t value) {
  return tag(field, 0) + varint(value);
}

std::string double_field(uint64_t field, double value) {
  return tag(field, 1) + fixed(std::bit_cast<uint64_t>(value));
}

std::string float_field(uint64_t field, float value) {
  return tag(field, 5) + fixed(std::bit_cast<uint32_t>(value));
}

std::string bytes_field(uint64_t field, std::string_view bytes) {
  return tag(field, 2) + varint(bytes.size()) + std::string(bytes);
}

// Field numbers of Event, Summary.Value and SessionLog.
constexpr uint64_t kWallTime = 1, kStep = 2, kFileVersion = 3, kSummary = 5, kSessionLog = 7;
constexpr uint64_t kSummaryValue = 1, kTag = 1, kSimpleValue = 2;
constexpr uint64_t kSessionStatus = 1, kSessionStart = 1;

std::string event(double seconds, int64_t step, std::string_view what) {
  const std::string number = step == 0 ? "" : varint_field(kStep, static_cast<uint64_t>(step));
  return concat(double_field(kWallTime, seconds), number, what);
}

uint32_t crc_of(std::string_view bytes) {
  return masked_crc(crc32c(std::as_bytes(std::span(bytes))));
}

std::string file_name(double seconds) {
  static std::atomic<unsigned> count{0};
  return concat("events.out.tfevents.", static_cast<int64_t>(seconds), ".m2.", getpid(), ".",
                count++);
}

}  // namespace

double seconds_since_1970() {
  return std::chrono::duration<double>(std::chrono::system_clock::now().time_since_epoch()).count();
}

uint32_t masked_crc(uint32_t crc) {
  return std::rotr(crc, 15) + 0xA282EAD8;
}

TensorBoardFile::TensorBoardFile(const std::string& folder, int64_t kept_steps) {
  const double now = seconds_since_1970();
  std::error_code problem;
  std::filesystem::create_directories(folder, problem);
  path_ = (std::filesystem::path(folder) / file_name(now)).string();
  errno = 0;
  file_.open(path_, std::ios::binary | std::ios::trunc);
  if (!file_) fail();
  write_record(event(now, 0, bytes_field(kFileVersion, "brain.Event:2")));
  // The start of a session at a step makes TensorBoard drop what earlier files hold from it on.
  const std::string start = varint_field(kSessionStatus, kSessionStart);
  write_record(event(now, kept_steps + 1, bytes_field(kSessionLog, start)));
  flush();
}

void TensorBoardFile::write(int64_t step, double seconds, std::span<const Metric> metrics) {
  std::string summary;
  for (const Metric& metric : metrics) {
    const std::string value = bytes_field(kTag, metric.name) +
                              float_field(kSimpleValue, static_cast<float>(metric.value));
    summary += bytes_field(kSummaryValue, value);
  }
  write_record(event(seconds, step, bytes_field(kSummary, summary)));
}

void TensorBoardFile::write_record(std::string_view payload) {
  const std::string length = fixed(uint64_t{payload.size()});
  errno = 0;
  file_ << length << fixed(crc_of(length)) << payload << fixed(crc_of(payload));
  if (!file_) fail();
}

void TensorBoardFile::flush() {
  errno = 0;
  if (!file_.flush()) fail();
}

void TensorBoardFile::fail() const {
  const std::string reason = errno != 0 ? std::strerror(errno) : "unknown reason";
  throw failed_error(concat(path_, ": cannot be written: ", reason));
}

}  // namespace m2
