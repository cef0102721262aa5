#include "config/sentence_layout.h"

#include <algorithm>
#include <array>
#include <filesystem>
#include <string_view>

#include "config/fields.h"
#include "config/json_reader.h"
#include "core/error.h"
#include "core/mapped_file.h"
#include "core/text.h"

namespace m2 {
namespace {

namespace fs = std::filesystem;

constexpr size_t kMaxModules = 64;
constexpr int64_t kMaxWidth = int64_t{1} << 16;
// Above it model_max_length is transformers' way to say that there is none.
constexpr int64_t kMaxTokens = int64_t{1} << 24;

// A file of the layout that is a JSON object.
struct Document {
  std::string source;
  Value value;
};

class LayoutReader {
 public:
  LayoutReader(const ReadFile& read, const std::string& folder) : read_(read), folder_(folder) {}

  std::optional<SentenceLayout> read();

 private:
  struct Module {
    std::string type;  // the class alone
    std::string path;
  };

  std::string source_of(const std::string& name) const { return folder_ + "/" + name; }
  std::optional<Document> document(const std::string& name) const;
  Document required(const std::string& name) const;
  std::vector<Module> modules(const std::string& text) const;
  void take(const Module& module, size_t index);
  void read_transformer(const std::string& path);
  void read_pooling(const std::string& path);
  void read_dense(const std::string& path);
  void read_normalise(const std::string& path) const;
  void read_settings();

