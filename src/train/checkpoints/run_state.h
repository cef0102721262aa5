// What a checkpoint knows beside weights and moments.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace m2::train {

// What the bits of a result depend on, beside configuration and data. A resume that meets others
// goes on, and says so.
struct Surroundings {
  std::string version;    // of this program
  std::string build;      // SHA-256 of the program and its operators
  std::string libtorch;   // version
  std::string processor;  // its name
  std::string isa;        // of the kernels
  int64_t threads = 0;

  bool operator==(const Surroundings&) const = default;
};

// What differs between the two, "threads 2 instead of 1, …"; empty where nothing does.
std::string describe_difference(const Surroundings& now, const Surroundings& saved);

// What tells one stream's data from another's, wherever they lie.
struct DataIdentity {
  uint64_t samples = 0;
  uint64_t fingerprint = 0;  // Dataset::fingerprint

  bool operator==(const DataIdentity&) const = default;
};

struct RunState {
  int64_t step = 0;         // optimiser steps done: also the place in the data and its order
  int64_t samples = 0;      // met so far
  int64_t tokens = 0;       // likewise, pads not counted
  int64_t micro_batch = 0;  // samples a forward and backward pass
  uint64_t seed = 0;        // of masks, dropout and order, with `step` all their state
  std::optional<double> evaluation_loss;  // where this step was evaluated
  std::vector<double> recent_losses;      // of the last steps, for the watch on divergence
  std::optional<double> lowest_loss;      // lowest mean over so many steps
  std::vector<DataIdentity> data;         // of the streams trained on
  Surroundings surroundings;
  std::string configuration;  // YAML, as --dump-config writes it
};

// state.json. Reading throws Error(kInput) that names the file and what it lacks.
std::string to_json(const RunState& state);
RunState read_run_state(const std::string& path);

}  // namespace m2::train
