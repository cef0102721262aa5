#include "checkpoint/pickle.h"

#include <algorithm>
#include <charconv>
#include <unordered_map>

#include "checkpoint/byte_reader.h"

namespace m2 {
namespace {

// Opcode bytes, named as in Python's pickletools.
enum Op : uint8_t {
  kMark = '(',
  kStop = '.',
  kPop = '0',
  kPopMark = '1',
  kFloatText = 'F',
  kInt = 'I',
  kBinInt = 'J',
  kBinInt1 = 'K',
  kLongText = 'L',
  kBinInt2 = 'M',
  kNone = 'N',
  kBinPersId = 'Q',
  kReduce = 'R',
  kBinString = 'T',
  kShortBinString = 'U',
  kBinUnicode = 'X',
  kAppend = 'a',
  kBuild = 'b',
  kGlobal = 'c',
  kDict = 'd',
  kEmptyDict = '}',
  kAppends = 'e',
  kBinGet = 'h',
  kLongBinGet = 'j',
  kList = 'l',
  kEmptyList = ']',
  kBinPut = 'q',
  kLongBinPut = 'r',
  kSetItem = 's',
  kTuple = 't',
  kEmptyTuple = ')',
  kSetItems = 'u',
  kBinFloat = 'G',
  kBinBytes = 'B',
  kShortBinBytes = 'C',
  kProto = 0x80,
  kNewObj = 0x81,
  kTuple1 = 0x85,
  kTuple2 = 0x86,
  kTuple3 = 0x87,
  kNewTrue = 0x88,
  kNewFalse = 0x89,
  kLong1 = 0x8a,
  kLong4 = 0x8b,
  kShortBinUnicode = 0x8c,
  kBinUnicode8 = 0x8d,
  kBinBytes8 = 0x8e,
  kEmptySet = 0x8f,
  kAddItems = 0x90,
  kFrozenSet = 0x91,
  kNewObjEx = 0x92,
  kStackGlobal = 0x93,
  kMemoize = 0x94,
  kFrame = 0x95,
  kByteArray8 = 0x96,
};

constexpr int kNewestProtocol = 5;
constexpr size_t kMaxGlobalBytes = 1000;

}  // namespace

// The stack machine. Every opcode makes at most one value, and values hold only ids, so memory is
// bounded by the pickle's length and kMaxPickleValues.
class PickleReader {
 public:
  PickleReader(std::span<const std::byte> bytes, const std::string& where)
      : where_(where), reader_(bytes, where) {}

  Pickle read() {
    while (true) {
      op_at_ = reader_.at();
      const auto op = reader_.number<uint8_t>();
      if (op == kStop) break;
      if (!step_scalar(op) && !step_container(op) && !step_memo(op) && !step_call(op)) {
        fail(concat("holds the opcode ", static_cast<int>(op), ", which is not read"));
      }
    }
    if (!marks_.empty() || stack_.size() != 1 || reader_.left() != 0) {
      fail("does not end with one value");
    }
    pickle_.root_ = stack_.back();
    return std::move(pickle_);
  }

 private:
  [[noreturn]] void fail(const std::string& problem) const {
    throw input_error(concat(where_, ": ", problem, " (at byte ", op_at_, ")"));
  }

  PickleValue& value(PickleId id) { return pickle_.values_[id]; }

  // Pushes a new value and returns it.
  PickleValue& push(PickleKind kind) {
    if (pickle_.values_.size() == kMaxPickleValues) fail("holds too many values");
    stack_.push_back(static_cast<PickleId>(pickle_.values_.size()));
    return pickle_.values_.emplace_back(PickleValue{.kind = kind, .text = {}, .items = {}});
  }

  bool push_integer(PickleKind kind, int64_t integer) {
    push(kind).integer = integer;
    return true;
  }

  bool push_text(PickleKind kind, uint64_t length) {
    const std::string_view text = reader_.text(length);
    push(kind).text = text;
    return true;
  }

  // Values below a mark belong to the container that it opened.
  size_t floor() const { return marks_.empty() ? 0 : marks_.back(); }

  PickleId pop() {
    if (stack_.size() <= floor()) fail("takes a value from an empty stack");
    const PickleId id = stack_.back();
    stack_.pop_back();
    return id;
  }

  PickleValue& top() {
    if (stack_.size() <= floor()) fail("needs a value on an empty stack");
    return value(stack_.back());
  }

  std::vector<PickleId> pop_count(size_t count) {
    if (stack_.size() - floor() < count) fail("takes a value from an empty stack");
    std::vector<PickleId> items(stack_.end() - static_cast<ptrdiff_t>(count), stack_.end());
    stack_.resize(stack_.size() - count);
    return items;
  }

