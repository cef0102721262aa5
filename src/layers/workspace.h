// Scratch memory of a forward pass: allocated at the first text of its size, kept for the next.
#pragma once

#include <array>
#include <cstddef>
#include <vector>

#include "core/aligned_buffer.h"
#include "layers/phase_times.h"
#include "ops/operand.h"
#include "ops/row_tiles.h"

namespace m2 {

// What one worker needs for a group of tiles or one channel block at a time.
struct WorkerScratch {
  AlignedBuffer<float> input, hidden, output;  // groups of row tiles
  std::array<OperandBuffer, kGroupTiles> operands, gated_operands;
  AlignedBuffer<float> panel, gate;  // a tile's outputs of one panel
  AlignedBuffer<float> gated;        // what goes into a block of the MLP's second half
  AlignedBuffer<float> transform;    // of the long convolution
  AlignedBuffer<float> scores;       // of attention
  PhaseClock clock;
};

// What all of them have spent.
inline PhaseSeconds phase_seconds(const std::vector<WorkerScratch>& workers) {
  PhaseSeconds sum{};
  for (const WorkerScratch& worker : workers) {
    for (size_t i = 0; i < kPhases; ++i) sum[i] += worker.clock.seconds()[i];
  }
  return sum;
}

struct Workspace {
  std::vector<WorkerScratch> workers;
  // x1, x2 and v of a layer, or q, k and v; the place of the first takes the mixer's result.
  Activations projections;
  AlignedBuffer<float> key_bias;  // of attention, a float a padded row
};

// The buffer with room for `count` floats.
inline float* room(AlignedBuffer<float>& buffer, size_t count) {
  if (buffer.size() < count) buffer.resize(count);
  return buffer.data();
}

}  // namespace m2
