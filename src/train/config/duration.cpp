#include "train/config/duration.h"

#include <array>
#include <charconv>
#include <cmath>
#include <string_view>

#include "core/error.h"
#include "core/text.h"

namespace m2 {
namespace {

struct UnitName {
  TimeUnit unit;
  std::string_view suffix;
};
constexpr std::array<UnitName, 5> kUnits = {{{TimeUnit::kSamples, "sp"},
                                             {TimeUnit::kBatches, "ba"},
                                             {TimeUnit::kTokens, "tok"},
                                             {TimeUnit::kEpochs, "ep"},
                                             {TimeUnit::kShare, "dur"}}};
constexpr int64_t kMostSteps = int64_t{1} << 53;  // doubles count so far exactly

template <class Number>
bool read_whole(std::string_view text, Number& number) {
  const auto [stop, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  return error == std::errc() && stop == text.data() + text.size() && !text.empty();
}

[[noreturn]] void refuse(const std::string& text, const std::string& what) {
  throw input_error(concat(what, " is \"", printable(text, 40),
                           "\", must be a length such as 2000ba (batches), 3ep (epochs), 64000sp "
                           "(samples), 5000000tok (tokens) or 0.06dur (a share, 0 to 1)"));
}

int64_t divided_up(int64_t count, int64_t by) {
  return count / by + (count % by != 0 ? 1 : 0);
}

// Exact where it is below 2^53.
double steps_of_epochs(int64_t epochs, const RunSize& size) {
  M2_CHECK(size.batch_samples > 0 && size.epoch_samples > 0);
  return static_cast<double>(epochs) *
         static_cast<double>(divided_up(size.epoch_samples, size.batch_samples));
}

double steps_of_samples(int64_t samples, const RunSize& size) {
  M2_CHECK(size.batch_samples > 0 && size.epoch_samples > 0);
  return steps_of_epochs(samples / size.epoch_samples, size) +
         static_cast<double>(divided_up(samples % size.epoch_samples, size.batch_samples));
}

double steps_of(const Duration& duration, const RunSize& size) {
  const auto count = static_cast<double>(duration.count);
  switch (duration.unit) {
    case TimeUnit::kSamples:
      return steps_of_samples(duration.count, size);
    case TimeUnit::kTokens:
      M2_CHECK(size.sample_tokens > 1);
      return steps_of_samples(static_cast<int64_t>(std::ceil(count / size.sample_tokens)), size);
    case TimeUnit::kEpochs:
      return steps_of_epochs(duration.count, size);
    case TimeUnit::kShare:
      // A hair less, so that 0.06 of 50 steps, 3.0000000000000004 in doubles, is 3.
      return std::ceil(duration.share * static_cast<double>(size.total_batches) * (1 - 1e-14));
    default:
      return count;
  }
}

}  // namespace

Duration parse_duration(const std::string& text, const std::string& what) {
  for (const auto& [unit, suffix] : kUnits) {
    if (!text.ends_with(suffix)) continue;
    const std::string_view digits = std::string_view(text).substr(0, text.size() - suffix.size());
    Duration duration;
    duration.unit = unit;
    const bool read = unit == TimeUnit::kShare ? read_whole(digits, duration.share)
                                               : read_whole(digits, duration.count);
    // Negated so that NaN is refused too.
    if (!read || duration.count < 0 || !(duration.share >= 0 && duration.share <= 1)) break;
    return duration;
  }
  refuse(text, what);
}

std::string duration_spelling(const Duration& duration) {
  for (const auto& [unit, suffix] : kUnits) {
    if (unit != duration.unit) continue;
    if (unit != TimeUnit::kShare) return concat(duration.count, suffix);
    std::array<char, 32> digits{};
    const auto [end, problem] =
        std::to_chars(digits.data(), digits.data() + digits.size(), duration.share);
    M2_CHECK(problem == std::errc());
    return std::string(digits.data(), end) + std::string(suffix);
  }
  M2_CHECK(false);
  return "";
}

int64_t duration_batches(const Duration& duration, const RunSize& size) {
  const double steps = steps_of(duration, size);
  if (steps > static_cast<double>(kMostSteps)) {
    throw input_error(concat("the length ", duration_spelling(duration), " is more than ",
                             kMostSteps, " optimiser steps: shorten it"));
  }
  return static_cast<int64_t>(steps);
}

}  // namespace m2