  std::vector<PickleId> pop_to_mark() {
    if (marks_.empty()) fail("closes what was not opened");
    std::vector<PickleId> items = pop_count(stack_.size() - marks_.back());
    marks_.pop_back();
    return items;
  }

  void push_mark() {
    if (marks_.size() == kMaxPickleMarks) fail("is nested too deep");
    marks_.push_back(stack_.size());
  }

  bool step_scalar(uint8_t op) {
    switch (op) {
      case kNone:
        push(PickleKind::kNone);
        return true;
      case kNewTrue:
      case kNewFalse:
        return push_integer(PickleKind::kBool, op == kNewTrue);
      case kInt:
      case kLongText:
        return step_integer_text(reader_.line());
      case kBinInt:
        return push_integer(PickleKind::kInteger, reader_.number<int32_t>());
      case kBinInt1:
        return push_integer(PickleKind::kInteger, reader_.number<uint8_t>());
      case kBinInt2:
        return push_integer(PickleKind::kInteger, reader_.number<uint16_t>());
      case kLong1:
        return step_long(reader_.text(reader_.number<uint8_t>()));
      case kLong4:
        return step_long(reader_.text(reader_.number<uint32_t>()));
      case kFloatText:
        reader_.line();
        push(PickleKind::kFloat);
        return true;
      case kBinFloat:
        reader_.take(8);
        push(PickleKind::kFloat);
        return true;
      default:
        return step_text(op);
    }
  }

  bool step_text(uint8_t op) {
    switch (op) {
      case kShortBinString:
      case kShortBinUnicode:
        return push_text(PickleKind::kText, reader_.number<uint8_t>());
      case kBinString:
      case kBinUnicode:
        return push_text(PickleKind::kText, reader_.number<uint32_t>());
      case kBinUnicode8:
        return push_text(PickleKind::kText, reader_.number<uint64_t>());
      case kShortBinBytes:
        return push_text(PickleKind::kBytes, reader_.number<uint8_t>());
      case kBinBytes:
        return push_text(PickleKind::kBytes, reader_.number<uint32_t>());
      case kBinBytes8:
      case kByteArray8:
        return push_text(PickleKind::kBytes, reader_.number<uint64_t>());
      default:
        return false;
    }
  }

  // "I01" and "I00" are how protocols below 2 spell True and False; a long ends in "L".
  bool step_integer_text(std::string_view text) {
    if (text == "01" || text == "00") return push_integer(PickleKind::kBool, text == "01");
    if (text.ends_with('L')) text.remove_suffix(1);
    int64_t number = 0;
    const auto [end, problem] = std::from_chars(text.data(), text.data() + text.size(), number);
    if (problem == std::errc::result_out_of_range) return push_integer(PickleKind::kBigInteger, 0);
    if (problem != std::errc() || end != text.data() + text.size()) fail("holds a bad integer");
    return push_integer(PickleKind::kInteger, number);
  }

  // Two's complement, little-endian, of any length.
  bool step_long(std::string_view digits) {
    if (digits.size() > sizeof(int64_t)) return push_integer(PickleKind::kBigInteger, 0);
    uint64_t bits = 0;
    std::memcpy(&bits, digits.data(), digits.size());
    if (!digits.empty() && digits.size() < sizeof bits && (digits.back() & 0x80) != 0) {
      bits |= ~uint64_t{0} << (8 * digits.size());
    }
    return push_integer(PickleKind::kInteger, static_cast<int64_t>(bits));
  }

  bool push_items(PickleKind kind, std::vector<PickleId> items) {
    push(kind).items = std::move(items);
    return true;
  }

  bool step_container(uint8_t op) {
    switch (op) {
      case kMark:
        push_mark();
        return true;
      case kEmptyTuple:
        return push_items(PickleKind::kTuple, {});
      case kTuple1:
      case kTuple2:
      case kTuple3:
        return push_items(PickleKind::kTuple, pop_count(op - kTuple1 + 1u));
      case kTuple:
        return push_items(PickleKind::kTuple, pop_to_mark());
      case kEmptyList:
        return push_items(PickleKind::kList, {});
      case kList:
        return push_items(PickleKind::kList, pop_to_mark());
      case kEmptySet:
        return push_items(PickleKind::kSet, {});
      case kFrozenSet:
        return push_items(PickleKind::kSet, pop_to_mark());
      case kEmptyDict:
        return push_items(PickleKind::kDict, {});
      case kDict:
        return push_items(PickleKind::kDict, pairs(pop_to_mark()));
      case kAppend:
        return extend(PickleKind::kList, pop_count(1));
      case kAppends:
        return extend(PickleKind::kList, pop_to_mark());
      case kAddItems:
        return extend(PickleKind::kSet, pop_to_mark());
      case kSetItem:
        return extend(PickleKind::kDict, pop_count(2));
      case kSetItems:
        return extend(PickleKind::kDict, pairs(pop_to_mark()));
      default:
        return false;
    }
  }

