#include "layers/spectrum_store.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <stdexcept>
#include <thread>

#include "layers/filter_fixture.h"

namespace m2 {
namespace {

class SpectrumStoreTest : public FilterFixture {
 protected:
  std::vector<float> spectra(SpectrumClient& client, size_t layer, size_t points) {
    return copy(*client.get(layer, filters(), *fft_plan(points), pool_));
  }
};

TEST_F(SpectrumStoreTest, KeepsWhatFitsAndMakesItOnce) {
  SpectrumClient client(3 * bytes(kSmall));
  const auto first = spectra(client, 0, kSmall);
  EXPECT_EQ(spectra(client, 0, kSmall), first);
  EXPECT_EQ(client.made(), 1u);
  EXPECT_EQ(client.store().kept_bytes(), bytes(kSmall));
  EXPECT_EQ(client.store().kept_layers(kSmall), 1u);
  EXPECT_EQ(client.store().kept_layers(kLarge), 0u);
}

TEST_F(SpectrumStoreTest, GivesTheSameBitsKeptOrNot) {
  SpectrumClient all(size_t{1} << 30), none(0);
  for (const size_t points : {kLarge, kSmall, kLarge, kSmall}) {
    EXPECT_EQ(spectra(all, 0, points), spectra(none, 0, points)) << points;
  }
  EXPECT_EQ(all.made(), 2u);
  EXPECT_EQ(none.made(), 4u);
  EXPECT_EQ(none.store().kept_bytes(), 0u);
}

TEST_F(SpectrumStoreTest, HalvesTakeHalfTheRoomAndKeepTheirBits) {
  const auto store = std::make_shared<SpectrumStore>();
  SpectrumClient floats(store, size_t{1} << 30), halves(store, 0, DType::kF16);
  SpectrumClient none(std::make_shared<SpectrumStore>(), 0, DType::kF16);
  const auto expected = spectra(floats, 0, kSmall);
  EXPECT_NE(spectra(halves, 0, kSmall), expected);
  EXPECT_EQ(spectra(floats, 0, kSmall), expected);
  EXPECT_EQ(spectra(halves, 0, kSmall), spectra(none, 0, kSmall));
  const size_t scales = channel_blocks(gated_.channels()) * 2 * kChannelBlock * sizeof(float);
  EXPECT_EQ(store->kept_bytes(), bytes(kSmall) + bytes(kSmall) / 2 + scales);
  EXPECT_EQ(store->kept_layers(kSmall), 1u);
}

TEST_F(SpectrumStoreTest, FirstTapsAreKeptLikeSpectra) {
  SpectrumClient all(size_t{1} << 30), none(0);
  const auto kept = all.first_taps(0, filters(), *fft_plan(kLarge), pool_);
  EXPECT_EQ(all.first_taps(0, filters(), *fft_plan(kLarge), pool_), kept);
  EXPECT_EQ(all.made(), 1u);
  EXPECT_EQ(all.store().kept_bytes(), kept->values.size() * sizeof(float));
  const auto made = none.first_taps(0, filters(), *fft_plan(kLarge), pool_);
  EXPECT_TRUE(std::equal(kept->values.data(), kept->values.data() + kept->values.size(),
                         made->values.data()));
  EXPECT_NE(copy(*all.get(0, filters(), *fft_plan(kLarge), pool_)), std::vector<float>());
  EXPECT_EQ(none.store().kept_bytes(), 0u);
}

TEST_F(SpectrumStoreTest, SmallTransformsPushOutLargeOnes) {
  SpectrumClient client(bytes(kLarge) + bytes(kSmall) / 2);
  spectra(client, 0, kLarge);
  spectra(client, 0, kSmall);
  EXPECT_EQ(client.store().kept_bytes(), bytes(kSmall));
  spectra(client, 0, kLarge);  // may not push out the small one
  EXPECT_EQ(client.store().kept_bytes(), bytes(kSmall));
}

TEST_F(SpectrumStoreTest, APreferredSizePushesOutSmallOnes) {
  SpectrumClient client(bytes(kLarge) + bytes(kSmall) / 2);
  spectra(client, 0, kSmall);
  client.prefer(kLarge);
  spectra(client, 0, kLarge);
  EXPECT_EQ(client.store().kept_bytes(), bytes(kLarge));
  client.prefer(0);
  spectra(client, 0, kSmall);
  EXPECT_EQ(client.store().kept_bytes(), bytes(kSmall));
}

TEST_F(SpectrumStoreTest, WhatAnotherMemberPrefersStays) {
  const auto store = std::make_shared<SpectrumStore>();
  SpectrumClient one(store, bytes(kLarge) + bytes(kSmall) / 2), other(store, 0);
  one.prefer(kLarge);
  spectra(one, 0, kLarge);
  spectra(other, 0, kSmall);
  EXPECT_EQ(store->kept_bytes(), bytes(kLarge));
}

TEST_F(SpectrumStoreTest, MembersShareWhatOneMade) {
  const auto store = std::make_shared<SpectrumStore>();
  SpectrumClient one(store, size_t{1} << 30), other(store, 0);
  const auto first = one.get(0, filters(), *fft_plan(kSmall), pool_);
  EXPECT_EQ(other.get(0, filters(), *fft_plan(kSmall), pool_), first);
  EXPECT_EQ(other.made(), 0u);
}

TEST_F(SpectrumStoreTest, TheLargestBudgetOfTheLivingHolds) {
  const auto store = std::make_shared<SpectrumStore>();
  SpectrumClient modest(store, bytes(kSmall));
  std::shared_ptr<const Spectra> held;
  {
    SpectrumClient generous(store, bytes(kSmall) + bytes(kLarge));
    held = modest.get(0, filters(), *fft_plan(kLarge), pool_);
    modest.get(0, filters(), *fft_plan(kSmall), pool_);
    EXPECT_EQ(store->kept_bytes(), bytes(kSmall) + bytes(kLarge));
  }
  EXPECT_EQ(store->kept_bytes(), bytes(kSmall));
  EXPECT_EQ(copy(*held), make(kLarge, pool_));  // what is in use outlives its place
}

TEST_F(SpectrumStoreTest, WhatIsHeldIsNotWrittenTo) {
  SpectrumClient client(0);
  const auto held = client.get(0, filters(), *fft_plan(kSmall), pool_);
  const auto before = copy(*held);
  const FilterPair swapped = {&residual_, &gated_};
  EXPECT_NE(copy(*client.get(1, swapped, *fft_plan(kSmall), pool_)), before);
  EXPECT_EQ(copy(*held), before);
}

// Two threads with pools of their own ask for all layers of two sizes, under budgets that hold all,
// some and nothing.
TEST_F(SpectrumStoreTest, ThreadsAtOnceGetTheSameBits) {
  const auto small = make(kSmall, pool_), large = make(kLarge, pool_);
  for (const size_t budget : {size_t{0}, 2 * bytes(kSmall) + bytes(kLarge), size_t{1} << 30}) {
    const auto store = std::make_shared<SpectrumStore>();
    std::atomic<size_t> made = 0, wrong = 0;
    const auto work = [&](size_t first_layer) {
      ThreadPool pool(2);
      SpectrumClient client(store, budget);
      for (size_t i = 0; i < 24; ++i) {
        const size_t points = i % 2 == 0 ? kSmall : kLarge;
        client.prefer(i % 5 == 0 ? points : 0);
        const auto found =
            client.get((first_layer + i / 2) % 4, filters(), *fft_plan(points), pool);
        wrong += copy(*found) == (points == kSmall ? small : large) ? 0 : 1;
      }
      made += client.made();
    };
    std::thread one(work, 0), other(work, 1);
    one.join();
    other.join();
    EXPECT_EQ(wrong, 0u) << budget;
    if (budget == 0) {
      EXPECT_EQ(made, 48u);
    }
    EXPECT_EQ(store->kept_bytes(), 0u);  // nobody is left
  }
}

TEST(SpectrumStore, AThreadWaitsForWhatAnotherMakes) {
  const auto store = std::make_shared<SpectrumStore>();
  const SpectrumClient member(store, 100);
  std::atomic<int> made = 0;
  std::atomic<bool> asked = false;
  std::thread other;
  const auto first = store->get({64, 0}, 10, [&](bool) -> SpectrumStore::Value {
    other = std::thread([&] {
      asked = true;
      store->get({64, 0}, 10, [&](bool) -> SpectrumStore::Value {
        ++made;
        return std::make_shared<int>(2);
      });
    });
    while (!asked) std::this_thread::yield();
    return std::make_shared<int>(1);
  });
  other.join();
  EXPECT_EQ(made, 0);
  EXPECT_EQ(*std::static_pointer_cast<const int>(first), 1);
}

TEST(SpectrumStore, AFailureLeavesNothingBehind) {
  const auto store = std::make_shared<SpectrumStore>();
  const SpectrumClient member(store, 100);
  const auto fail = [](bool) -> SpectrumStore::Value { throw std::runtime_error("no memory"); };
  EXPECT_THROW(store->get({64, 0}, 10, fail), std::runtime_error);
  EXPECT_EQ(store->kept_bytes(), 0u);
  const auto value = store->get({64, 0}, 10, [](bool) { return std::make_shared<int>(1); });
  EXPECT_NE(value, nullptr);
  EXPECT_EQ(store->kept_bytes(), 10u);
}

}  // namespace
}  // namespace m2
