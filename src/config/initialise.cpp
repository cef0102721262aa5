#include <cmath>
#include <numbers>

#include "config/parameters.h"
#include "core/error.h"
#include "core/random.h"

namespace m2 {
namespace {

// Element i of `count` values from `first` to `last`, both included.
double linspace(double first, double last, size_t i, size_t count) {
  if (count < 2) return first;
  return first + (last - first) * (static_cast<double>(i) / static_cast<double>(count - 1));
}

void fill_linspace(double first, double last, std::span<float> out) {
  for (size_t i = 0; i < out.size(); ++i) {
    out[i] = static_cast<float>(linspace(first, last, i, out.size()));
  }
}

void fill_bands(size_t emb_dim, std::span<float> out) {
  const size_t length = out.size() / emb_dim;
  const size_t bands = (emb_dim - 1) / 2;
  for (size_t s = 0; s < length; ++s) {
    const double angle =
        2 * std::numbers::pi * static_cast<double>(s) / static_cast<double>(length);
    float* row = &out[s * emb_dim];
    row[0] = static_cast<float>(linspace(0, 1, s, length));
    for (size_t j = 0; j < bands; ++j) {
      const double phase = -linspace(1e-4, static_cast<double>(bands) - 1, j, bands) * angle;
      row[1 + j] = static_cast<float>(std::cos(phase));
      row[1 + bands + j] = static_cast<float>(std::sin(phase));
    }
  }
}

void fill_constant(float value, std::span<float> out) {
  for (float& element : out) element = value;
}

}  // namespace

void initialise(const Parameter& parameter, const ModelConfig& config, uint64_t seed,
                std::span<float> out) {
  M2_CHECK(out.size() == static_cast<size_t>(parameter.elements()));
  const Initialiser& how = parameter.initialiser;
  Random random(seed, parameter.tied_to.empty() ? parameter.name : parameter.tied_to);
  switch (how.kind) {
    case InitialiserKind::kZeros:
      return fill_constant(0, out);
    case InitialiserKind::kOnes:
      return fill_constant(1, out);
    case InitialiserKind::kConstant:
      return fill_constant(static_cast<float>(how.a), out);
    case InitialiserKind::kNormal:
    case InitialiserKind::kNormalPadRow:
      for (float& element : out) element = static_cast<float>(how.a * random.normal());
      if (how.kind == InitialiserKind::kNormalPadRow) {
        fill_constant(0, out.first(static_cast<size_t>(parameter.shape.back())));
      }
      return;
    case InitialiserKind::kUniform:
      for (float& element : out) element = static_cast<float>(random.uniform(-how.a, how.a));
      return;
    case InitialiserKind::kLinspace:
      return fill_linspace(how.a, how.b, out);
    case InitialiserKind::kFilterTime:
      return fill_linspace(0, 1, out);
    case InitialiserKind::kFilterBands:
      return fill_bands(static_cast<size_t>(config.hyena_emb_dim), out);
  }
}

}  // namespace m2
