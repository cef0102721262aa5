// What a model's filters become for the transform sizes in use, kept from text to text: one store
// a model, shared by all who compute with it.
#pragma once

#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <set>

#include "core/dtype.h"
#include "core/threads.h"
#include "kernels/fft_plan.h"
#include "layers/filter_spectra.h"

namespace m2 {

// What a value of the store belongs to; ordered by size, small transforms first.
struct FilterKey {
  enum class Form : uint8_t { kFirstTaps, kHalfSpectra, kSpectra };

  size_t points = 0;  // of the transform
  size_t layer = 0;
  Form form = Form::kSpectra;

  auto operator<=>(const FilterKey&) const = default;
};

// Keeps values within a budget: the largest that a member of it asks for. Values of a preferred
// size come before all others, then small transforms before large ones. Bits never depend on what
// is kept. Thread-safe.
class SpectrumStore {
 public:
  using Value = std::shared_ptr<const void>;
  // Makes a value; `kept` says whether it will be held here too.
  using Make = std::function<Value(bool kept)>;

  SpectrumStore() = default;
  SpectrumStore(const SpectrumStore&) = delete;
  SpectrumStore& operator=(const SpectrumStore&) = delete;

  // The value of `key`, `bytes` large: the one that is kept, else what `make` returns. Who asks
  // for what another thread makes for the store waits for it. What is handed out outlives its
  // place in the store. Lets through what `make` throws.
  Value get(const FilterKey& key, size_t bytes, const Make& make);

  size_t kept_bytes() const;
  // Of how many layers a value for this transform size is kept.
  size_t kept_layers(size_t points) const;

 private:
  friend class SpectrumClient;
  struct Entry {
    size_t bytes = 0;
    Value value;  // null while it is made
  };
  using Entries = std::map<FilterKey, Entry>;

  void join(size_t budget_bytes);
  void leave(size_t budget_bytes, size_t preferred);
  void prefer(size_t old_points, size_t points);
  // The rest is called with the lock held.
  size_t budget() const { return budgets_.empty() ? 0 : *budgets_.rbegin(); }
  bool make_room(size_t points, size_t bytes);
  Entries::iterator largest_that_may_go();
  void drop(Entries::iterator entry);

  mutable std::mutex mutex_;
  std::condition_variable made_;
  std::multiset<size_t> budgets_, preferred_;  // one a member
  size_t kept_bytes_ = 0;
  Entries kept_;
};

// A member of a store: takes spectra from it and makes those that are missing, in fp32 or fp16. One
// thread at a time; its budget and its preference count in the store as long as it lives.
class SpectrumClient {
 public:
  SpectrumClient(std::shared_ptr<SpectrumStore> store, size_t budget_bytes,
                 DType dtype = DType::kF32);
  // With a store of its own.
  explicit SpectrumClient(size_t budget_bytes);
  ~SpectrumClient();
  SpectrumClient(const SpectrumClient&) = delete;
  SpectrumClient& operator=(const SpectrumClient&) = delete;

  // The spectra of layer number `layer`. To be let go before the next call: what the store does
  // not keep is made into one buffer again and again.
  std::shared_ptr<const Spectra> get(size_t layer, const FilterPair& filters, const FftPlan& plan,
                                     Executor& executor);

  // The taps of its row 0, under the same budget, for texts of up to plan.points / 2 tokens. The
  // same rule holds.
  std::shared_ptr<const FirstTaps> first_taps(size_t layer, const FilterPair& filters,
                                              const FftPlan& plan, Executor& executor);

  // The transform size that comes next several times over; 0: none.
  void prefer(size_t points);

  const SpectrumStore& store() const { return *store_; }
  // How often a layer's spectra or taps were made here.
  size_t made() const { return made_; }
  PhaseSeconds seconds() const { return maker_.seconds(); }

 private:
  std::shared_ptr<SpectrumStore> store_;
  size_t budget_bytes_;
  size_t preferred_ = 0;
  size_t made_ = 0;
  DType dtype_;
  std::shared_ptr<Spectra> unkept_;
  std::shared_ptr<FirstTaps> unkept_taps_;
  SpectrumMaker maker_;
};

}  // namespace m2