  const ReadFile& read_;
  const std::string folder_;
  SentenceLayout layout_;
};

std::string within(const std::string& folder, const char* name) {
  return folder.empty() ? name : folder + "/" + name;
}

bool is_single_name(const std::string& path) {
  return path != "." && path != ".." &&
         path.find_first_of(std::string_view("/\\\0", 3)) == path.npos;
}

// Whether a setting is as good as not there: null, false, "", [] or {}.
bool says_nothing(const Value& value) {
  switch (value.kind) {
    case Value::Kind::kNull:
      return true;
    case Value::Kind::kBool:
      return !value.boolean;
    case Value::Kind::kText:
      return value.text.empty();
    case Value::Kind::kList:
      return value.items.empty();
    case Value::Kind::kMap:
      return value.members.empty();
    default:
      return false;
  }
}

void refuse_unread(Fields& fields) {
  for (const std::string& key : fields.unread()) {
    const Value* value = fields.value(key);
    if (value == nullptr || says_nothing(*value)) continue;
    fields.refuse(printable(key), concat("is ", value->describe(), ": not supported"));
  }
}

// A setting of which only one value is supported.
void only(Fields& fields, const char* key, const char* supported) {
  const std::string stated = fields.text(key, supported);
  if (stated != supported) {
    fields.refuse(key, concat("is \"", printable(stated), "\", only ", supported, " is supported"));
  }
}

void only_sentence_embedding(Fields& fields) {
  only(fields, "module_input_name", "sentence_embedding");
  only(fields, "module_output_name", "sentence_embedding");
}

int64_t width(Fields& fields, const char* key) {
  fields.require(key, "it is a vector's width");
  const int64_t value = fields.integer(key, 0);
  if (value < 1 || value > kMaxWidth) {
    fields.refuse(key, concat("is ", value, ", must be from 1 to ", kMaxWidth));
  }
  return value;
}

// The class of "sentence_transformers.models.Dense" and of the package's other places for it; empty
// for what is none of its modules.
std::string class_of(const std::string& type) {
  for (const std::string_view place :
       {"sentence_transformers.models.", "sentence_transformers.base.modules.",
        "sentence_transformers.sentence_transformer.modules."}) {
    if (type.starts_with(place)) return type.substr(type.rfind('.') + 1);
  }
  return "";
}

Activation activation_of(Fields& fields) {
  const std::string name = fields.text("activation_function", "torch.nn.modules.activation.Tanh");
  constexpr std::array<std::pair<std::string_view, Activation>, 6> kKnown = {
      {{"Identity", Activation::kIdentity},
       {"Tanh", Activation::kTanh},
       {"ReLU", Activation::kRelu},
       {"GELU", Activation::kGelu},
       {"Sigmoid", Activation::kSigmoid},
       {"SiLU", Activation::kSilu}}};
  if (name.starts_with("torch.nn.")) {
    const std::string_view last = std::string_view(name).substr(name.rfind('.') + 1);
    for (const auto& known : kKnown) {
      if (last == known.first) return known.second;
    }
  }
  fields.refuse("activation_function",
                concat("is \"", printable(name),
                       "\"; Identity, Tanh, ReLU, GELU, Sigmoid and SiLU of torch.nn are "
                       "supported"));
}

// The modes of a pooling, in the words of the newest form: `pooling_mode`, a text or a list. Older
// files have a switch for each.
std::vector<std::string> pooling_modes(Fields& fields) {
  constexpr std::array<std::pair<const char*, const char*>, 6> kSwitches = {
      {{"pooling_mode_cls_token", "cls"},
       {"pooling_mode_max_tokens", "max"},
       {"pooling_mode_mean_tokens", "mean"},
       {"pooling_mode_mean_sqrt_len_tokens", "mean_sqrt_len_tokens"},
       {"pooling_mode_weightedmean_tokens", "weightedmean"},
       {"pooling_mode_lasttoken", "lasttoken"}}};
  std::vector<std::string> switched;
  for (const auto& known : kSwitches) {
    if (fields.flag(known.first, false)) switched.emplace_back(known.second);
  }
  const Value* stated = fields.value("pooling_mode");
  if (stated == nullptr) return switched.empty() ? std::vector<std::string>{"mean"} : switched;
  if (stated->kind != Value::Kind::kList) return {fields.text("pooling_mode", "")};
  std::vector<std::string> modes;
  for (const Value& item : stated->items) {
    if (item.kind != Value::Kind::kText) fields.refuse("pooling_mode", "holds no text");
    modes.push_back(item.text);
  }
  return modes;
}

int64_t token_limit(Fields& fields, const char* key) {
  const Value* value = fields.value(key);
  if (value == nullptr || value->kind == Value::Kind::kReal) return 0;
  const int64_t limit = fields.integer(key, 0);
  if (limit < 1) fields.refuse(key, concat("is ", limit, ", must be at least 1"));
  return limit > kMaxTokens ? 0 : limit;
}

std::optional<Document> LayoutReader::document(const std::string& name) const {
  const std::optional<std::string> text = read_(name);
  if (!text) return std::nullopt;
  const std::string source = source_of(name);
  return Document{source, parse_json(*text, source)};
}

Document LayoutReader::required(const std::string& name) const {
  auto found = document(name);
  if (!found) throw input_error(concat(source_of(name), ": is missing; modules.json needs it"));
  return std::move(*found);
}

std::vector<LayoutReader::Module> LayoutReader::modules(const std::string& text) const {
  const std::string source = source_of("modules.json");
  const Value root = parse_json(text, source);
  if (root.kind != Value::Kind::kList || root.items.empty()) {
    throw input_error(concat(source, ": holds no list of modules"));
  }
  if (root.items.size() > kMaxModules) {
    throw input_error(concat(source, ": holds more than ", kMaxModules, " modules"));
  }
  std::vector<Module> modules;
  for (size_t i = 0; i < root.items.size(); ++i) {
    Fields fields(root.items[i], concat(source, ": module ", i));
    fields.require("type", "it names the module's class");
    const std::string type = fields.text("type", "");
    Module module = {class_of(type), fields.text("path", "")};
    if (module.type.empty()) {
      fields.refuse("type", concat("is \"", printable(type),
                                   "\": no module of sentence-transformers that is supported"));
    }
    if (!is_single_name(module.path)) {
      fields.refuse("path", concat("is \"", printable(module.path),
                                   "\"; only names within the model's folder are taken"));
    }
    fields.value("idx");
    fields.value("name");
    refuse_unread(fields);
    modules.push_back(std::move(module));
  }
  return modules;
}

void LayoutReader::read_transformer(const std::string& path) {
  layout_.transformer_folder = path;
  if (const auto settings = document(within(path, "sentence_bert_config.json"))) {
    Fields fields(settings->value, settings->source);
    layout_.max_seq_length = token_limit(fields, "max_seq_length");
    layout_.lower_case = fields.flag("do_lower_case", false);
    only(fields, "transformer_task", "feature-extraction");
    only(fields, "module_output_name", "token_embeddings");
    if (const Value* modality = fields.value("modality_config")) {
      Fields kinds(*modality, settings->source + ": modality_config");
      if (const Value* text = kinds.value("text")) {
        Fields method(*text, settings->source + ": modality_config.text");
        only(method, "method", "forward");
        only(method, "method_output_name", "last_hidden_state");
        refuse_unread(method);
      }
      refuse_unread(kinds);
    }
    refuse_unread(fields);
  }
  if (layout_.max_seq_length > 0) return;
  if (const auto tokenizer = document(within(path, "tokenizer_config.json"))) {
    Fields fields(tokenizer->value, tokenizer->source);
    layout_.max_seq_length = token_limit(fields, "model_max_length");
  }
}

void LayoutReader::read_pooling(const std::string& path) {
  const Document file = required(within(path, "config.json"));
  Fields fields(file.value, file.source);
  const std::vector<std::string> modes = pooling_modes(fields);
  if (modes.size() != 1) {
    fields.refuse("pooling_mode", concat("is [", printable(join(modes, ", ")),
                                         "]: only one mode at a time is supported"));
  }
  if (modes[0] == "cls") {
    layout_.pooling = Pooling::kCls;
  } else if (modes[0] == "mean") {
    layout_.pooling = Pooling::kMean;
  } else {
    fields.refuse("pooling_mode",
                  concat("is \"", printable(modes[0]), "\"; cls and mean are supported"));
  }
  const char* size =
      fields.has("embedding_dimension") ? "embedding_dimension" : "word_embedding_dimension";
  layout_.pooled_size = width(fields, size);
  layout_.include_prompt = fields.flag("include_prompt", true);
  refuse_unread(fields);
}

void LayoutReader::read_dense(const std::string& path) {
  const Document file = required(within(path, "config.json"));
  Fields fields(file.value, file.source);
  DenseDescription dense;
  dense.folder = path;
  dense.in_features = width(fields, "in_features");
  dense.out_features = width(fields, "out_features");
  dense.bias = fields.flag("bias", true);
  dense.activation = activation_of(fields);
  only_sentence_embedding(fields);
  refuse_unread(fields);
  const int64_t before =
      layout_.dense.empty() ? layout_.pooled_size : layout_.dense.back().out_features;
  if (dense.in_features != before) {
    fields.refuse("in_features",
                  concat("is ", dense.in_features, ", but the module before gives ", before));
  }
  layout_.dense.push_back(std::move(dense));
}

void LayoutReader::read_normalise(const std::string& path) const {
  if (path.empty()) return;  // the configuration there would be the model's
  const auto file = document(within(path, "config.json"));
  if (!file) return;
  Fields fields(file->value, file->source);
  only_sentence_embedding(fields);
  refuse_unread(fields);
}

void LayoutReader::take(const Module& module, size_t index) {
  const auto refuse = [&](const std::string& why) {
    throw input_error(
        concat(source_of("modules.json"), ": module ", index, " is ", printable(module.type), why));
  };
  const bool known = module.type == "Pooling" || module.type == "Dense" ||
                     module.type == "Normalize" || module.type == "Transformer";
  if (!known) refuse("; Transformer, Pooling, Dense and Normalize are supported");
  if ((index == 0) != (module.type == "Transformer")) {
    refuse("; a Transformer is the first module, and only that");
  }
  if (index > 0 && (index == 1) != (module.type == "Pooling")) {
    refuse("; a Pooling is the second module, and only that");
  }
  if (layout_.normalise && module.type != "Normalize") {
    refuse(" behind a Normalize; only the last vector may be normalised");
  }
  if (module.type == "Transformer") read_transformer(module.path);
  if (module.type == "Pooling") read_pooling(module.path);
  if (module.type == "Dense") read_dense(module.path);
  if (module.type == "Normalize") {
    read_normalise(module.path);
    layout_.normalise = true;
  }
}

void LayoutReader::read_settings() {
  const auto file = document("config_sentence_transformers.json");
  if (!file) return;
  Fields fields(file->value, file->source);
  only(fields, "model_type", "SentenceTransformer");
  if (const Value* prompts = fields.value("prompts")) {
    Fields named(*prompts, file->source + ": prompts");
    for (const ValueMember& prompt : prompts->members) {
      layout_.prompts.emplace_back(prompt.key, named.text(prompt.key, ""));
    }
  }
  const std::string chosen = fields.text("default_prompt_name", "");
  if (fields.has("default_prompt_name")) {
    const bool known = std::any_of(layout_.prompts.begin(), layout_.prompts.end(),
                                   [&](const auto& prompt) { return prompt.first == chosen; });
    if (!known) {
      fields.refuse("default_prompt_name",
                    concat("is \"", printable(chosen), "\", which is none of its prompts"));
    }
    layout_.default_prompt = chosen;
  }
  layout_.similarity = fields.text("similarity_fn_name", fields.text("similarity", ""));
  constexpr std::array<std::string_view, 5> kKnown = {"", "cosine", "dot", "euclidean",
                                                      "manhattan"};
  if (std::find(kKnown.begin(), kKnown.end(), layout_.similarity) == kKnown.end()) {
    fields.refuse("similarity_fn_name",
                  concat("is \"", printable(layout_.similarity),
                         "\"; cosine, dot, euclidean and manhattan are known"));
  }
  fields.value("__version__");
  refuse_unread(fields);
}

std::optional<SentenceLayout> LayoutReader::read() {
  const auto text = read_("modules.json");
  if (!text) return std::nullopt;
  const std::vector<Module> found = modules(*text);
  for (size_t i = 0; i < found.size(); ++i) take(found[i], i);
  if (!layout_.pooling) {
    throw input_error(
        concat(source_of("modules.json"), ": has no Pooling module, so that no vector is defined"));
  }
  read_settings();
  return std::move(layout_);
}

}  // namespace

const char* activation_name(Activation activation) {
  switch (activation) {
    case Activation::kIdentity:
      return "identity";
    case Activation::kTanh:
      return "tanh";
    case Activation::kRelu:
      return "relu";
    case Activation::kGelu:
      return "gelu";
    case Activation::kSigmoid:
      return "sigmoid";
    default:
      return "silu";
  }
}

std::optional<SentenceLayout> parse_sentence_layout(const ReadFile& read,
                                                    const std::string& folder) {
  return LayoutReader(read, folder).read();
}

std::optional<SentenceLayout> read_sentence_layout(const std::string& folder) {
  const auto read = [&](const std::string& name) -> std::optional<std::string> {
    const fs::path path = fs::path(folder) / name;
    std::error_code problem;
    if (!fs::exists(path, problem) && !problem) return std::nullopt;
    return read_text_file(path.string(), kMaxConfigBytes);
  };
  return parse_sentence_layout(read, folder);
}

}  // namespace m2
