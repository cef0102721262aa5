#include "config/interpolation.h"

#include <algorithm>
#include <charconv>
#include <vector>

#include "core/error.h"
#include "core/text.h"

namespace m2 {
namespace {

constexpr std::string_view kOpen = "\xEE\x80\x80";   // U+E000
constexpr std::string_view kClose = "\xEE\x80\x81";  // U+E001
// A name that refers to itself is seen by depth: a hop takes 2, a level of the file 1.
constexpr int kMaxInterpolationDepth = 80;
// Values and characters that one file may resolve to: far above any real file.
constexpr size_t kMaxSpent = size_t{1} << 18;

// Offset of the mark that closes the one at the start of `text`, or npos.
size_t closing_mark(std::string_view text) {
  int open = 0;
  for (size_t i = 0; i < text.size(); ++i) {
    if (text.substr(i).starts_with(kOpen)) ++open;
    if (text.substr(i).starts_with(kClose) && --open == 0) return i;
  }
  return std::string_view::npos;
}

std::string trimmed(const std::string& text) {
  const size_t first = text.find_first_not_of(' ');
  return first == std::string::npos ? ""
                                    : text.substr(first, text.find_last_not_of(' ') + 1 - first);
}

// Marks as the file spells them, for messages.
std::string unmarked(std::string_view text) {
  std::string result;
  for (size_t i = 0; i < text.size(); ++i) {
    const std::string_view rest = text.substr(i);
    const bool marks = rest.starts_with(kOpen) || rest.starts_with(kClose);
    if (!marks) result += text[i];
    if (marks) result += rest.starts_with(kOpen) ? "${" : "}";
    if (marks) i += kOpen.size() - 1;
  }
  return result;
}

// A value inside other text, as Python prints it.
std::string spelled(const Value& value) {
  switch (value.kind) {
    case Value::Kind::kNull:
      return "None";
    case Value::Kind::kBool:
      return value.boolean ? "True" : "False";
    case Value::Kind::kText:
      return value.text;
    default:
      return value.describe();
  }
}

// The member or list item that one part of a dotted name means, or nullptr.
const Value* child(const Value& value, const std::string& part) {
  if (value.kind != Value::Kind::kList) return value.find(part);
  size_t index = 0;
  const auto [stop, error] = std::from_chars(part.data(), part.data() + part.size(), index);
  const bool whole = error == std::errc() && stop == part.data() + part.size();
  return whole && index < value.items.size() ? &value.items[index] : nullptr;
}

}  // namespace

std::string mark_interpolations(std::string_view text) {
  std::string marked;
  std::vector<size_t> open;  // where in `marked` the ${ of this line begin that are not closed yet
  for (size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '\n') open.clear();
    if (text.substr(i).starts_with("${")) {
      open.push_back(marked.size());
      marked += "${";  // a mark takes its place once it is closed
      ++i;
    } else if (text[i] == '}' && !open.empty()) {
      marked.replace(open.back(), 2, kOpen);
      open.pop_back();
      marked += kClose;
    } else {
      marked += text[i];
    }
  }
  return marked;
}

Interpolation::Interpolation(const Value& root, std::string source)
    : root_(root), source_(std::move(source)) {}

void Interpolation::refuse(std::string_view name, const char* why) const {
  throw input_error(concat(source_, ": \"", printable(unmarked(name), 40), "\" in ${…} ", why));
}

void Interpolation::spend(size_t amount) {
  spent_ += amount;
  if (spent_ > kMaxSpent) throw input_error(source_ + ": its ${…} grow without end");
}

Value Interpolation::resolve(const Value& value) {
  return resolve(value, 0);
}

Value Interpolation::resolve(const Value& value, int depth) {
  spend(1);
  if (value.kind == Value::Kind::kText) {
    Value found = resolve_text(value.text, depth);
    if (found.line == 0) found.line = value.line;
    return found;
  }
  Value result = value;
  for (Value& item : result.items) item = resolve(item, depth + 1);
  for (ValueMember& member : result.members) member.value = resolve(member.value, depth + 1);
  return result;
}

Value Interpolation::resolve_text(std::string_view text, int depth) {
  spend(text.size());
  if (depth > kMaxInterpolationDepth) refuse(text, "leads to itself or nests too deep");
  std::string result;
  std::string_view rest = text;
  for (size_t start = rest.find(kOpen); start != std::string_view::npos; start = rest.find(kOpen)) {
    const size_t length = closing_mark(rest.substr(start));
    if (length == std::string_view::npos) refuse(rest.substr(start), "is not closed");
    const std::string_view inner = rest.substr(start + kOpen.size(), length - kOpen.size());
    const std::string name = spelled(resolve_text(inner, depth + 1));
    const Value value = lookup(trimmed(name), depth + 1);
    if (start == 0 && length + kClose.size() == text.size()) return value;
    result += rest.substr(0, start);
    result += spelled(value);
    spend(result.size());
    rest.remove_prefix(start + length + kClose.size());
  }
  result += rest;
  return Value::of_text(result);
}

Value Interpolation::lookup(const std::string& name, int depth) {
  if (name.find(':') != std::string::npos) refuse(name, "is a resolver: write its value instead");
  if (name.starts_with('.')) refuse(name, "is a relative name: write it from the root");
  names_.insert(name);
  const Value* at = &root_;
  Value resolved;  // owns what `at` points into once a part was an interpolation itself
  for (size_t start = 0; start <= name.size();) {
    const size_t dot = std::min(name.find('.', start), name.size());
    if (at->kind == Value::Kind::kText) {
      resolved = resolve_text(std::string(at->text), depth + 1);
      at = &resolved;
    }
    at = child(*at, name.substr(start, dot - start));
    if (at == nullptr) refuse(name, "names no key of the file");
    start = dot + 1;
  }
  return resolve(*at, depth + 1);
}

}  // namespace m2
