#include "train/loop/sample_batches.h"

#include <algorithm>
#include <vector>

#include "core/error.h"
#include "core/text.h"

namespace m2::train {
namespace {

std::vector<StreamOptions> stream_options(const LoaderConfig& loader) {
  std::vector<StreamOptions> options;
  for (const DataStream& stream : loader.streams) {
    options.push_back({stream.local, stream.split,
                       StreamWeight{stream.proportion, stream.repeat, stream.samples}});
  }
  return options;
}

MaskingOptions masking_options(const LoaderConfig& loader, uint64_t seed,
                               const Tokenizer& tokenizer) {
  MaskingOptions options;
  options.probability = loader.mlm_probability;
  options.vocabulary_size = tokenizer.vocab_size();
  options.special = tokenizer.special_ids();
  options.seed = seed;
  return options;
}

}  // namespace

SampleBatches::SampleBatches(const LoaderConfig& loader, const BatchOptions& options,
                             const Tokenizer& tokenizer)
    : options_(options),
      streams_(stream_options(loader), {options.max_seq_len, &tokenizer},
               loader.shuffle_seed.value_or(options.seed), loader.shuffle,
               static_cast<uint64_t>(loader.samples_per_epoch)),
      masking_(masking_options(loader, options.seed, tokenizer)) {
  const int64_t samples = epoch_samples(), size = options.samples;
  epoch_batches_ = options.drop_last ? samples / size : (samples + size - 1) / size;
  if (epoch_batches_ == 0) {
    throw input_error(concat(loader.streams.front().local, ": an epoch of ", samples,
                             " samples fills no batch of ", size,
                             "; lower global_train_batch_size or set drop_last to false"));
  }
}

int64_t SampleBatches::epoch_samples() const {
  return static_cast<int64_t>(streams_.order().epoch_samples());
}

int64_t SampleBatches::batched_samples() const {
  return std::min(epoch_batches_ * options_.samples, epoch_samples());
}

std::vector<DataIdentity> SampleBatches::data() const {
  std::vector<DataIdentity> data;
  for (const auto& dataset : streams_.datasets()) {
    data.push_back({dataset->samples(), dataset->fingerprint()});
  }
  return data;
}

double SampleBatches::sample_tokens() const {
  if (options_.full_length) return static_cast<double>(options_.max_seq_len);
  constexpr int64_t kLooked = 512;
  const int64_t looked = std::min(kLooked, epoch_samples());
  size_t tokens = 0;
  std::vector<int32_t> ids;
  for (const Draw& draw : draws_of(streams_.order(), 0, 0, static_cast<uint64_t>(looked))) {
    streams_.read(draw, ids);
    tokens += ids.size();
  }
  return static_cast<double>(tokens) / static_cast<double>(looked);
}

m2::Batch SampleBatches::read(int64_t number) const {
  const int64_t first = number % epoch_batches_ * options_.samples;
  return read_samples(number / epoch_batches_, first,
                      std::min(options_.samples, epoch_samples() - first));
}

m2::Batch SampleBatches::read_samples(int64_t epoch, int64_t first, int64_t count) const {
  const std::vector<Draw> draws =
      draws_of(streams_.order(), static_cast<uint64_t>(epoch), static_cast<uint64_t>(first),
               static_cast<uint64_t>(count));
  return read_batch(streams_, masking_, draws, options_.full_length ? options_.max_seq_len : 0);
}

}  // namespace m2::train
