// Where the time of forward passes goes: seconds by kind of work, summed over workers.
#pragma once

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>

namespace m2 {

enum class Phase : uint8_t {
  kEmbedding,      // table look-ups and their norm
  kGemm,           // matrix products
  kLongConv,       // short filters, gates and long convolutions
  kAttention,      // scores, softmax and weighted values
  kGatesAndNorms,  // GELU, gates, residuals, LayerNorm
  kMoves,          // between channel blocks and row tiles, and between number types
  kSpectra,        // filters and their spectra, where they are not kept
};
inline constexpr size_t kPhases = 7;

// "gemm", "long_conv": names for tables and JSON.
constexpr const char* phase_name(Phase phase) {
  constexpr std::array<const char*, kPhases> kNames = {
      "embedding", "gemm", "long_conv", "attention", "gates_and_norms", "moves", "spectra"};
  return kNames[static_cast<size_t>(phase)];
}

using PhaseSeconds = std::array<double, kPhases>;

// One worker's stopwatch: start() where a piece of work begins, lap() after each part of it.
class PhaseClock {
 public:
  void start() { last_ = Clock::now(); }
  // Books the time since start() or the last lap.
  void lap(Phase phase) {
    const Clock::time_point now = Clock::now();
    seconds_[static_cast<size_t>(phase)] += std::chrono::duration<double>(now - last_).count();
    last_ = now;
  }
  const PhaseSeconds& seconds() const { return seconds_; }

 private:
  using Clock = std::chrono::steady_clock;
  Clock::time_point last_;
  PhaseSeconds seconds_{};
};

}  // namespace m2
