// A progress bar on stderr, where that is a terminal; silent elsewhere.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>

namespace m2 {

class Progress {
 public:
  // `what` names the work; `rate_unit` what is counted for the rate ("tokens").
  Progress(std::string what, std::string rate_unit);
  ~Progress();
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;

  // Share of the work that is done, 0 to 1, or negative where the whole is not known; units counted
  // so far. Draws at most ten times a second.
  void update(double done, int64_t units);
  // Takes the bar away, so that other lines can be written.
  void clear();

  double seconds() const;

 private:
  void draw(double done, int64_t units);

  std::string what_, rate_unit_;
  std::chrono::steady_clock::time_point start_, drawn_;
  bool terminal_, colour_, visible_ = false;
};

// "3:05" or "1:02:03".
std::string duration_text(double seconds);

// The largest resident memory of this process so far, in bytes.
int64_t peak_memory();

}  // namespace m2
