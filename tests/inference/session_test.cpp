#include "inference/session.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <cmath>
#include <set>
#include <thread>

#include "core/error.h"
#include "core/log.h"
#include "inference/small_model.h"
#include "kernels/fft_plan.h"
#include "kernels/layout.h"

namespace m2 {
namespace {

// Around the edges of short tiles (16), long ones (64) and the switch between them (256).
const std::vector<size_t> kLengths = {1,  2,   3,   15,  16,  17,  63,  64,
                                      65, 127, 129, 255, 256, 257, 320, 321};

std::vector<TokenSequence> sequences_of(const std::vector<size_t>& lengths) {
  std::vector<TokenSequence> sequences;
  for (const size_t length : lengths) sequences.push_back(some_tokens(length, length));
  return sequences;
}

// The error of a call that must fail with it.
template <class Call>
std::string refusal(ErrorKind kind, const Call& call) {
  try {
    call();
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), kind) << error.what();
    return error.what();
  }
  ADD_FAILURE() << "no error";
  return "";
}

std::string pooling_of(const testing::TestParamInfo<Pooling>& info) {
  return pooling_name(info.param);
}

class SessionTest : public testing::TestWithParam<Pooling> {};

INSTANTIATE_TEST_SUITE_P(Poolings, SessionTest,
                         testing::Values(Pooling::kCls, Pooling::kMean, Pooling::kPooler,
                                         Pooling::kNone),
                         pooling_of);

TEST_P(SessionTest, ABatchGivesTheBitsOfEachAlone) {
  const VectorRequest request = {GetParam(), true};
  const auto model = small_model();
  const auto sequences = sequences_of(kLengths);
  Session session(model, {2});
  const auto batch = vectors_of(session, sequences, request);
  ASSERT_EQ(batch.size(), sequences.size());
  for (size_t i = 0; i < sequences.size(); ++i) {
    Session fresh(model, {1});
    EXPECT_EQ(vectors_of(fresh, {sequences[i]}, request)[0], batch[i]) << kLengths[i];
  }
  auto reversed = sequences;
  std::reverse(reversed.begin(), reversed.end());
  auto backwards = vectors_of(session, reversed, request);
  std::reverse(backwards.begin(), backwards.end());
  EXPECT_EQ(backwards, batch);
}

// The last layer computes token 0 alone for it: by direct sums, within rounding of the transforms.
TEST(Session, ClsIsTheFirstHiddenState) {
  Session session(small_model(), {2});
  const auto sequences = sequences_of(kLengths);
  const auto vectors = vectors_of(session, sequences, {Pooling::kCls, false});
  const auto hidden = vectors_of(session, sequences, {Pooling::kNone, false});
  for (size_t i = 0; i < sequences.size(); ++i) {
    double difference = 0, norm = 0;
    for (size_t c = 0; c < vectors[i].size(); ++c) {
      difference += std::pow(vectors[i][c] - hidden[i][c], 2);
      norm += std::pow(hidden[i][c], 2);
    }
    EXPECT_LT(std::sqrt(difference / norm), 3e-6) << kLengths[i];
  }
}

TEST(Session, LastRowsOfATileAreTheSequencesOwn) {
  // Hidden states reach the end of each length, and differ where the last token does.
  Session session(small_model(), {2});
  for (const size_t length : kLengths) {
    TokenSequence one = some_tokens(length, 7), other = one;
    other.ids.back() = (other.ids.back() + 1) % kSmallModelWords;
    const auto vectors = vectors_of(session, {one, other}, {Pooling::kNone, false});
    ASSERT_EQ(vectors[0].size(), length * 40) << length;
    const std::vector<float> last(vectors[0].end() - 40, vectors[0].end());
    const std::vector<float> other_last(vectors[1].end() - 40, vectors[1].end());
    EXPECT_NE(last, other_last) << length;
    EXPECT_TRUE(std::ranges::all_of(last, [](float x) { return std::isfinite(x); })) << length;
  }
}

