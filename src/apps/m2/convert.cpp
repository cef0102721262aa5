#include <algorithm>
#include <array>
#include <cmath>
#include <cstring>
#include <filesystem>
#include <map>
#include <numeric>
#include <set>

#include "apps/m2/command.h"
#include "apps/m2/new_folder.h"
#include "checkpoint/safetensors.h"
#include "cli/interrupt.h"
#include "cli/number_checks.h"
#include "config/json_reader.h"
#include "config/lengthen.h"
#include "config/name_matching.h"
#include "config/written_names.h"
#include "core/error.h"
#include "core/log.h"
#include "core/mapped_file.h"
#include "core/text.h"
#include "kernels/number_types.h"
#include "layers/weights.h"
#include "tokenizer/vocabulary_files.h"

namespace m2 {
namespace {

namespace fs = std::filesystem;

constexpr std::array<DType, 4> kDTypes = {DType::kF32, DType::kF16, DType::kBF16, DType::kI8};
constexpr char kModules[] = "modules.json";

struct ConvertFlags {
  ModelFlags model;
  std::string dtype, names = "m2", out_dir;
  int64_t extend_length = 0;  // 0: the model's own
  bool rescale_time = false;
};

// One tensor of the new file.
struct Entry {
  std::string name;
  std::string parameter;  // whose values it has; empty for what is no parameter of the model
  const TensorView* source = nullptr;
  DType dtype = DType::kF32;
  std::vector<int64_t> shape;
  bool scales = false;                // of the parameter's int8, not its values
  const Parameter* longer = nullptr;  // what the parameter becomes in a longer model
};

// The new file's tensors, made one at a time.
class Conversion {
 public:
  // `config` has the new model's lengths; all else of it is the model's own.
  Conversion(const ModelDescription& model, const ModelConfig& config, const ConvertFlags& flags)
      : model_(model),
        positions_count_(config.max_position_embeddings),
        new_parameters_(parameters(config, {true, true, true})),
        time_(flags.rescale_time ? FilterTime::kRescaled : FilterTime::kContinued),
        weights_(model.config, model.tensors),
        style_(flags.names == "upstream" ? NameStyle::kUpstream : NameStyle::kM2) {
    for (const DType dtype : kDTypes) {
      if (flags.dtype == dtype_name(dtype)) dtype_ = dtype;
    }
    check_tied();
    add_parameters();
    add_other_heads();
    add_position_ids();
  }

  const std::vector<Parameter>& held() const { return weights_.parameters(); }
  NameStyle style() const { return style_; }

  void write(const std::string& path) {
    std::vector<NamedTensor> tensors;
    for (const Entry& entry : entries_) {
      tensors.push_back({entry.name, {entry.dtype, entry.shape, nullptr}});
    }
    write_safetensors(path, tensors, [&](size_t index) { return bytes_of(entries_[index]); },
                      {{"format", "pt"}});
  }

 private:
  // Int8 is of large products alone.
  DType new_dtype(DType stored, Product product) const {
    if (product == Product::kNone && !is_floating(stored)) return stored;
    const bool integers = dtype_ == DType::kI8;
    if (integers && product != Product::kNone) return product_type(product, DType::kI8);
    if (dtype_ && !integers) return *dtype_;
    return stored == DType::kF64 ? DType::kF32 : stored;
  }

  void add_parameters() {
    std::map<std::string, const Parameter*> held;
    for (const Parameter& parameter : weights_.parameters()) held[parameter.name] = &parameter;
    for (const WrittenName& written : written_names(model_.config, weights_.parameters(), style_)) {
      const Parameter& parameter = *held.at(written.parameter);
      const TensorView* source = weights_.view(parameter.name);
      const DType dtype = new_dtype(source->dtype, parameter.product);
      entries_.push_back({written.name, parameter.name, source, dtype, source->shape});
      if (const Parameter* longer = longer_form(parameter)) {
        entries_.back().longer = longer;
        entries_.back().shape = longer->shape;
      }
      if (dtype != DType::kI8) continue;
      if (style_ == NameStyle::kUpstream) {
        throw usage_error(
            "--names upstream: the research code and transformers read no int8; take --dtype fp32, "
            "fp16 or bf16");
      }
      entries_.push_back({scale_name(written.name),
                          parameter.name,
                          source,
                          DType::kF32,
                          {parameter.outputs()},
                          true});
    }
  }

