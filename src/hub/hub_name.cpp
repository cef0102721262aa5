#include "hub/hub_name.h"

#include <algorithm>
#include <array>

#include "core/error.h"
#include "core/text.h"

namespace m2 {
namespace {

constexpr size_t kMaxNameBytes = 96;  // of ORG and of NAME, as the hub has it
constexpr size_t kMaxRevisionBytes = 200;
constexpr size_t kMaxEtagBytes = 128;
constexpr size_t kMaxPartBytes = 255;  // of a file's name on disk
constexpr size_t kMaxPathBytes = 1024;
constexpr size_t kCommitDigits = 40;
constexpr std::array<std::string_view, 4> kWeightEndings = {".safetensors", ".bin", ".pt",
                                                            ".index.json"};

bool is_letter_or_digit(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}

// ORG or NAME: begins and ends with a letter, a digit or an underscore.
bool is_name_part(std::string_view part) {
  const auto inner = [](char c) {
    return is_letter_or_digit(c) || c == '_' || c == '-' || c == '.';
  };
  const auto outer = [](char c) { return is_letter_or_digit(c) || c == '_'; };
  return !part.empty() && part.size() <= kMaxNameBytes && outer(part.front()) &&
         outer(part.back()) && std::all_of(part.begin(), part.end(), inner) &&
         part.find("--") == part.npos && part.find("..") == part.npos;
}

bool is_repository(std::string_view name) {
  if (name.ends_with(".git")) return false;
  const size_t slash = name.find('/');
  if (slash == name.npos) return is_name_part(name);
  return is_name_part(name.substr(0, slash)) && is_name_part(name.substr(slash + 1));
}

// Whether every part between slashes, empty ones included, passes `allowed`.
template <class Allowed>
bool all_parts(std::string_view path, Allowed&& allowed) {
  while (true) {
    const std::string_view part = path.substr(0, path.find('/'));
    if (!allowed(part)) return false;
    if (part.size() == path.size()) return true;
    path.remove_prefix(part.size() + 1);
  }
}

bool is_revision_part(std::string_view part) {
  const auto allowed = [](char c) {
    return is_letter_or_digit(c) || c == '_' || c == '-' || c == '.' || c == '+';
  };
  return !part.empty() && part.front() != '.' && part.find("..") == part.npos &&
         std::all_of(part.begin(), part.end(), allowed);
}

// A branch, a tag or a commit; it may have slashes ("refs/pr/3"), and stays in the folder refs.
bool is_revision(std::string_view revision) {
  return revision.size() <= kMaxRevisionBytes && all_parts(revision, is_revision_part);
}

bool is_file_name(std::string_view part) {
  const auto hostile = [](char c) {
    const auto byte = static_cast<unsigned char>(c);
    return byte < 0x20 || byte == 0x7f || c == '\\';
  };
  return !part.empty() && part.size() <= kMaxPartBytes && part != "." && part != ".." &&
         std::none_of(part.begin(), part.end(), hostile);
}

}  // namespace

std::optional<HubName> parse_hub_name(const std::string& model_id) {
  HubName name;
  const size_t at = model_id.find('@');
  name.repository = model_id.substr(0, at);
  if (!is_repository(name.repository) || is_weights_file(model_id)) return std::nullopt;
  if (at != model_id.npos) name.revision = model_id.substr(at + 1);
  if (!is_revision(name.revision)) {
    throw input_error(concat(printable(model_id),
                             ": the revision after @ must be a branch, a tag "
                             "or a commit, as in ORG/NAME@main"));
  }
  return name;
}

std::string cache_folder_name(const std::string& repository) {
  std::string name = "models--" + repository;
  if (const size_t slash = name.find('/'); slash != name.npos) name.replace(slash, 1, "--");
  return name;
}

bool is_commit(std::string_view text) {
  return text.size() == kCommitDigits && text.find_first_not_of("0123456789abcdef") == text.npos;
}

bool is_weights_file(std::string_view name) {
  const auto ends = [&](std::string_view ending) { return name.ends_with(ending); };
  return std::any_of(kWeightEndings.begin(), kWeightEndings.end(), ends);
}

bool is_inner_path(std::string_view name) {
  return name.size() <= kMaxPathBytes && all_parts(name, is_file_name) &&
         find_invalid_utf8(name) == name.npos;
}

bool is_plain_etag(std::string_view etag) {
  const auto plain = [](char c) {
    return is_letter_or_digit(c) || c == '_' || c == '-' || c == '.' || c == '+';
  };
  return !etag.empty() && etag.size() <= kMaxEtagBytes && etag.front() != '.' &&
         !etag.ends_with(".incomplete") && std::all_of(etag.begin(), etag.end(), plain);
}

}  // namespace m2
