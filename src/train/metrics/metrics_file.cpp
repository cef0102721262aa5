#include "train/metrics/metrics_file.h"

#include <array>
#include <cerrno>
#include <charconv>
#include <cmath>
#include <cstring>
#include <nlohmann/json.hpp>
#include <optional>

#include "checkpoint/json.h"
#include "checkpoint/new_file.h"
#include "core/error.h"
#include "core/text.h"

namespace m2 {
namespace {

constexpr size_t kLongestLine = size_t{1} << 20;

// The step of a whole line, or nothing.
std::optional<int64_t> step_of(const std::string& line) {
  if (line.size() > kLongestLine) return std::nullopt;
  try {
    const nlohmann::json json = parse_json(line, "");
    const auto step = json.is_object() ? json.find("step") : json.end();
    if (step == json.end() || !step->is_number_integer()) return std::nullopt;
    return step->get<int64_t>();
  } catch (const Error&) {
    return std::nullopt;
  }
}

// Writes the file anew with its whole lines up to that step.
void cut_behind(const std::string& path, int64_t kept_steps) {
  std::ifstream old(path, std::ios::binary);
  if (!old) return;
  NewFile kept(path);
  std::string line;
  // A last line without its end was being written when the run stopped: getline meets the file's.
  while (std::getline(old, line) && !old.eof()) {
    const std::optional<int64_t> step = step_of(line);
    if (!step || *step > kept_steps) continue;
    line += '\n';
    kept.write(std::as_bytes(std::span(line)));
  }
  if (old.bad()) {
    throw failed_error(concat(path, ": cannot be read: ", std::strerror(errno)));
  }
  kept.commit();
}

}  // namespace

std::string metric_text(double value) {
  if (!std::isfinite(value)) return "null";
  std::array<char, 32> text{};
  const auto [end, problem] = std::to_chars(text.data(), text.data() + text.size(), value);
  M2_CHECK(problem == std::errc());
  return std::string(text.data(), end);
}

MetricsFile::MetricsFile(std::string path, int64_t kept_steps)
    : path_(std::move(path)), step_(kept_steps) {
  if (kept_steps > 0) cut_behind(path_, kept_steps);
  errno = 0;
  const auto mode = kept_steps > 0 ? std::ios::app : std::ios::trunc;
  file_.open(path_, std::ios::binary | std::ios::out | mode);
  if (!file_) fail();
}

void MetricsFile::write(int64_t step, std::span<const Metric> metrics) {
  M2_CHECK(step >= step_);
  step_ = step;
  std::string line = concat("{\"step\":", step);
  for (const Metric& metric : metrics) {
    line += concat(",", nlohmann::json(metric.name).dump(), ":", metric_text(metric.value));
  }
  errno = 0;
  file_ << line << "}\n";
  if (!file_) fail();
}

void MetricsFile::flush() {
  errno = 0;
  if (!file_.flush()) fail();
}

void MetricsFile::fail() const {
  const std::string reason = errno != 0 ? std::strerror(errno) : "unknown reason";
  throw failed_error(concat(path_, ": cannot be written: ", reason));
}

}  // namespace m2
