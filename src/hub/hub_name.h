// What may be a name: of a model on the hub, of a revision, of a file that a server lists.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace m2 {

inline constexpr char kDefaultRevision[] = "main";

struct HubName {
  std::string repository;  // ORG/NAME or NAME
  std::string revision = kDefaultRevision;
};

// The name on the hub that `model_id` is, or nothing when it can only be a path.
// Error(kInput) for a name with a revision that can be none.
std::optional<HubName> parse_hub_name(const std::string& model_id);

// models--ORG--NAME, the model's folder in the cache.
std::string cache_folder_name(const std::string& repository);

// A whole commit: 40 digits, in small letters.
bool is_commit(std::string_view text);

// .safetensors, .bin, .pt, or the index of several such files.
bool is_weights_file(std::string_view name);

// A file's name from outside that stays within the folder it is put into: parts between single
// slashes, none of them "." or "..", well-formed UTF-8 without control characters and backslashes.
bool is_inner_path(std::string_view name);

// An ETag without its quotes, fit to be a file's name.
bool is_plain_etag(std::string_view etag);

}  // namespace m2
