// Structs of the API that grow: programs hold an older or a newer one than this library.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstring>

#include "core/error.h"
#include "core/text.h"

namespace m2 {

// The size that a struct's own first member states. Error(kUsage) that names the struct when it
// was not begun by its _init function.
template <class Struct>
size_t stated_size(const Struct& given, const char* name) {
  static_assert(offsetof(Struct, struct_size) == 0);
  constexpr size_t kLargest = 4096;
  if (given.struct_size < sizeof(size_t) || given.struct_size > kLargest) {
    throw usage_error(concat("a ", name, " states the size ", given.struct_size, "; begin it with ",
                             name, "_init()"));
  }
  return given.struct_size;
}

// Options as this library knows them: what an older program's lack is zero, and a newer program's
// may not set what is unknown here. Null gives zeros.
template <class Struct>
Struct read_options(const Struct* given, const char* name) {
  Struct known{};
  if (given == nullptr) return known;
  const size_t size = stated_size(*given, name);
  const char* bytes = reinterpret_cast<const char*>(given);
  if (size > sizeof(Struct) &&
      std::any_of(bytes + sizeof(Struct), bytes + size, [](char byte) { return byte != 0; })) {
    throw usage_error(concat("the program sets a member of ", name,
                             " that came after this version of the library; bring it up to date"));
  }
  std::memcpy(&known, given, std::min(size, sizeof(Struct)));
  return known;
}

// An answer into the program's struct, as much of it as the program knows.
template <class Struct>
void write_answer(Struct answer, Struct& out, const char* name) {
  const size_t size = stated_size(out, name);
  answer.struct_size = size;
  std::memcpy(&out, &answer, std::min(size, sizeof(Struct)));
}

// An enumerator's number, read so that a number without an enumerator may be looked at.
template <class Enum>
int number_of(const Enum& value) {
  static_assert(sizeof(Enum) == sizeof(int));
  int number = 0;
  std::memcpy(&number, &value, sizeof(int));
  return number;
}

}  // namespace m2
