#include "train/loop/micro_batch.h"

#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/mman.h>

#include <cstring>
#include <map>
#include <new>
#include <string>
#include <vector>

#include "core/random.h"
#include "train/loop/resident_memory.h"

namespace m2::train {
namespace {

constexpr int64_t kRows = 32, kLength = 11, kWords = 50;

ModelConfig small_model() {
  ModelConfig config;
  config.hidden_size = 24;
  config.intermediate_size = 40;
  config.num_hidden_layers = 2;
  config.vocab_size = kWords;
  config.max_position_embeddings = config.long_conv_l_max = 16;
  config.use_monarch_mlp = config.use_positional_encodings = config.residual_long_conv = true;
  config.hyena_w = 10;
  config.hyena_emb_dim = 5;
  config.hyena_filter_order = 8;
  config.hidden_dropout_prob = 0.2;
  config.padding = Padding::kNone;
  config.padding_stated = true;
  return config;
}

// Texts of 3 to 11 tokens, of which few or most are labelled, in some none.
m2::Batch uneven_batch() {
  Random random(1, "uneven");
  m2::Batch batch;
  batch.rows = kRows;
  batch.length = kLength;
  for (int64_t row = 0; row < kRows; ++row) {
    const int64_t length = row == 0 ? kLength : 3 + row % 9;
    const double share = row % 4 == 0 ? 0 : random.uniform();
    for (int64_t t = 0; t < kLength; ++t) {
      const auto word = 5 + static_cast<int64_t>(random.uniform() * (kWords - 5));
      const bool labelled = t < length && random.uniform() < share;
      batch.ids.push_back(t < length ? word : 0);
      batch.labels.push_back(labelled ? word : kNoLabel);
      batch.attention_mask.push_back(t < length ? 1 : 0);
      batch.labelled += labelled ? 1 : 0;
    }
    batch.lengths.push_back(length);
    batch.tokens += length;
  }
  return batch;
}

struct Result {
  double loss = 0;
  std::map<std::string, at::Tensor> gradients;
};

Result compute(int64_t rows, at::ScalarType type) {
  ModelOptions options;
  options.scope.pooler = false;
  options.scope.mlm_head = true;
  options.seed = 3;
  options.type = type;
  const Model model(small_model(), options);
  Pass pass;
  pass.training = true;
  Result result;
  result.loss = *accumulate_gradients(model, uneven_batch(), rows, pass);
  for (const ParameterTensor& parameter : model.parameters().trained()) {
    result.gradients[parameter.description.name] = parameter.values.grad();
  }
  return result;
}

void expect_same(const Result& found, const Result& whole, double loss_bound, double bound) {
  EXPECT_NEAR(found.loss, whole.loss, loss_bound * whole.loss);
  for (const auto& [name, gradient] : whole.gradients) {
    const double error = (found.gradients.at(name) - gradient).norm().item<double>();
    EXPECT_LE(error, bound * gradient.norm().item<double>()) << name;
  }
}

// Another order of summation alone: some hundred roundings of 1e-16 and of 6e-8 in sums of a few
// hundred terms that partly cancel.
TEST(MicroBatch, AnyCutGivesTheSameGradients) {
  at::set_num_threads(1);  // so small a model gains nothing from more
  const Result whole64 = compute(kRows, at::kDouble), whole32 = compute(kRows, at::kFloat);
  EXPECT_GT(whole64.loss, 3);
  for (const int64_t rows : {8, 1, 5}) {
    expect_same(compute(rows, at::kDouble), whole64, 1e-12, 1e-12);
    expect_same(compute(rows, at::kFloat), whole32, 1e-6, 1e-5);
  }
}

TEST(MicroBatch, PadsAreToldWhereThereAreAny) {
  m2::Batch batch = uneven_batch();
  const Batch part = rows_of(batch, 2, 3);
  EXPECT_EQ(part.first_text, 2);
  EXPECT_EQ(part.ids.sizes(), (at::IntArrayRef{3, kLength}));
  EXPECT_EQ(part.ids[0][1].item<int64_t>(), batch.ids[2 * kLength + 1]);
  EXPECT_EQ(part.mask.sum(1)[0].item<int64_t>(), batch.lengths[2]);
  batch.tokens = kRows * kLength;
  EXPECT_FALSE(rows_of(batch, 2, 3).mask.defined());
}

TEST(MicroBatch, TheLargestThatFits) {
  constexpr int64_t kMega = 1000000;
  // 85 of 100 MB may be used: 15 for one row, 10 for each more.
  EXPECT_EQ(rows_that_fit(100, 100 * kMega, 15 * kMega, 25 * kMega), 8);  // 13 passes; 7 want 15
  EXPECT_EQ(rows_that_fit(7, 100 * kMega, 15 * kMega, 25 * kMega), 7);
  EXPECT_EQ(rows_that_fit(12, 100 * kMega, 15 * kMega, 25 * kMega), 6);   // two passes of 6
  EXPECT_EQ(rows_that_fit(100, 100 * kMega, 90 * kMega, 95 * kMega), 1);  // one at least
  EXPECT_EQ(rows_that_fit(100, 100 * kMega, 15 * kMega, 15 * kMega), 100);
}

constexpr int64_t kMebi = int64_t{1} << 20;

// Memory that is really there while this lives, without malloc, which would keep what it got.
class Touched {
 public:
  explicit Touched(int64_t bytes) : bytes_(static_cast<size_t>(bytes)) {
    memory_ = mmap(nullptr, bytes_, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (memory_ == MAP_FAILED) throw std::bad_alloc();
    std::memset(memory_, 1, bytes_);
  }
  ~Touched() { munmap(memory_, bytes_); }
  Touched(const Touched&) = delete;
  Touched& operator=(const Touched&) = delete;

 private:
  size_t bytes_;
  void* memory_;
};

// Whether the system counts peaks anew when asked to.
bool peaks_are_counted_anew() {
  {
    const Touched touched(64 * kMebi);
  }
  reset_peak_memory();
  return peak_resident_memory() < resident_memory() + 8 * kMebi;
}

// 16 MB a row beside 40 MB that every pass takes and 100 MB that the first one takes once.
TEST(MicroBatch, TheLargestThatTrialsLetFit) {
  if (!peaks_are_counted_anew()) GTEST_SKIP() << "peaks are not counted anew here";
  constexpr int64_t kRow = 16 * kMebi, kPass = 40 * kMebi, kOnce = 100 * kMebi;
  std::vector<int64_t> tried;
  const auto trial = [&](int64_t rows) {
    const Touched touched(kPass + rows * kRow + (tried.empty() ? kOnce : 0));
    tried.push_back(rows);
  };
  // 85% of the ceiling is in the middle between what five rows take and what six do: half a row,
  // 8 MB, is far more than what this process's other memory moves by meanwhile.
  const auto largest = [&](int64_t batch_rows) {
    tried.clear();
    const int64_t wanted = resident_memory() + kPass + 5 * kRow + kRow / 2;
    return largest_micro_batch(batch_rows, static_cast<int64_t>(static_cast<double>(wanted) / 0.85),
                               trial);
  };
  EXPECT_EQ(largest(60), 5);
  EXPECT_THAT(tried, testing::ElementsAre(1, 1, 2));
  EXPECT_EQ(largest(7), 4);  // two passes
  EXPECT_EQ(largest(3), 3);
  EXPECT_EQ(largest(2), 2);
  EXPECT_EQ(largest(1), 1);
  EXPECT_THAT(tried, testing::ElementsAre());
}

// The first rows take no more than what a pass takes anyway: the peak tells nothing of them.
TEST(MicroBatch, TrialsGrowUntilThePeakMoves) {
  if (!peaks_are_counted_anew()) GTEST_SKIP() << "peaks are not counted anew here";
  std::vector<int64_t> tried;
  const auto trial = [&](int64_t rows) {
    tried.push_back(rows);
    const Touched touched(rows <= 4 ? 64 * kMebi - rows * kMebi : rows * 16 * kMebi);
  };
  largest_micro_batch(100, 1000 * kMebi, trial);
  EXPECT_THAT(tried, testing::ElementsAre(1, 1, 2, 4, 8));
}

}  // namespace
}  // namespace m2::train
