#include "train/config/keys.h"

#include <algorithm>
#include <array>
#include <map>
#include <numeric>
#include <optional>

#include "core/error.h"
#include "core/text.h"

namespace m2 {
namespace {

constexpr std::string_view kModelConfig = "model.model_config";

// Whether `path` is `pattern`, part by part, or, with `prefix`, a beginning of it.
bool matches(std::string_view pattern, std::string_view path, bool prefix) {
  while (true) {
    const size_t pattern_end = std::min(pattern.find('.'), pattern.size());
    const size_t path_end = std::min(path.find('.'), path.size());
    const std::string_view part = pattern.substr(0, pattern_end), name = path.substr(0, path_end);
    const bool same = part.starts_with('*') ? name.ends_with(part.substr(1)) : name == part;
    if (!same) return false;
    const bool pattern_ends = pattern_end == pattern.size(), path_ends = path_end == path.size();
    if (path_ends) return prefix || pattern_ends;
    if (pattern_ends) return false;
    pattern.remove_prefix(pattern_end + 1);
    path.remove_prefix(path_end + 1);
  }
}

bool acts(std::string_view path) {
  const auto keys = training_keys();
  return std::any_of(keys.begin(), keys.end(),
                     [&](const TrainingKey& key) { return matches(key.path, path, false); });
}

// Whether `path` is a map that known keys lie in.
bool is_section(std::string_view path) {
  const auto holds = [&](const auto& key) { return matches(key.path, path, true); };
  const auto keys = training_keys();
  const auto idle = idle_keys();
  return std::any_of(keys.begin(), keys.end(), holds) ||
         std::any_of(idle.begin(), idle.end(), holds);
}

const IdleKey* find_idle(std::string_view path) {
  for (const IdleKey& key : idle_keys()) {
    if (matches(key.path, path, false)) return &key;
  }
  return nullptr;
}

std::string leaf_of(const std::string& path) {
  return path.substr(path.rfind('.') + 1);  // npos + 1 is 0
}

// Letters to insert, remove, change or swap with their neighbour.
size_t edits(const std::string& from, const std::string& to) {
  std::vector<size_t> before_last, last, row(to.size() + 1);
  std::iota(row.begin(), row.end(), size_t{0});
  for (size_t i = 1; i <= from.size(); ++i) {
    before_last = std::move(last);
    last = std::move(row);
    row.assign(to.size() + 1, i);
    for (size_t j = 1; j <= to.size(); ++j) {
      const size_t change = last[j - 1] + (from[i - 1] == to[j - 1] ? 0 : 1);
      row[j] = std::min({last[j] + 1, row[j - 1] + 1, change});
      const bool swapped = i > 1 && j > 1 && from[i - 1] == to[j - 2] && from[i - 2] == to[j - 1];
      if (swapped) row[j] = std::min(row[j], before_last[j - 2] + 1);
    }
  }
  return row.back();
}

// How unlike two names are: their edits, but 1 where the first is the beginning of the second.
size_t unlikeness(const std::string& name, const std::string& known) {
  constexpr size_t kShortest = 3;  // that says anything
  const bool beginning = name.size() >= kShortest && known.starts_with(name) && name != known;
  return beginning ? 1 : edits(name, known);
}

// The known path nearest to an unknown one. A key in its right section, misspelled, comes before
// one of the same letters elsewhere.
std::string nearest_path(const std::string& path) {
  const size_t leaf_at = path.size() - leaf_of(path).size();
  std::string best;
  size_t fewest = SIZE_MAX;
  for (const TrainingKey& key : training_keys()) {
    const std::string known(key.path), leaf = leaf_of(known);
    const bool same_section = matches(known.substr(0, known.size() - leaf.size()) + "*",
                                      path.substr(0, leaf_at) + "x", false);
    const size_t distance = 2 * unlikeness(leaf_of(path), leaf) + (same_section ? 0 : 1);
    if (distance >= fewest) continue;
    fewest = distance;
    best = known;
  }
  return best;
}

class KeyCheck {
 public:
  KeyCheck(const std::set<std::string>& used, const std::string& source)
      : used_(used), source_(source) {}

  void walk(const Value& map, const std::string& prefix) {
    for (const auto& [key, value] : map.members) visit(prefix + key, value);
  }

  void note_idle(const std::string& path, const IdleKey& key) { idle_[key.reason].push_back(path); }

  std::vector<std::string> warnings() const {
    std::vector<std::string> lines;
    for (const auto& [reason, paths] : idle_) {
      lines.push_back(concat(source_, ": ", join(paths, ", "), paths.size() > 1 ? " have" : " has",
                             " no effect: ", reason));
    }
    return lines;
  }

 private:
  void visit(const std::string& path, const Value& value) {
    if (used_.contains(path)) return;
    if (const IdleKey* idle = find_idle(path)) {
      if (value.kind != Value::Kind::kNull) note_idle(path, *idle);
      return;
    }
    const bool known = acts(path) || is_section(path);
    if (!known && holds_used(path)) return;
    if (!known) refuse(path, value);
    if (path != kModelConfig) walk(value, path + ".");
  }

  // Whether a ${…} uses something below: one of a table of choices.
  bool holds_used(const std::string& path) const {
    const auto first = used_.lower_bound(path + ".");
    return first != used_.end() && first->starts_with(path + ".");
  }

  [[noreturn]] void refuse(const std::string& path, const Value& value) const {
    const std::string line = value.line > 0 ? concat("line ", value.line, ": ") : "";
    throw input_error(concat(source_, ": ", line, "no key is named \"", printable(path),
                             "\"; the nearest is ", nearest_path(path)));
  }

  const std::set<std::string>& used_;
  const std::string& source_;
  std::map<std::string_view, std::vector<std::string>> idle_;  // by reason
};

}  // namespace

std::string nearest_name(const std::string& name, const std::vector<std::string>& known) {
  M2_CHECK(!known.empty());
  return *std::min_element(known.begin(), known.end(),
                           [&](const std::string& one, const std::string& other) {
                             return unlikeness(name, one) < unlikeness(name, other);
                           });
}

std::vector<std::string> check_keys(const Value& root, const std::set<std::string>& used,
                                    const std::string& source) {
  KeyCheck check(used, source);
  check.walk(root, "");
  return check.warnings();
}

std::vector<std::string> check_model_keys(const std::vector<std::string>& passed_over,
                                          const std::vector<std::string>& known, const Value& root,
                                          const std::string& source) {
  static constexpr IdleKey kOtherFamily = {"", "it is for another family of models"};
  const std::set<std::string> none;
  KeyCheck check(none, source);
  for (const std::string& key : passed_over) {
    const std::string path = concat(kModelConfig, ".", key);
    const bool other_family = std::find(known.begin(), known.end(), key) != known.end();
    const IdleKey* idle = other_family ? &kOtherFamily : find_idle(path);
    if (idle != nullptr) {
      check.note_idle(path, *idle);
      continue;
    }
    const Value* value = root.find("model")->find("model_config")->find(key);
    const std::string line =
        value != nullptr && value->line > 0 ? concat("line ", value->line, ": ") : "";
    throw input_error(concat(source, ": ", line, "no key is named \"", printable(path),
                             "\"; the nearest is ", kModelConfig, ".", nearest_name(key, known)));
  }
  return check.warnings();
}

}  // namespace m2