  // What the parameter is in the new model where that is longer, or nullptr.
  const Parameter* longer_form(const Parameter& parameter) const {
    if (parameter.length_axis < 0) return nullptr;
    const auto found =
        std::find_if(new_parameters_.begin(), new_parameters_.end(),
                     [&](const Parameter& candidate) { return candidate.name == parameter.name; });
    return found->shape == parameter.shape ? nullptr : &*found;
  }

  // Of two copies that the model takes for one weight only one is written.
  void check_tied() const {
    for (const Parameter& parameter : weights_.parameters()) {
      if (parameter.tied_to.empty()) continue;
      if (weights_.view(parameter.name) == weights_.view(parameter.tied_to)) continue;
      const FloatTensor copy = weights_.get(parameter.name);
      const FloatTensor owner = weights_.get(parameter.tied_to);
      if (std::memcmp(copy.data(), owner.data(), copy.values().size_bytes()) != 0) {
        throw input_error(concat("the weights ", parameter.name, " and ", parameter.tied_to,
                                 " differ, but to such a model they are one; a model where they "
                                 "are not tied is not supported"));
      }
    }
  }

  // Heads that the program has no use for, such as that of next sentence prediction.
  void add_other_heads() {
    std::set<std::string> known;
    for (const Parameter& parameter : weights_.parameters()) known.insert(parameter.name);
    std::map<std::string, const TensorView*> heads;
    for (const std::string& name : model_.tensors->names()) {
      const std::string canonical = canonical_name(name);
      const bool head = canonical.starts_with("cls.") || canonical.starts_with("classifier.");
      if (head && !known.contains(canonical)) heads[canonical] = model_.tensors->find(name);
    }
    for (const auto& [name, source] : heads) {
      entries_.push_back(
          {name, "", source, new_dtype(source->dtype, Product::kNone), source->shape});
    }
  }

  void add_position_ids() {
    const auto name = position_ids_name(model_.config, style_);
    if (!name) return;
    positions_.resize(static_cast<size_t>(positions_count_));
    std::iota(positions_.begin(), positions_.end(), int64_t{0});
    positions_view_ = {DType::kI64, {1, positions_count_}, positions_.data()};
    entries_.push_back({*name, "", &positions_view_, DType::kI64, positions_view_.shape});
  }

  std::span<const std::byte> bytes_of(const Entry& entry) {
    stop_if_interrupted();
    model_.tensors->release_pages(last_);
    const TensorView& source = *entry.source;
    const std::span stored(static_cast<const std::byte*>(source.data), source.bytes());
    last_ = stored;
    FloatTensor values;  // reading a weight refuses NaNs and infinities
    if (!entry.parameter.empty()) values = weights_.get(entry.parameter);
    if (entry.scales && source.dtype == DType::kI8) {
      const TensorView& scales = *weights_.scales(entry.parameter);
      return {static_cast<const std::byte*>(scales.data), scales.bytes()};
    }
    if (entry.longer != nullptr) return narrowed(entry, longer_values(entry, values.values()));
    if (entry.dtype == source.dtype && !entry.scales) return stored;
    if (entry.scales || entry.dtype == DType::kI8) return quantised(entry, values.values());
    return narrowed(entry, values.values());
  }

  std::span<const float> longer_values(const Entry& entry, std::span<const float> stored) {
    const size_t axis = static_cast<size_t>(entry.longer->length_axis);
    longer_.resize(static_cast<size_t>(entry.longer->elements()));
    lengthen(*entry.longer, entry.source->shape[axis], stored, time_,
             {longer_.data(), longer_.size()});
    return {longer_.data(), longer_.size()};
  }

  std::span<const std::byte> narrowed(const Entry& entry, std::span<const float> numbers) {
    const TensorView& source = *entry.source;
    AlignedBuffer<float> wide;
    if (entry.parameter.empty()) {
      wide.resize(static_cast<size_t>(source.elements()));
      widen_to_float(source.dtype, source.data, {wide.data(), wide.size()});
      numbers = {wide.data(), wide.size()};
    }
    narrowed_.resize(numbers.size() * dtype_size(entry.dtype));
    if (!narrow_from_float(entry.dtype, numbers, narrowed_.data())) {
      refuse_value(entry.name, entry.dtype);
    }
    return {narrowed_.data(), narrowed_.size()};
  }

