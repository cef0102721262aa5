// The plan of one transform size: a complex FFT of N points as Monarch's order-2 factorisation
// N = N1·N2 (the four-step FFT), for kChannelBlock channels side by side.
//
// A point's index is n = N2·n1 + n2, a frequency's k = k1 + N1·k2. Step 1 transforms each column n2
// over n1, step 2 multiplies by exp(-2πi·n2·k1/N), step 3 transforms each row k1 over n2. No step
// permutes: an axis leaves its frequencies at digit-reversed positions, the inverse starts there.
// A row k1 and the row N1−k1 hold each other's mirror frequencies N−k, which is what separates two
// real signals that share a transform.
//
// An axis' first stage cuts it into pieces, one a residue of the frequency modulo its radix, which
// the other stages take one by one. Its last stage's blocks hold the frequencies f, f + N2/radix,
// …; between a row and its mirror, pieces and blocks mirror each other whole.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

namespace m2 {

// One small transform along an axis, done as decimation-in-frequency stages.
struct FftAxis {
  struct Stage {
    int radix;
    size_t blocks;          // independent pieces of radix·stride points
    size_t stride;          // points between a butterfly's inputs
    const float* twiddles;  // [stride][radix − 1] pairs (re, im) of exp(−2πi·j·q/(radix·stride))
  };
  size_t points = 0;
  std::vector<Stage> stages;
  std::vector<uint32_t> frequency;  // of each position
  std::vector<uint32_t> position;   // of each frequency
  std::vector<float> twiddles;      // all stages' tables
};

struct FftPlan {
  // Two rows whose frequencies mirror each other; equal when a row is its own mirror.
  struct RowPair {
    uint32_t row, mirror;
    const uint32_t* partner;  // [N2] position of the mirror frequency within the other row
  };

  FftPlan() = default;
  FftPlan(const FftPlan&) = delete;  // pairs point into the plan itself
  FftPlan& operator=(const FftPlan&) = delete;

  size_t points = 0;            // N
  FftAxis columns;              // N1 points: 4, 16 or 64, in at least two stages
  FftAxis rows;                 // N2 points
  std::vector<float> twiddles;  // [N2][N1 position] pairs (re, im) of exp(−2πi·n2·k1/N)
  std::vector<RowPair> pairs;   // N1/2 + 1 of them
  std::vector<uint32_t> partners_of_row_zero, partners;
  size_t column_group = 1;  // columns transformed together, divides N2

  // Floats between rows of the work area: a cache line pair more than N2 points, so that a column
  // does not fall into one set of the cache.
  size_t row_stride() const;
  // Floats of scratch that a transform needs.
  size_t workspace_floats() const;
  // Floats of one channel block's pair of spectra: [N1/2 + 1][N2][re 1, im 1, re 2, im 2][16].
  size_t spectrum_floats() const;
};

// The smallest supported transform size of at least `points`: m·2^e for m in 1, 3, 5, 9, 15.
size_t transform_size(size_t points);

// The plan for a size that transform_size() returned. Built once and kept; safe to call from any
// thread.
std::shared_ptr<const FftPlan> fft_plan(size_t points);

}  // namespace m2
