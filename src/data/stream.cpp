#include "data/stream.h"

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <numeric>
#include <utility>

#include "core/error.h"
#include "core/text.h"
#include "data/counter_random.h"
#include "data/permutation.h"

namespace m2 {
namespace {

// Far more than a training can take, and few enough for sums to stay in 64 bits.
constexpr double kMostSamples = 0x1p52;

void check_weight(const StreamWeight& weight, size_t stream) {
  const int stated = int{weight.proportion.has_value()} + int{weight.repeat.has_value()} +
                     int{weight.samples.has_value()};
  const std::string where = concat("stream ", stream + 1, ": ");
  if (stated > 1) {
    throw usage_error(where + "give one of proportion, repeat and samples");
  }
  const double value = weight.proportion ? *weight.proportion
                       : weight.repeat   ? *weight.repeat
                       : weight.samples  ? static_cast<double>(*weight.samples)
                                         : 1.0;
  if (!(value > 0) || value > kMostSamples) {
    throw usage_error(where + "proportion, repeat and samples are numbers above 0");
  }
}

// `total` in the proportions of `weights`, by largest remainder; of equal ones the first.
std::vector<uint64_t> share_out(const std::vector<double>& weights, uint64_t total) {
  const double sum = std::accumulate(weights.begin(), weights.end(), 0.0);
  std::vector<uint64_t> shares;
  std::vector<double> remainders;
  for (const double weight : weights) {
    const double exact = static_cast<double>(total) * (weight / sum);
    shares.push_back(static_cast<uint64_t>(exact));
    remainders.push_back(exact - std::floor(exact));
  }
  uint64_t given = std::accumulate(shares.begin(), shares.end(), uint64_t{0});
  for (; given < total; ++given) {
    const auto largest = std::max_element(remainders.begin(), remainders.end());
    *largest = -1;
    ++shares[static_cast<size_t>(largest - remainders.begin())];
  }
  return shares;
}

uint64_t taken_absolutely(const StreamWeight& weight, uint64_t available) {
  if (weight.samples) return static_cast<uint64_t>(*weight.samples);
  const double wanted = weight.repeat.value_or(1.0) * static_cast<double>(available);
  if (wanted > kMostSamples) throw usage_error("repeat makes more samples than can be counted");
  return static_cast<uint64_t>(wanted);
}

}  // namespace

std::vector<uint64_t> samples_per_epoch(std::span<const StreamWeight> weights,
                                        std::span<const uint64_t> available,
                                        uint64_t epoch_samples) {
  M2_CHECK(weights.size() == available.size());
  if (weights.empty()) throw usage_error("there is no stream of data");
  size_t proportional = 0;
  for (size_t i = 0; i < weights.size(); ++i) {
    check_weight(weights[i], i);
    proportional += weights[i].proportion ? 1u : 0u;
  }
  std::vector<uint64_t> taken;
  if (proportional > 0) {
    if (proportional < weights.size()) {
      throw usage_error("give a proportion for every stream, or for none");
    }
    std::vector<double> proportions;
    for (const StreamWeight& weight : weights) proportions.push_back(*weight.proportion);
    const uint64_t all = std::accumulate(available.begin(), available.end(), uint64_t{0});
    taken = share_out(proportions, epoch_samples > 0 ? epoch_samples : all);
  } else {
    if (epoch_samples > 0) {
      throw usage_error(
          "samples_per_epoch is shared out by proportions: give each stream one, or leave it out");
    }
    for (size_t i = 0; i < weights.size(); ++i) {
      taken.push_back(taken_absolutely(weights[i], available[i]));
    }
  }
  if (std::all_of(taken.begin(), taken.end(), [](uint64_t count) { return count == 0; })) {
    throw usage_error("the streams' weights leave no sample in an epoch");
  }
  return taken;
}

SampleOrder::SampleOrder(std::vector<uint64_t> taken, std::vector<uint64_t> available,
                         uint64_t seed, bool shuffle)
    : available_(std::move(available)), ends_(std::move(taken)), seed_(seed), shuffle_(shuffle) {
  M2_CHECK(!ends_.empty() && ends_.size() == available_.size());
  for (size_t i = 0; i < ends_.size(); ++i) M2_CHECK(ends_[i] == 0 || available_[i] > 0);
  std::partial_sum(ends_.begin(), ends_.end(), ends_.begin());
  M2_CHECK(ends_.back() > 0);
}

Draw SampleOrder::at(uint64_t epoch, uint64_t place) const {
  M2_CHECK(place < epoch_samples());
  // Each permutation has a key of its own: one of an epoch, one of each round of a stream.
  const uint64_t base = mix_bits(seed_);
  if (shuffle_) place = Permutation(epoch_samples(), mix_bits(base ^ epoch))(place);
  const auto end = std::upper_bound(ends_.begin(), ends_.end(), place);
  const size_t stream = static_cast<size_t>(end - ends_.begin());
  const uint64_t begin = stream == 0 ? 0 : ends_[stream - 1];
  const uint64_t draws_before = epoch * (ends_[stream] - begin) + (place - begin);
  const uint64_t round = draws_before / available_[stream];
  uint64_t sample = draws_before % available_[stream];
  if (shuffle_) {
    const uint64_t key = mix_bits(mix_bits(base + 1 + stream) ^ round);
    sample = Permutation(available_[stream], key)(sample);
  }
  return {stream, sample, round};
}

StreamSet::StreamSet(const std::vector<StreamOptions>& streams, const DatasetOptions& options,
                     uint64_t seed, bool shuffle, uint64_t epoch_samples) {
  std::vector<StreamWeight> weights;
  std::vector<uint64_t> available;
  uint64_t start = 0;
  for (const StreamOptions& stream : streams) {
    const std::string folder = stream.split.empty()
                                   ? stream.local
                                   : (std::filesystem::path(stream.local) / stream.split).string();
    datasets_.push_back(open_dataset(folder, options));
    if (datasets_.back()->vocabulary().hash != datasets_.front()->vocabulary().hash) {
      throw input_error(concat(folder,
                               ": has another vocabulary than the other streams; build all "
                               "with one"));
    }
    weights.push_back(stream.weight);
    available.push_back(datasets_.back()->samples());
    starts_.push_back(start);
    start += available.back();
  }
  std::vector<uint64_t> taken = samples_per_epoch(weights, available, epoch_samples);
  order_ = std::make_unique<SampleOrder>(std::move(taken), std::move(available), seed, shuffle);
}

void StreamSet::read(const Draw& draw, std::vector<int32_t>& ids) const {
  datasets_[draw.stream]->read(draw.sample, ids);
}

}  // namespace m2
