#include "config/lengthen.h"

#include <algorithm>

#include "core/error.h"
#include "core/text.h"

namespace m2 {
namespace {

// The distance of two times. Where one time is exactly 1, as at the end of a new model's, it
// follows from its place without the others' rounding: a model lengthened twice is then the model
// lengthened once.
double step_of(std::span<const float> time) {
  const auto one = std::find(time.begin(), time.end(), 1.0f);
  const bool single = one != time.end() && std::count(time.begin(), time.end(), 1.0f) == 1;
  const bool from_zero = time.front() == 0.0f;
  if (single && from_zero) return 1.0 / static_cast<double>(one - time.begin());
  const double span = static_cast<double>(time.back()) - static_cast<double>(time.front());
  return span / static_cast<double>(std::max<size_t>(1, time.size() - 1));
}

void continue_time(std::span<const float> stored, std::span<float> out) {
  std::copy(stored.begin(), stored.end(), out.begin());
  const double first = static_cast<double>(stored.front());
  const double step = step_of(stored);
  for (size_t i = stored.size(); i < out.size(); ++i) {
    out[i] = static_cast<float>(first + static_cast<double>(i) * step);
  }
}

// Along the axis that has `inner` elements below it, for each of the `outer` above.
void repeat(std::span<const float> stored, size_t outer, size_t inner, std::span<float> out) {
  const size_t from = stored.size() / outer, to = out.size() / outer;
  M2_CHECK(from % inner == 0 && to % inner == 0);
  for (size_t o = 0; o < outer; ++o) {
    for (size_t i = 0; i < to; ++i) out[o * to + i] = stored[o * from + i % from];
  }
}

}  // namespace

ModelConfig lengthened(const ModelConfig& config, int64_t length) {
  if (length <= config.max_length()) {
    throw usage_error(concat("the model takes texts of ", config.max_length(),
                             " tokens already; a length of ", length, " does not extend it"));
  }
  ModelConfig longer = config;
  if (config.family == Family::kM2Bert) {
    longer.long_conv_l_max = std::max(config.long_conv_l_max, length);
  }
  longer.max_position_embeddings = std::max(config.max_position_embeddings, length);
  try {
    validate(longer);
  } catch (const Error& error) {  // what was asked for is wrong, not the file
    throw usage_error(concat("a length of ", length, " is too large: ", error.what()));
  }
  return longer;
}

void lengthen(const Parameter& longer, int64_t stored_length, std::span<const float> stored,
              FilterTime time, std::span<float> out) {
  M2_CHECK(longer.length_axis >= 0 && out.size() == static_cast<size_t>(longer.elements()));
  size_t outer = 1;
  for (int axis = 0; axis < longer.length_axis; ++axis) {
    outer *= static_cast<size_t>(longer.shape[static_cast<size_t>(axis)]);
  }
  const size_t inner = stored.size() / outer / static_cast<size_t>(stored_length);
  M2_CHECK(stored.size() == outer * static_cast<size_t>(stored_length) * inner);
  M2_CHECK(!stored.empty() && stored.size() < out.size());
  if (longer.initialiser.kind != InitialiserKind::kFilterTime) {
    return repeat(stored, outer, inner, out);
  }
  if (time == FilterTime::kContinued) return continue_time(stored, out);
  for (size_t i = 0; i < out.size(); ++i) {
    out[i] = static_cast<float>(static_cast<double>(i) / static_cast<double>(out.size() - 1));
  }
}

}  // namespace m2
