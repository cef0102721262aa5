#include "plot/axis.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <limits>

#include "core/error.h"

namespace m2 {
namespace {

constexpr double kMargin = 0.04;  // of the range, free at both ends
constexpr int kMostTicks = 12;
constexpr double kWantedTicks = 6;

// The round number, 1, 2 or 5 times a power of ten, that cuts `range` into about kWantedTicks.
double round_step(double range) {
  const double rough = range / kWantedTicks;
  const double power = std::pow(10.0, std::floor(std::log10(rough)));
  for (const double factor : {1.0, 2.0, 5.0}) {
    if (rough <= factor * power) return factor * power;
  }
  return 10 * power;
}

std::vector<double> linear_ticks(double low, double high) {
  const double step = round_step(high - low);
  std::vector<double> ticks;
  if (!std::isfinite(step) || step <= 0) return ticks;
  const double first = std::ceil(low / step);
  for (int i = 0; i < kMostTicks; ++i) {
    // A product, not a sum of steps: errors do not add up.
    const double tick = (first + i) * step;
    if (tick > high) break;
    ticks.push_back(tick == 0 ? 0 : tick);  // no "-0"
  }
  return ticks;
}

struct Unit {
  double size;
  const char* suffix;
};

Unit unit_of(double value) {
  for (const Unit& unit : {Unit{1e9, " G"}, Unit{1e6, " M"}}) {
    if (std::abs(value) >= unit.size && std::abs(value) < 1000 * unit.size) return unit;
  }
  return {1, ""};
}

std::string with_commas(std::string digits) {
  const size_t first = digits.starts_with('-') ? 1 : 0;
  for (size_t at = digits.size(); at > first + 3;) {
    at -= 3;
    digits.insert(at, ",");
  }
  return digits;
}

}  // namespace

bool is_plottable(double value, const PlotAxis& axis) {
  return std::isfinite(value) && (!axis.logarithmic || value > 0);
}

AxisScale::AxisScale(const PlotAxis& axis, std::span<const double> values) : axis_(axis) {
  double low = std::numeric_limits<double>::infinity(), high = -low;
  for (const double value : values) {
    if (!is_plottable(value, axis)) continue;
    low = std::min(low, scaled(value));
    high = std::max(high, scaled(value));
  }
  if (low > high) return;  // none
  // Halves, so that the range of the largest numbers does not overflow.
  const double margin = std::max(kMargin * (high / 2 - low / 2), 0.0) * 2;
  low_ = low - margin;
  high_ = high + margin;
  if (low == high) {
    const double around = axis.logarithmic ? 0.3 : low == 0 ? 1 : std::abs(low) / 2;
    low_ = low - around;
    high_ = high + around;
  }
  if (!std::isfinite(low_)) low_ = low;
  if (!std::isfinite(high_)) high_ = high;
}

double AxisScale::scaled(double value) const {
  return axis_.logarithmic ? std::log10(value) : value;
}

double AxisScale::position(double value) const {
  if (!is_plottable(value, axis_)) return std::numeric_limits<double>::quiet_NaN();
  return (scaled(value) / 2 - low_ / 2) / (high_ / 2 - low_ / 2);
}

std::vector<AxisTick> AxisScale::ticks() const {
  std::vector<AxisTick> ticks;
  const std::vector<double> values = tick_values();
  for (size_t i = 0; i < values.size(); ++i) {
    const double step = i > 0               ? values[i] - values[i - 1]
                        : values.size() > 1 ? values[1] - values[0]
                                            : values[0];
    ticks.push_back({values[i], tick_text(values[i], std::abs(step))});
  }
  return ticks;
}

bool AxisScale::reaches(double value) const {
  const double at = position(value);
  return at >= 0 && at <= 1;
}

std::vector<double> AxisScale::tick_values() const {
  std::vector<double> ticks = !axis_.ticks.empty() ? axis_.ticks
                              : axis_.logarithmic  ? decade_ticks()
                                                   : linear_ticks(low_, high_);
  std::erase_if(ticks, [this](double tick) { return !reaches(tick); });
  std::sort(ticks.begin(), ticks.end());
  ticks.erase(std::unique(ticks.begin(), ticks.end()), ticks.end());
  return ticks;
}

std::vector<double> AxisScale::decade_ticks() const {
  const double first = std::floor(low_), last = std::ceil(high_);
  // Powers of ten where there are enough, else their multiples, from few to many.
  static const std::vector<std::vector<double>> kFactors = {
      {1}, {1, 3}, {1, 2, 5}, {1, 2, 3, 4, 5, 6, 7, 8, 9}};
  constexpr size_t kFewest = 3;
  const double stride = std::max(1.0, std::ceil((last - first) / (kMostTicks - 1)));
  for (const std::vector<double>& factors : kFactors) {
    std::vector<double> ticks;
    for (double power = std::floor(first / stride) * stride; power <= last; power += stride) {
      for (const double factor : factors) {
        const double tick = factor * std::pow(10.0, power);
        if (reaches(tick)) ticks.push_back(tick);
      }
    }
    if (ticks.size() >= kFewest && ticks.size() <= kMostTicks) return ticks;
  }
  return linear_ticks(std::pow(10.0, low_), std::pow(10.0, high_));
}

std::string tick_text(double value, double step) {
  constexpr double kLongest = 1e6;  // longer ones are written in millions and so on
  constexpr int kFewestDigits = 6, kMostDigits = 17;
  const bool whole = value == std::trunc(value) && std::abs(value) < kLongest;
  int digits = kFewestDigits;
  if (step > 0 && std::isfinite(step) && value != 0) {
    digits = static_cast<int>(std::ceil(std::log10(std::abs(value) / step))) + 2;
    digits = std::clamp(digits, kFewestDigits, kMostDigits);
  }
  const Unit unit = unit_of(value);
  std::array<char, 64> text{};
  const auto format = whole ? std::chars_format::fixed : std::chars_format::general;
  const auto [end, problem] = std::to_chars(text.data(), text.data() + text.size(),
                                            value / unit.size, format, whole ? 0 : digits);
  M2_CHECK(problem == std::errc());
  const std::string written(text.data(), end);
  return whole ? with_commas(written) : written + unit.suffix;
}

}  // namespace m2