TEST(Session, FilterBudgetsGiveTheSameBits) {
  const auto model = small_model();
  const auto sequences = sequences_of(kLengths);
  Session plenty(model, {1, size_t{1} << 30});
  const auto expected = vectors_of(plenty, sequences);
  EXPECT_EQ(vectors_of(plenty, sequences), expected);  // from what is kept now
  for (const size_t budget : {size_t{0}, size_t{1}, size_t{30'000}, size_t{300'000}}) {
    Session session(small_model(), {1, budget});  // a model, and so a store, of its own
    EXPECT_EQ(vectors_of(session, sequences), expected) << budget;
    EXPECT_EQ(vectors_of(session, sequences), expected) << budget;
  }
}

TEST(Session, MakesTheSpectraOfASizeOnceAGroup) {
  const auto model = small_model();
  std::vector<size_t> lengths;
  for (size_t i = 0; i < 20; ++i) lengths.insert(lengths.end(), {600, 30 + i % 3});
  const auto sequences = sequences_of(lengths);
  const VectorRequest mean = {Pooling::kMean, false};  // every layer by its spectra
  const auto expected = [&] {
    Session plenty(model, {1});
    return vectors_of(plenty, sequences, mean);
  }();
  // Room for both layers of the long ones' size alone, which fill more than one batch.
  const auto plan = fft_plan(transform_size(1200));
  Session session(model, {1, 2 * channel_blocks(40) * plan->spectrum_floats() * sizeof(float)});
  EXPECT_EQ(vectors_of(session, sequences, mean), expected);
  EXPECT_EQ(session.spectra_made(), 2u * 2u);
  Session without(small_model(), {1, 0});
  EXPECT_EQ(vectors_of(without, sequences, mean), expected);
  EXPECT_GT(without.spectra_made(), 2u * 2u);  // or the batches were too few to tell
}

