#include "config/json_reader.h"

#include <limits>
#include <nlohmann/json.hpp>
#include <unordered_set>

#include "core/error.h"
#include "core/text.h"

namespace m2 {
namespace {

// Receives the parser's events, so that depth and repeated keys are seen before anything is built.
class Builder final : public nlohmann::json_sax<nlohmann::json> {
 public:
  explicit Builder(const std::string& source) : source_(source) {}
  Value take() { return std::move(root_); }

  bool null() override { return add(Value{}); }
  bool boolean(bool value) override { return add(Value::of_bool(value)); }
  bool number_integer(int64_t value) override { return add(Value::of_integer(value)); }
  bool number_unsigned(uint64_t value) override {
    if (value > uint64_t{std::numeric_limits<int64_t>::max()}) {
      return add(Value::of_real(static_cast<double>(value)));
    }
    return add(Value::of_integer(static_cast<int64_t>(value)));
  }
  bool number_float(double value, const std::string&) override {
    return add(Value::of_real(value));
  }
  bool string(std::string& value) override { return add(Value::of_text(std::move(value))); }
  bool binary(nlohmann::json::binary_t&) override { return false; }
  bool start_object(size_t) override { return open(Value::Kind::kMap); }
  bool end_object() override { return close(); }
  bool start_array(size_t) override { return open(Value::Kind::kList); }
  bool end_array() override { return close(); }

  bool key(std::string& name) override {
    if (!keys_.back().insert(name).second) {
      throw input_error(concat(source_, ": the key \"", printable(name), "\" appears twice"));
    }
    open_.back()->members.push_back({std::move(name), Value{}});
    return true;
  }

  bool parse_error(size_t position, const std::string&,
                   const nlohmann::json::exception& error) override {
    const std::string what = error.what();
    const size_t start = what.find("] ");
    throw input_error(
        concat(source_, ": not JSON at byte ", position, ": ",
               printable(start == std::string::npos ? what : what.substr(start + 2), 160)));
  }

 private:
  // Where the next value goes: the root, a new item, or the member whose key came last.
  Value& place() {
    if (open_.empty()) return root_;
    Value& parent = *open_.back();
    if (parent.kind == Value::Kind::kList) return parent.items.emplace_back();
    return parent.members.back().value;
  }
  bool add(Value value) {
    place() = std::move(value);
    return true;
  }
  bool open(Value::Kind kind) {
    if (open_.size() >= kMaxConfigDepth) {
      throw input_error(concat(source_, ": nested deeper than ", kMaxConfigDepth));
    }
    Value& value = place();
    value.kind = kind;
    open_.push_back(&value);  // stays valid: a parent grows only once its last child is closed
    keys_.emplace_back();
    return true;
  }
  bool close() {
    open_.pop_back();
    keys_.pop_back();
    return true;
  }

  const std::string& source_;
  Value root_;
  std::vector<Value*> open_;
  std::vector<std::unordered_set<std::string>> keys_;
};

}  // namespace

Value parse_json(const std::string& text, const std::string& source) {
  Builder builder(source);
  if (!nlohmann::json::sax_parse(text, &builder)) {
    throw input_error(concat(source, ": not JSON"));
  }
  return builder.take();
}

}  // namespace m2
