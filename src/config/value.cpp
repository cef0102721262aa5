#include "config/value.h"

#include "core/text.h"

namespace m2 {

Value Value::of_bool(bool value) {
  Value result;
  result.kind = Kind::kBool;
  result.boolean = value;
  return result;
}

Value Value::of_integer(int64_t value) {
  Value result;
  result.kind = Kind::kInteger;
  result.integer = value;
  return result;
}

Value Value::of_real(double value) {
  Value result;
  result.kind = Kind::kReal;
  result.real = value;
  return result;
}

Value Value::of_text(std::string value) {
  Value result;
  result.kind = Kind::kText;
  result.text = std::move(value);
  return result;
}

const Value* Value::find(const std::string& key) const {
  for (const ValueMember& member : members) {
    if (member.key == key) return &member.value;
  }
  return nullptr;
}

std::string Value::describe() const {
  switch (kind) {
    case Kind::kNull:
      return "null";
    case Kind::kBool:
      return boolean ? "true" : "false";
    case Kind::kInteger:
      return std::to_string(integer);
    case Kind::kReal:
      return concat(real);
    case Kind::kText:
      return concat("the text \"", printable(text, 40), "\"");
    case Kind::kList:
      return "a list";
    default:
      return "a map";
  }
}

}  // namespace m2
