// Models by their name on the Hugging Face hub, downloaded into its cache where that lacks them. Of
// the program alone: the library m2::m2 never touches a network.
#pragma once

#include <cstdint>
#include <functional>
#include <string>

namespace m2 {

struct DownloadProgress {
  uint64_t total = 0;    // bytes of all files that make up the model
  uint64_t present = 0;  // of these, on disk
  uint64_t moved = 0;    // of these, by this call
};

struct DownloadOptions {
  bool offline = false;  // so is HF_HUB_OFFLINE=1: nothing but the cache
  std::function<void(const DownloadProgress&)> progress;  // after each piece; may be empty
  std::function<bool()> interrupted;  // asked several times a second; may be empty
};

// Where the files of `model_id` lie, as find_model (hub_cache.h) says it. A name that the cache
// does not hold whole is downloaded first: what wanted_files.h picks, from HF_ENDPOINT, with the
// token of HF_TOKEN; files that an earlier call left unfinished are resumed. A model that the cache
// holds whole needs no network; one that it holds in part is used with a warning when the hub
// cannot be reached. Safe to call from several threads, and processes, at once.
//
// Throws, one line each: Error(kInput) when the hub has no such model, revision or weights, or
// gives no access; Error(kFailed) for the network, the disk, a wrong length or checksum;
// Error(kInterrupted); when offline what find_model throws. Nothing is under its name in the
// snapshot before all of its bytes are there and right.
std::string obtain_model(const std::string& model_id, const DownloadOptions& options);

}  // namespace m2
