#include "layers/spectrum_store.h"

#include <utility>

#include "core/error.h"

namespace m2 {
namespace {

// What a value is made into: memory of its own where it is kept, else the buffer that is used
// again. What somebody still holds is not written to.
template <class T>
std::shared_ptr<T> target_for(bool kept, std::shared_ptr<T>& unkept) {
  if (kept) return std::make_shared<T>();
  if (!unkept || unkept.use_count() > 1) unkept = std::make_shared<T>();
  return unkept;
}

FilterKey::Form spectra_form(DType dtype) {
  return dtype == DType::kF32 ? FilterKey::Form::kSpectra : FilterKey::Form::kHalfSpectra;
}

}  // namespace

SpectrumStore::Entries::iterator SpectrumStore::largest_that_may_go() {
  auto entry = kept_.end();
  while (entry != kept_.begin()) {
    --entry;
    const bool made = entry->second.value != nullptr;
    if (made && preferred_.count(entry->first.points) == 0) return entry;
  }
  return kept_.end();
}

void SpectrumStore::drop(Entries::iterator entry) {
  kept_bytes_ -= entry->second.bytes;
  kept_.erase(entry);
}

bool SpectrumStore::make_room(size_t points, size_t bytes) {
  if (bytes > budget()) return false;
  while (kept_bytes_ + bytes > budget()) {
    const auto largest = largest_that_may_go();
    if (largest == kept_.end()) return false;
    if (preferred_.count(points) == 0 && largest->first.points <= points) return false;
    drop(largest);
  }
  return true;
}

SpectrumStore::Value SpectrumStore::get(const FilterKey& key, size_t bytes, const Make& make) {
  std::unique_lock lock(mutex_);
  for (auto found = kept_.find(key); found != kept_.end(); found = kept_.find(key)) {
    if (found->second.value) return found->second.value;
    made_.wait(lock);
  }
  const bool kept = make_room(key.points, bytes);
  if (!kept) {
    lock.unlock();
    return make(false);
  }
  kept_.emplace(key, Entry{bytes, nullptr});
  kept_bytes_ += bytes;
  lock.unlock();
  try {
    Value value = make(true);
    lock.lock();
    kept_.find(key)->second.value = value;
    made_.notify_all();
    return value;
  } catch (...) {
    if (!lock.owns_lock()) lock.lock();
    drop(kept_.find(key));
    made_.notify_all();
    throw;
  }
}

size_t SpectrumStore::kept_bytes() const {
  const std::lock_guard lock(mutex_);
  return kept_bytes_;
}

size_t SpectrumStore::kept_layers(size_t points) const {
  const std::lock_guard lock(mutex_);
  std::set<size_t> layers;
  for (const auto& [key, entry] : kept_) {
    if (key.points == points) layers.insert(key.layer);
  }
  return layers.size();
}

void SpectrumStore::join(size_t budget_bytes) {
  const std::lock_guard lock(mutex_);
  budgets_.insert(budget_bytes);
  preferred_.insert(0);
}

void SpectrumStore::leave(size_t budget_bytes, size_t preferred) {
  const std::lock_guard lock(mutex_);
  budgets_.erase(budgets_.find(budget_bytes));
  preferred_.erase(preferred_.find(preferred));
  while (kept_bytes_ > budget()) {
    const auto largest = largest_that_may_go();
    if (largest == kept_.end()) return;
    drop(largest);
  }
}

void SpectrumStore::prefer(size_t old_points, size_t points) {
  const std::lock_guard lock(mutex_);
  preferred_.erase(preferred_.find(old_points));
  preferred_.insert(points);
}

SpectrumClient::SpectrumClient(std::shared_ptr<SpectrumStore> store, size_t budget_bytes,
                               DType dtype)
    : store_(std::move(store)), budget_bytes_(budget_bytes), dtype_(dtype) {
  M2_CHECK(dtype == DType::kF32 || dtype == DType::kF16);
  store_->join(budget_bytes_);
}

SpectrumClient::SpectrumClient(size_t budget_bytes)
    : SpectrumClient(std::make_shared<SpectrumStore>(), budget_bytes) {}

SpectrumClient::~SpectrumClient() {
  store_->leave(budget_bytes_, preferred_);
}

void SpectrumClient::prefer(size_t points) {
  if (points == preferred_) return;
  store_->prefer(preferred_, points);
  preferred_ = points;
}

std::shared_ptr<const Spectra> SpectrumClient::get(size_t layer, const FilterPair& filters,
                                                   const FftPlan& plan, Executor& executor) {
  const FilterKey key = {plan.points, layer, spectra_form(dtype_)};
  const auto make = [&](bool kept) -> SpectrumStore::Value {
    const std::shared_ptr<Spectra> target = target_for(kept, unkept_);
    maker_.make(filters, plan, dtype_, executor, *target);
    ++made_;
    return target;
  };
  const size_t bytes = spectra_bytes(filters.gated->channels(), plan, dtype_);
  return std::static_pointer_cast<const Spectra>(store_->get(key, bytes, make));
}

std::shared_ptr<const FirstTaps> SpectrumClient::first_taps(size_t layer, const FilterPair& filters,
                                                            const FftPlan& plan,
                                                            Executor& executor) {
  const FilterKey key = {plan.points, layer, FilterKey::Form::kFirstTaps};
  const auto make = [&](bool kept) -> SpectrumStore::Value {
    const std::shared_ptr<FirstTaps> target = target_for(kept, unkept_taps_);
    maker_.make_first_taps(filters, plan, executor, *target);
    ++made_;
    return target;
  };
  const size_t bytes = first_taps_bytes(filters, plan);
  return std::static_pointer_cast<const FirstTaps>(store_->get(key, bytes, make));
}

}  // namespace m2
