#include "serve/inputs.h"

#include <algorithm>
#include <utility>

#include "core/error.h"
#include "core/text.h"
#include "embedding/prompted_text.h"
#include "serve/api_error.h"
#include "serve/request_json.h"

namespace m2 {
namespace {

using Json = nlohmann::json;

ApiError bad_input(const std::string& param, const std::string& problem) {
  return {ApiProblem::kBadRequest, problem, param};
}

const std::string& text_of(const Json& value, const std::string& param) {
  const std::string& text = string_of(value, param);
  if (text.find_first_not_of(" \t\r\n\v\f") != text.npos) return text;
  throw bad_input(param, "the text is empty");
}

std::string element(const std::string& param, size_t index) {
  return concat(param, "[", index, "]");
}

}  // namespace

int64_t longest_input(const ServedModel& model, const ServeOptions& options) {
  const int64_t own = model.model().longest_text();
  const auto limit = static_cast<int64_t>(options.input_tokens);
  return limit > 0 ? std::min(own, limit) : own;
}

void check_count(size_t count, const ServeOptions& options, const std::string& param) {
  if (count == 0) throw bad_input(param, "the list is empty");
  if (count > options.inputs) {
    throw ApiError(ApiProblem::kTooManyInputs,
                   concat("the request has ", count, " inputs, this server takes ", options.inputs,
                          " at once; send them in several requests"),
                   param)
        .at_limit("inputs");
  }
}

InputReader::InputReader(const ServedModel& model, const ServeOptions& options,
                         const InputOptions& input)
    : model_(model), options_(options), input_(input) {}

void InputReader::check_length(int64_t tokens, const std::string& param) const {
  if (tokens <= longest() || input_.truncate) return;
  throw ApiError(
      ApiProblem::kContextLength,
      concat("the input has ", tokens, " tokens, this model's maximum context length is ",
             longest(), "; shorten it, or ask for truncation with \"truncate\": true"),
      param)
      .at_limit("input_tokens");
}

void InputReader::add_sequence(TokenSequence sequence, int64_t tokens_before_cut,
                               const std::string& param) {
  const auto tokens = static_cast<int64_t>(sequence.ids.size());
  inputs_.tokens += tokens;
  if (tokens < tokens_before_cut) {
    ++inputs_.truncated;
    inputs_.truncated_tokens += tokens_before_cut - tokens;
  }
  pad_to_contract(model_.model().config, sequence);
  inputs_.computed_tokens += static_cast<int64_t>(sequence.ids.size());
  const size_t most = options_.request_tokens;
  if (inputs_.computed_tokens > static_cast<int64_t>(most)) {
    throw ApiError(ApiProblem::kTooManyInputs,
                   concat("the request has more than the ", most, " tokens, pads included, that ",
                          "this server takes at once; send fewer inputs a request"),
                   param)
        .at_limit("request_tokens");
  }
  inputs_.sequences.push_back(std::move(sequence));
}

void InputReader::add_text(const std::string& text, const std::string& param) {
  PromptedText tokens;
  try {
    tokens = tokenize(model_.tokenizer(), input_.prompt, text);
  } catch (const Error& error) {
    throw bad_input(param, error.what());
  }
  check_length(tokens.total(), param);
  inputs_.characters += tokens.characters;
  const size_t count = tokens.text_tokens();
  TokenRange range = {0, count};
  if (tokens.total() > longest()) {
    if (tokens.around() >= longest()) {
      throw bad_input(param, concat("the prompt and the special tokens are ", tokens.around(),
                                    " tokens, which leaves no room for a text within ", longest()));
    }
    const auto room = static_cast<size_t>(longest() - tokens.around());
    range =
        input_.cut == TruncationSide::kEnd ? TokenRange{0, room} : TokenRange{count - room, count};
  }
  add_sequence(tokens.sequence(range), tokens.total(), param);
}

void InputReader::add_pair(const std::string& first, const std::string& second,
                           const std::string& param) {
  const int64_t limit = input_.truncate ? longest() : 0;
  Encoding encoding;
  try {
    encoding = model_.tokenizer().encode_pair(first, second, {true, limit, input_.cut});
  } catch (const Error& error) {
    throw bad_input(param, error.what());
  }
  check_length(encoding.total_tokens, param);
  inputs_.characters += encoding.texts[0].characters + encoding.texts[1].characters;
  TokenSequence sequence;
  sequence.ids = std::move(encoding.ids);
  sequence.types = std::move(encoding.type_ids);
  sequence.mask.assign(sequence.ids.size(), 1);
  add_sequence(std::move(sequence), encoding.total_tokens, param);
}

void InputReader::check_ids(const std::vector<int32_t>& ids, const std::string& param) const {
  const SpecialTokenIds& special = model_.tokenizer().special_ids();
  if (options_.allow_bare_ids || (ids.front() == special.cls && ids.back() == special.sep)) return;
  throw bad_input(param, concat("the token ids do not begin with [CLS] (", special.cls,
                                ") and end with [SEP] (", special.sep,
                                "), so they are likely another tokenizer's; LangChain sends such ",
                                "ids unless check_embedding_ctx_length=False: send texts instead"));
}

void InputReader::add_ids(const Json& value, const std::string& param) {
  if (value.empty()) throw bad_input(param, "the list of token ids is empty");
  const int32_t words = model_.tokenizer().vocab_size();
  std::vector<int32_t> ids;
  ids.reserve(value.size());
  for (const Json& id : value) {
    const auto number = whole_number(id);
    if (!number || *number < 0 || *number >= words) {
      throw bad_input(
          param, concat("holds ", printable(id.dump(-1, ' ', true, Json::error_handler_t::replace)),
                        ", which is no token id of this model's ", words,
                        "; another tokenizer's ids make no sense here: LangChain sends ",
                        "such ids unless check_embedding_ctx_length=False"));
    }
    ids.push_back(static_cast<int32_t>(*number));
  }
  check_ids(ids, param);
  const auto total = static_cast<int64_t>(ids.size());
  check_length(total, param);
  if (total > longest()) {
    const int32_t last = ids.back();
    ids.resize(static_cast<size_t>(longest()));
    ids.back() = last;
  }
  TokenSequence sequence;
  sequence.types.assign(ids.size(), 0);
  sequence.mask.assign(ids.size(), 1);
  sequence.ids = std::move(ids);
  add_sequence(std::move(sequence), total, param);
}

void InputReader::add_texts(const Json& texts, const std::string& param) {
  if (texts.is_string()) return add_text(text_of(texts, param), param);
  if (!texts.is_array()) {
    throw bad_input(param, concat("must be a string or a list of strings, is ", texts.type_name()));
  }
  check_count(texts.size(), options_, param);
  for (size_t i = 0; i < texts.size(); ++i) {
    add_text(text_of(texts[i], element(param, i)), element(param, i));
  }
}

void InputReader::add_texts_or_ids(const Json& value, const std::string& param) {
  if (!value.is_array() || value.empty() || value.front().is_string()) {
    return add_texts(value, param);
  }
  if (value.front().is_number()) return add_ids(value, param);
  check_count(value.size(), options_, param);
  for (size_t i = 0; i < value.size(); ++i) {
    if (!value[i].is_array()) {
      throw bad_input(element(param, i),
                      concat("must be a string or a list of token ids, is ", value[i].type_name()));
    }
    add_ids(value[i], element(param, i));
  }
}

}  // namespace m2