  std::vector<PickleId> pairs(std::vector<PickleId> items) const {
    if (items.size() % 2 != 0) fail("has a key without a value");
    return items;
  }

  // Into the container on top, or an object that stands for one.
  bool extend(PickleKind kind, const std::vector<PickleId>& items) {
    PickleValue& target = top();
    if (target.kind != kind && target.kind != PickleKind::kObject) {
      fail("puts items into what is no container");
    }
    target.items.insert(target.items.end(), items.begin(), items.end());
    return true;
  }

  bool step_memo(uint8_t op) {
    switch (op) {
      case kPop:
        if (!marks_.empty() && stack_.size() == marks_.back()) {
          marks_.pop_back();
        } else {
          pop();
        }
        return true;
      case kPopMark:
        pop_to_mark();
        return true;
      case kBinGet:
        return get(reader_.number<uint8_t>());
      case kLongBinGet:
        return get(reader_.number<uint32_t>());
      case kBinPut:
        return put(reader_.number<uint8_t>());
      case kLongBinPut:
        return put(reader_.number<uint32_t>());
      case kMemoize:
        return put(static_cast<uint32_t>(memo_.size()));
      case kProto:
        if (reader_.number<uint8_t>() > kNewestProtocol) fail("is of an unknown protocol");
        return true;
      case kFrame:
        if (reader_.number<uint64_t>() > reader_.left()) fail("is cut short");
        return true;
      default:
        return false;
    }
  }

  bool get(uint32_t key) {
    const auto found = memo_.find(key);
    if (found == memo_.end()) fail("uses a value that was not remembered");
    stack_.push_back(found->second);
    return true;
  }

  bool put(uint32_t key) {
    top();
    if (memo_.size() == kMaxPickleValues) fail("remembers too many values");
    memo_[key] = stack_.back();
    return true;
  }

  bool step_call(uint8_t op) {
    switch (op) {
      case kGlobal: {
        const std::string_view module = reader_.line();
        return push_global(module, reader_.line());
      }
      case kStackGlobal: {
        const PickleValue& name = value(pop());
        const PickleValue& module = value(pop());
        if (name.kind != PickleKind::kText || module.kind != PickleKind::kText) {
          fail("names a class by what is no text");
        }
        return push_global(module.text, name.text);
      }
      case kReduce:
      case kNewObj: {
        const PickleId arguments = pop();
        return push_call(pop(), arguments);
      }
      case kNewObjEx: {
        pop();  // keyword arguments: nothing that is understood takes any
        const PickleId arguments = pop();
        push_call(pop(), arguments);
        top().has_state = true;
        return true;
      }
      case kBuild: {
        pop();
        PickleValue& target = top();
        if (target.kind != PickleKind::kObject) fail("sets the state of what has none");
        target.has_state = true;
        return true;
      }
      case kBinPersId:
        return push_items(PickleKind::kPersistent, pop_count(1));
      default:
        return false;
    }
  }

  bool push_global(std::string_view module, std::string_view name) {
    if (module.size() + name.size() > kMaxGlobalBytes) fail("names a class of absurd length");
    const std::string full = concat(module, ".", name);
    const auto kept = pickle_.globals_.insert(full).first;
    push(PickleKind::kGlobal).text = *kept;
    return true;
  }

  bool push_call(PickleId callable, PickleId arguments) {
    if (value(arguments).kind != PickleKind::kTuple) fail("calls with what is no tuple");
    return push_items(PickleKind::kObject, {callable, arguments});
  }

  const std::string& where_;
  ByteReader reader_;
  size_t op_at_ = 0;
  Pickle pickle_;
  std::vector<PickleId> stack_;
  std::vector<size_t> marks_;
  std::unordered_map<uint32_t, PickleId> memo_;
};

Pickle read_pickle(std::span<const std::byte> bytes, const std::string& where) {
  if (bytes.size() > kMaxPickleBytes) {
    throw input_error(concat(where, ": is a pickle of ", bytes_text(bytes.size()),
                             ", more than the ", bytes_text(kMaxPickleBytes), " that is read"));
  }
  return PickleReader(bytes, where).read();
}

}  // namespace m2
