#include "cli/progress.h"

#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <utility>

namespace m2 {
namespace {

constexpr int kBarCells = 24;

std::string count_text(double value) {
  std::array<char, 32> buffer{};
  std::snprintf(buffer.data(), buffer.size(), "%.0f", value);
  return buffer.data();
}

}  // namespace

Progress::Progress(std::string what, std::string rate_unit)
    : what_(std::move(what)),
      rate_unit_(std::move(rate_unit)),
      start_(std::chrono::steady_clock::now()),
      drawn_(start_),
      terminal_(isatty(STDERR_FILENO) == 1),
      colour_(terminal_ && std::getenv("NO_COLOR") == nullptr) {}

Progress::~Progress() {
  clear();
}

double Progress::seconds() const {
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start_).count();
}

void Progress::clear() {
  if (visible_) std::fputs("\r\x1b[K", stderr);
  visible_ = false;
}

void Progress::update(double done, int64_t units) {
  if (!terminal_) return;
  const auto now = std::chrono::steady_clock::now();
  if (now - drawn_ < std::chrono::milliseconds(100)) return;
  drawn_ = now;
  draw(done, units);
}

void Progress::draw(double done, int64_t units) {
  std::string line = what_ + " ";
  const double spent = seconds();
  if (done >= 0) {
    const double share = std::clamp(done, 0.0, 1.0);
    const int full = static_cast<int>(share * kBarCells);
    if (colour_) line += "\x1b[36m";
    for (int i = 0; i < kBarCells; ++i) line += i < full ? "█" : "░";
    if (colour_) line += "\x1b[0m";
    line += " " + count_text(100 * share) + " %";
  }
  line += "  " + count_text(static_cast<double>(units) / std::max(spent, 1e-3)) + " " + rate_unit_ +
          "/s";
  if (done > 0.01) line += "  " + duration_text(spent * (1 - done) / done) + " left";
  std::fprintf(stderr, "\r%s\x1b[K", line.c_str());
  std::fflush(stderr);
  visible_ = true;
}

std::string duration_text(double seconds) {
  const int64_t whole = std::llround(seconds);
  std::array<char, 32> buffer{};
  if (whole >= 3600) {
    std::snprintf(buffer.data(), buffer.size(), "%d:%02d:%02d", static_cast<int>(whole / 3600),
                  static_cast<int>(whole / 60 % 60), static_cast<int>(whole % 60));
  } else {
    std::snprintf(buffer.data(), buffer.size(), "%d:%02d", static_cast<int>(whole / 60),
                  static_cast<int>(whole % 60));
  }
  return buffer.data();
}

int64_t peak_memory() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  return static_cast<int64_t>(usage.ru_maxrss) * 1024;
}

}  // namespace m2
