// Handles that programs hold are tickets, not addresses, so that one that was freed is told.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <utility>

#include "core/error.h"
#include "core/text.h"

namespace m2 {

// A number that no other handle of this process has or will have, of any kind.
uintptr_t next_ticket();

// Objects by their handles, which are `Handle*` without a Handle behind them. An object lives until
// its handle is freed and the last call that uses it has ended. Thread-safe.
template <class Handle, class Object>
class HandleTable {
 public:
  // `kind` is what errors call it: "model".
  explicit HandleTable(const char* kind) : kind_(kind) {}

  Handle* add(std::shared_ptr<Object> object) {
    const uintptr_t ticket = next_ticket();
    const std::lock_guard lock(mutex_);
    objects_.emplace(ticket, std::move(object));
    return reinterpret_cast<Handle*>(ticket);
  }

  // Error(kUsage) for null and for a handle that is not live.
  std::shared_ptr<Object> get(const Handle* handle) const {
    check_not_null(handle);
    const std::lock_guard lock(mutex_);
    const auto entry = objects_.find(reinterpret_cast<uintptr_t>(handle));
    if (entry == objects_.end()) throw not_live();
    return entry->second;
  }

  // Does nothing for null; Error(kUsage) for a handle that is not live.
  void free(Handle* handle) {
    if (handle == nullptr) return;
    std::shared_ptr<Object> last;  // declared before the lock: its destructor runs without it
    const std::lock_guard lock(mutex_);
    const auto entry = objects_.find(reinterpret_cast<uintptr_t>(handle));
    if (entry == objects_.end()) throw not_live();
    last = std::move(entry->second);
    objects_.erase(entry);
  }

 private:
  void check_not_null(const Handle* handle) const {
    if (handle == nullptr) throw usage_error(concat("the ", kind_, " is a null pointer"));
  }
  Error not_live() const {
    return usage_error(concat("the ", kind_, " was freed before, or is no ", kind_, " at all"));
  }

  const char* kind_;
  mutable std::mutex mutex_;
  std::map<uintptr_t, std::shared_ptr<Object>> objects_;
};

}  // namespace m2
