#pragma once

#include <cstdint>
#include <initializer_list>
#include <string>
#include <vector>

#include "config/fields.h"
#include "train/config/duration.h"

namespace m2 {

// The typed members of one map of a training file, "optimizer" or "train_loader.dataset", each with
// its range. A member that is absent or null has the default, which need not lie in the range.
// Errors are Error(kInput): file, line where it is known, dotted key, what is allowed.
class Section {
 public:
  // `found` may be nullptr or null: a section without members. It must outlive this. Throws where
  // it is anything else than a map.
  Section(const Value* found, const std::string& source, const std::string& path);

  Section section(const std::string& key) const;
  bool has(const std::string& key) const { return fields_.has(key); }
  const Value& map() const { return map_; }
  std::string name(const std::string& key) const;

  bool flag(const std::string& key, bool fallback) { return fields_.flag(key, fallback); }
  std::string text(const std::string& key, const std::string& fallback);
  int64_t integer(const std::string& key, int64_t fallback, int64_t low, int64_t high);
  double number(const std::string& key, double fallback, double low, double high);
  // Above 0, up to `high`.
  double positive(const std::string& key, double fallback, double high);
  Duration duration(const std::string& key, const Duration& fallback);
  // The same, longer than 0.
  Duration interval(const std::string& key, const Duration& fallback);
  // For keys that may have one value alone.
  void only(const std::string& key, const std::string& value);

  template <class Enum>
  Enum choice(const std::string& key, Enum fallback, const char* (*spell)(Enum),
              std::initializer_list<Enum> all) {
    const std::string stated = text(key, spell(fallback));
    std::vector<std::string> names;
    for (const Enum value : all) {
      if (stated == spell(value)) return value;
      names.emplace_back(spell(value));
    }
    refuse_choice(key, stated, names);
  }

  void require(const std::string& key, const std::string& why) const { fields_.require(key, why); }
  [[noreturn]] void refuse(const std::string& key, const std::string& why) const {
    fields_.refuse(key, why);
  }

 private:
  [[noreturn]] void refuse_choice(const std::string& key, const std::string& stated,
                                  const std::vector<std::string>& names) const;

  const Value& map_;
  Fields fields_;
  std::string source_, path_;
};

}  // namespace m2