  // A weight's integers, or their scales.
  std::span<const std::byte> quantised(const Entry& entry, std::span<const float> values) {
    const TensorView& source = *entry.source;
    const size_t width = static_cast<size_t>(source.shape.back());
    integers_.resize(values.size());
    scales_.resize(values.size() / width);
    for (size_t output = 0; output < scales_.size(); ++output) {
      scales_[output] = quantise_weights(values.data() + output * width, width,
                                         integers_.data() + output * width);
      if (!std::isfinite(scales_[output] * kLargestInteger)) {
        refuse_value(entry.parameter, DType::kI8);
      }
    }
    return entry.scales ? std::as_bytes(std::span(scales_)) : std::as_bytes(std::span(integers_));
  }

  [[noreturn]] static void refuse_value(const std::string& name, DType dtype) {
    throw input_error(concat("the weight ", printable(name), " holds a value beyond ",
                             dtype_name(dtype), "; take --dtype fp32"));
  }

  const ModelDescription& model_;
  int64_t positions_count_;
  std::vector<Parameter> new_parameters_;
  FilterTime time_;
  Weights weights_;
  NameStyle style_;
  std::optional<DType> dtype_;  // none: each weight's own
  std::vector<Entry> entries_;
  std::vector<int64_t> positions_;
  TensorView positions_view_;
  AlignedBuffer<float> longer_;
  AlignedBuffer<std::byte> narrowed_;
  std::vector<int8_t> integers_;
  std::vector<float> scales_;
  std::span<const std::byte> last_;
};

// The model's configuration, for longer texts where that is asked for.
ModelConfig with_new_length(const ModelDescription& model, const ConvertFlags& flags) {
  if (flags.rescale_time && model.config.family != Family::kM2Bert) {
    throw usage_error("--rescale-t is about the filters of Monarch Mixer models; this one is " +
                      std::string(family_name(model.config.family)));
  }
  if (flags.extend_length == 0) return model.config;
  const int64_t limit = model.layout.max_seq_length;
  if (limit > 0 && limit < flags.extend_length) {
    log_warning(concat("the sentence-transformers files beside the weights still limit texts to ",
                       limit, " tokens (max_seq_length)"));
  }
  return lengthened(model.config, flags.extend_length);
}

// What the new config.json states beside the old.
ModelConfig new_config(const ModelDescription& model, ModelConfig config, const ConvertFlags& flags,
                       const std::vector<Parameter>& held) {
  const auto padding = parse_padding(flags.model.padding);
  if (padding && *padding != config.padding) {
    log_warning(concat("the model's padding contract is ", padding_name(config.padding),
                       "; under the stated ", padding_name(*padding), " it gives other vectors"));
  }
  config.padding = padding.value_or(config.padding);
  config.padding_stated = true;
  const bool pools = holds_part(held, Part::kPooler) || config.pooling != Pooling::kPooler;
  if (!pools && !model.layout.pooling) {
    config.pooling = Pooling::kMean;
    config.pooling_stated = true;
  }
  return config;
}

// The vocabulary's files: beside the weights, or what --tokenizer names.
void copy_vocabulary(const fs::path& from, const fs::path& within, NewFolder& out) {
  const std::vector<VocabularyFile> files = vocabulary_files(from.string());
  for (const VocabularyFile& file : files) out.copy(file.path, within / file.name);
  if (files.empty())
    log_info(concat(from.string(), ": holds no vocabulary; the new folder has none"));
}

// The files of the sentence-transformers layout, which describe_model has checked.
void copy_layout(const ModelDescription& model, NewFolder& out) {
  const fs::path from = model.layout_folder, transformer = model.layout.transformer_folder;
  const auto copy_if_there = [&](const fs::path& name) {
    std::error_code problem;
    if (fs::exists(from / name, problem)) out.copy(from / name, name);
  };
  copy_if_there("config_sentence_transformers.json");
  copy_if_there(transformer / "sentence_bert_config.json");
  const std::string source = (from / kModules).string();
  const Value modules = parse_json(read_text_file(source, kMaxConfigBytes), source);
  for (const Value& module : modules.items) {
    const Value* path = module.find("path");
    if (path == nullptr || path->text.empty() || path->text == transformer) continue;
    std::error_code problem;
    for (const auto& entry : fs::directory_iterator(from / path->text, problem)) {
      if (entry.is_regular_file(problem)) {
        out.copy(entry.path(), fs::path(path->text) / entry.path().filename());
      }
    }
  }
  out.copy(source, kModules);
}

void convert(const ConvertFlags& flags) {
  ModelFiles files = flags.model.files();
  files.padding.reset();  // what the new config states; the weights are the same
  const ModelDescription model = describe_model(files);
  if (!flags.model.tokenizer.empty()) Tokenizer::load(flags.model.tokenizer);
  const ModelConfig longer = with_new_length(model, flags);
  Conversion conversion(model, longer, flags);
  const ModelConfig config = new_config(model, longer, flags, conversion.held());

  NewFolder out(flags.out_dir);
  const fs::path within = model.layout.transformer_folder;
  const fs::path weights = out.add(within / "model.safetensors");
  conversion.write(weights.string());
  copy_vocabulary(flags.model.tokenizer.empty() ? model.folder : flags.model.tokenizer, within,
                  out);
  if (model.layout.pooling) copy_layout(model, out);
  // Last: without it what a killed process leaves is no model.
  out.write(within / "config.json", to_json(config, conversion.held(), conversion.style()));
  out.commit();
  log_info(concat(flags.out_dir, ": ", family_name(config.family), ", padding ",
                  padding_name(config.padding), ", for texts of up to ", config.max_length(),
                  " tokens"));
}

void add_length(CLI::App& command, ConvertFlags& flags) {
  CLI::Option* length = command.add_option(
      "--extend-length", flags.extend_length,
      "Make a model for longer texts, of up to so many tokens: positions and the filters' z "
      "repeat, their t goes on with its step, so that the filters' first taps stay as they are");
  length->check(above_zero());
  command
      .add_flag("--rescale-t", flags.rescale_time,
                "With it: t is 0 … 1 over the new length, as the published models were lengthened; "
                "every tap changes")
      ->needs(length);
}

}  // namespace

void add_convert(CLI::App& app) {
  CLI::App* command = app.add_subcommand(
      "convert", "Write a model as safetensors, in another precision or under other names");
  const auto flags = std::make_shared<ConvertFlags>();
  command
      ->add_option("--model-id,MODEL", flags->model.model_id,
                   "Model: a folder, a file of weights (.safetensors, .bin, .pt) or a name on the "
                   "Hugging Face hub")
      ->required();
  flags->model.add_offline(*command);
  command->add_option("--config", flags->model.config,
                      "Configuration, config.json or YAML, where it does not lie beside the "
                      "weights");
  flags->model.add_tokenizer(*command);
  command
      ->add_option("--padding", flags->model.padding,
                   "Contract that the new config.json states, where it is not the model's own")
      ->check(CLI::IsMember({"none", "max_length"}));
  std::vector<std::string> dtypes;
  for (const DType dtype : kDTypes) dtypes.emplace_back(dtype_name(dtype));
  command
      ->add_option("--dtype", flags->dtype,
                   "Of the new weights, " + join(dtypes, ", ") +
                       ", rounded to nearest even; int8 is for the weights of large products "
                       "alone, with a scale an output; left out, each keeps its own")
      ->check(CLI::IsMember(dtypes));
  command
      ->add_option("--names", flags->names,
                   "m2, or upstream: what the research code (for plain BERT, transformers) loads")
      ->check(CLI::IsMember({"m2", "upstream"}))
      ->capture_default_str();
  add_length(*command, *flags);
  command->add_option("OUT_DIR", flags->out_dir, "Folder to make")->required();
  command->footer(
      "The new config.json states the padding contract, and the masked mean where the file has no\n"
      "pooler. Heads are kept; vocabulary and sentence-transformers files are copied as they "
      "are.\n\n"
      "Examples:\n"
      "  m2 convert ep1-ba500.pt my-model --config pretrain.yaml --tokenizer vocab.txt --dtype "
      "bf16\n"
      "  m2 convert my-model my-longer-model --extend-length 8192");
  command->callback([flags] { convert(*flags); });
}

}  // namespace m2
