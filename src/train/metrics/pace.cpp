#include "train/metrics/pace.h"

#include <unistd.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdio>

#include "cli/progress.h"
#include "core/error.h"
#include "core/text.h"

namespace m2 {
namespace {

// 70000 as "70,000".
std::string grouped(int64_t value) {
  std::string digits = std::to_string(value);
  for (size_t at = digits.size(); at > 3 && digits[at - 4] != '-';) digits.insert(at -= 3, ",");
  return digits;
}

std::string decimals(const char* format, double value) {
  std::array<char, 64> text{};
  std::snprintf(text.data(), text.size(), format, value);
  return text.data();
}

double ratio(double part, double whole) {
  return whole > 0 ? part / whole : 0;
}

}  // namespace

Pace::Pace(int64_t total_steps, int64_t window)
    : total_steps_(total_steps), window_(static_cast<size_t>(window)) {
  M2_CHECK(window >= 1);
}

void Pace::add(const StepReport& report) {
  reports_.push_back(report);
  if (reports_.size() > window_) reports_.pop_front();
}

template <class Number>
double Pace::sum(Number StepReport::* member) const {
  double total = 0;
  for (const StepReport& report : reports_) total += static_cast<double>(report.*member);
  return total;
}

double Pace::loss() const {
  double total = 0, count = 0;
  for (const StepReport& report : reports_) {
    if (std::isnan(report.loss)) continue;
    total += report.loss;
    ++count;
  }
  return ratio(total, count);
}

double Pace::tokens_per_second() const {
  return ratio(sum(&StepReport::tokens), sum(&StepReport::seconds));
}

double Pace::flops_per_second() const {
  return ratio(sum(&StepReport::flops), sum(&StepReport::seconds));
}

double Pace::wait_share() const {
  return ratio(sum(&StepReport::wait_seconds), sum(&StepReport::seconds));
}

double Pace::seconds_left() const {
  const double seconds = ratio(sum(&StepReport::seconds), static_cast<double>(reports_.size()));
  return seconds * static_cast<double>(std::max(total_steps_ - step(), int64_t{0}));
}

int64_t Pace::step() const {
  return reports_.empty() ? 0 : reports_.back().step;
}

std::string Pace::line() const {
  return concat("step ", grouped(step()), "/", grouped(total_steps_), "  loss ",
                decimals("%.3f", loss()), "  ", grouped(std::llround(tokens_per_second())),
                " tokens/s  waits ", decimals("%.0f", 100 * wait_share()), " %  ",
                duration_text(seconds_left()), " left");
}

ProgressLine::ProgressLine() : terminal_(isatty(STDERR_FILENO) == 1) {}

ProgressLine::~ProgressLine() {
  clear();
}

void ProgressLine::show(const std::string& line) {
  if (!terminal_) return;
  std::fprintf(stderr, "\r%s\x1b[K", line.c_str());
  std::fflush(stderr);
  visible_ = true;
}

void ProgressLine::clear() {
  if (visible_) std::fputs("\r\x1b[K", stderr);
  visible_ = false;
}

}  // namespace m2
