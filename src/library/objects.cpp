#include "library/objects.h"

#include <cstring>

#include "core/error.h"
#include "core/text.h"
#include "library/versioned.h"

namespace m2 {

const Tokenizer& ModelObject::text_tokenizer() const {
  if (!tokenizer) {
    throw usage_error("the model was loaded without a tokenizer and takes token ids alone");
  }
  return *tokenizer;
}

const ResultObject::Entry& ResultObject::entry(size_t index) const {
  if (index >= entries.size()) {
    throw usage_error(concat("there is no vector ", index, "; the result holds ", entries.size()));
  }
  return entries[index];
}

std::span<const float> ResultObject::values_of(const Entry& entry) const {
  return std::span(values).subspan(entry.first_value, entry.report.rows * entry.width);
}

HandleTable<m2_model, ModelObject>& models() {
  static auto& table = *new HandleTable<m2_model, ModelObject>("model");
  return table;
}
HandleTable<m2_tokens, TokensObject>& tokens() {
  static auto& table = *new HandleTable<m2_tokens, TokensObject>("token list");
  return table;
}
HandleTable<m2_session, SessionObject>& sessions() {
  static auto& table = *new HandleTable<m2_session, SessionObject>("session");
  return table;
}
HandleTable<m2_result, ResultObject>& results() {
  static auto& table = *new HandleTable<m2_result, ResultObject>("result");
  return table;
}

std::optional<Padding> padding_of(const m2_padding& padding) {
  switch (number_of(padding)) {
    case M2_PADDING_DEFAULT:
      return std::nullopt;
    case M2_PADDING_NONE:
      return Padding::kNone;
    case M2_PADDING_MAX_LENGTH:
      return Padding::kMaxLength;
  }
  throw usage_error(concat(number_of(padding), " is no m2_padding"));
}

std::optional<DType> dtype_of(const m2_dtype& dtype) {
  switch (number_of(dtype)) {
    case M2_DTYPE_DEFAULT:
      return std::nullopt;
    case M2_DTYPE_FP32:
      return DType::kF32;
    case M2_DTYPE_BF16:
      return DType::kBF16;
    case M2_DTYPE_INT8:
      return DType::kI8;
  }
  throw usage_error(concat(number_of(dtype), " is no m2_dtype"));
}

std::optional<Pooling> pooling_of(const m2_pooling& pooling) {
  switch (number_of(pooling)) {
    case M2_POOLING_DEFAULT:
      return std::nullopt;
    case M2_POOLING_CLS:
      return Pooling::kCls;
    case M2_POOLING_MEAN:
      return Pooling::kMean;
    case M2_POOLING_POOLER:
      return Pooling::kPooler;
    case M2_POOLING_NONE:
      return Pooling::kNone;
  }
  throw usage_error(concat(number_of(pooling), " is no m2_pooling"));
}

std::optional<bool> choice_of(const m2_choice& choice, const char* name) {
  switch (number_of(choice)) {
    case M2_DEFAULT:
      return std::nullopt;
    case M2_YES:
      return true;
    case M2_NO:
      return false;
  }
  throw usage_error(concat(name, ": ", number_of(choice), " is no m2_choice"));
}

Truncation truncation_of(const m2_truncation& truncation) {
  switch (number_of(truncation)) {
    case M2_TRUNCATION_ERROR:
      return Truncation::kError;
    case M2_TRUNCATION_END:
      return Truncation::kEnd;
    case M2_TRUNCATION_START:
      return Truncation::kStart;
  }
  throw usage_error(concat(number_of(truncation), " is no m2_truncation"));
}

m2_padding public_padding(Padding padding) {
  return padding == Padding::kNone ? M2_PADDING_NONE : M2_PADDING_MAX_LENGTH;
}

m2_dtype public_dtype(DType products) {
  switch (products) {
    case DType::kF32:
      return M2_DTYPE_FP32;
    case DType::kBF16:
      return M2_DTYPE_BF16;
    case DType::kI8:
      return M2_DTYPE_INT8;
    default:
      throw std::logic_error("no number type of products");
  }
}

m2_pooling public_pooling(Pooling pooling) {
  switch (pooling) {
    case Pooling::kCls:
      return M2_POOLING_CLS;
    case Pooling::kMean:
      return M2_POOLING_MEAN;
    case Pooling::kPooler:
      return M2_POOLING_POOLER;
    case Pooling::kNone:
      return M2_POOLING_NONE;
  }
  throw std::logic_error("unreachable");
}

std::string_view bytes_of(const char* data, size_t length) {
  return {data, length == M2_UNTIL_ZERO ? std::strlen(data) : length};
}

}  // namespace m2