TEST(Session, SessionsAtOnceShareSpectraAndChangeNoBit) {
  const auto sequences = sequences_of(kLengths);
  const auto expected = [&] {
    Session alone(small_model(), {1});
    return vectors_of(alone, sequences);
  }();
  // All spectra fit, some do, none does.
  for (const size_t budget : {size_t{1} << 30, size_t{300'000}, size_t{0}}) {
    const auto model = small_model();
    std::atomic<size_t> wrong = 0, made = 0;
    const auto work = [&](int threads) {
      Session session(model, {threads, budget});
      for (int repeat = 0; repeat < 2; ++repeat) {
        wrong += vectors_of(session, sequences) == expected ? 0 : 1;
      }
      made += session.spectra_made();
    };
    Session living(model, {1, budget});  // what one leaves is there for the next
    std::thread one(work, 1), other(work, 2);
    one.join();
    other.join();
    EXPECT_EQ(wrong, 0u) << budget;
    std::set<size_t> sizes;
    for (const size_t length : kLengths) sizes.insert(transform_size(2 * length));
    if (budget == size_t{1} << 30) {
      EXPECT_EQ(made, 2u * sizes.size());
    }
  }
}

// Each layer's convolutions lose at most 2^-11; two layers of residuals and norms pass it on.
TEST(Session, HalfPrecisionFilterCacheIsCloseAndKeepsItsBits) {
  const auto sequences = sequences_of(kLengths);
  Session exact(small_model(), {1});
  Session plenty(small_model(), {2, size_t{1} << 30, DType::kF16});
  Session none(small_model(), {1, 0, DType::kF16});
  const auto expected = vectors_of(exact, sequences);
  const auto found = vectors_of(plenty, sequences);
  EXPECT_EQ(vectors_of(plenty, sequences), found);
  EXPECT_EQ(vectors_of(none, sequences), found);
  EXPECT_NE(found, expected);
  for (size_t i = 0; i < found.size(); ++i) {
    double difference = 0, norm = 0;
    for (size_t c = 0; c < found[i].size(); ++c) {
      const double x = static_cast<double>(expected[i][c]);
      difference += std::pow(static_cast<double>(found[i][c]) - x, 2);
      norm += x * x;
    }
    EXPECT_LT(std::sqrt(difference / norm), 2 * 0x1p-11) << kLengths[i];
  }
}

TEST(Session, SaysOnceASizeWhatIsNotKept) {
  std::vector<std::string> messages;
  set_log_sink([&](LogLevel, const std::string& message) { messages.push_back(message); });
  const auto model = small_model();
  const auto plan = fft_plan(transform_size(600));
  Session session(model, {1, channel_blocks(40) * plan->spectrum_floats() * sizeof(float)});
  const auto sequences = sequences_of({300, 1});
  for (int repeat = 0; repeat < 2; ++repeat) {
    for (const TokenSequence& sequence : sequences) vectors_of(session, {sequence});
  }
  set_log_sink({});
  EXPECT_THAT(messages, testing::ElementsAre(testing::HasSubstr("1 of 2 layers do not fit")));
}

TEST(Session, MeanIsOverTheMaskAlone) {
  Session session(small_model(Padding::kMaxLength), {1});
  TokenSequence sequence = some_tokens(20, 3);
  for (size_t i = 12; i < 20; ++i) sequence.mask[i] = 0;
  const auto hidden = vectors_of(session, {sequence}, {Pooling::kNone, false})[0];
  const auto mean = vectors_of(session, {sequence}, {Pooling::kMean, false})[0];
  for (size_t c = 0; c < 40; ++c) {
    double sum = 0;
    for (size_t row = 0; row < 12; ++row) sum += static_cast<double>(hidden[row * 40 + c]);
    EXPECT_NEAR(mean[c], sum / 12, 1e-6);
  }
  std::fill(sequence.mask.begin(), sequence.mask.end(), 0);
  refusal(ErrorKind::kUsage, [&] { vectors_of(session, {sequence}, {Pooling::kMean, false}); });
}

TEST(Session, NormaliseScalesToOne) {
  Session session(small_model(), {1});
  const auto vector = vectors_of(session, {some_tokens(9, 1)}, {Pooling::kMean, true})[0];
  double squares = 0;
  for (const float value : vector)
    squares += static_cast<double>(value) * static_cast<double>(value);
  EXPECT_NEAR(squares, 1, 1e-6);
}

TEST(Session, RefusesIdsOutsideTheModel) {
  Session session(small_model(), {1});
  const auto refuse = [&](auto change) {
    TokenSequence sequence = some_tokens(5, 1);
    change(sequence);
    return refusal(ErrorKind::kUsage, [&] { vectors_of(session, {some_tokens(3, 1), sequence}); });
  };
  EXPECT_THAT(refuse([](TokenSequence& s) { s.ids[2] = kSmallModelWords; }),
              testing::AllOf(testing::HasSubstr("64"), testing::HasSubstr("position 2")));
  EXPECT_THAT(refuse([](TokenSequence& s) { s.ids[4] = -1; }), testing::HasSubstr("-1"));
  EXPECT_THAT(refuse([](TokenSequence& s) { s.types[1] = 2; }), testing::HasSubstr("type 2"));
  EXPECT_THAT(refuse([](TokenSequence& s) { s.types[1] = -1; }), testing::HasSubstr("position 1"));
  EXPECT_THAT(refuse([](TokenSequence& s) { s = TokenSequence(); }), testing::HasSubstr("token"));
  EXPECT_THAT(refuse([](TokenSequence& s) { s = some_tokens(601, 1); }),
              testing::AllOf(testing::HasSubstr("601"), testing::HasSubstr("600")));
  EXPECT_EQ(vectors_of(session, {some_tokens(600, 1)}).size(), 1u);
}

TEST(Session, StopsWhenAskedTo) {
  Session session(small_model(), {1});
  const std::vector<TokenSequence> sequences(12, some_tokens(500, 1));
  size_t delivered = 0;
  double share = 0;
  refusal(ErrorKind::kInterrupted, [&] {
    session.compute(
        sequences, {}, [&](const SequenceVectors&) { ++delivered; },
        [&](const Session::Done& done) {
          EXPECT_GE(done.share, share);
          share = done.share;
          return delivered == 0;
        });
  });
  EXPECT_GT(delivered, 0u);
  EXPECT_LT(delivered, 12u);
  EXPECT_LT(share, 1);
  EXPECT_EQ(vectors_of(session, {sequences[0]}).size(), 1u);  // and serves on
}

TEST(Session, NoSequenceGivesNoVector) {
  Session session(small_model(), {1});
  EXPECT_TRUE(vectors_of(session, {}).empty());
}

}  // namespace
}  // namespace m2
