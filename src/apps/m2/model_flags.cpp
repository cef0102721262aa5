#include <algorithm>
#include <array>
#include <cctype>
#include <charconv>
#include <cmath>

#include "apps/m2/command.h"
#include "cli/interrupt.h"
#include "cli/progress.h"
#include "core/error.h"
#include "core/text.h"
#include "hub/download.h"

namespace m2 {
namespace {

constexpr char kModelHelp[] =
    "Model: a folder as on the Hugging Face hub, a file of weights (.safetensors, .bin, .pt), or a "
    "name there, ORG/NAME or ORG/NAME@REVISION: from the cache, else downloaded";

std::string obtain(const std::string& model_id, bool offline) {
  constexpr int64_t kUnit = 1000;  // bytes in a kB
  Progress progress("downloading " + printable(model_id), "kB");
  DownloadOptions options;
  options.offline = offline;
  options.interrupted = interrupted;
  options.progress = [&](const DownloadProgress& at) {
    progress.update(static_cast<double>(at.present) / static_cast<double>(at.total),
                    static_cast<int64_t>(at.moved) / kUnit);
  };
  return obtain_model(model_id, options);
}

}  // namespace

void ModelFlags::add_model(CLI::App& command) {
  command.add_option("--model-id", model_id, kModelHelp)->required()->envname("M2_MODEL_ID");
  add_reading(command);
}

void ModelFlags::add_models(CLI::App& command, std::vector<std::string>& model_ids) {
  command.add_option("--model-id", model_ids, concat(kModelHelp, "; may be repeated"))
      ->required()
      ->envname("M2_MODEL_ID")
      ->allow_extra_args(false);
  add_reading(command);
}

void ModelFlags::add_reading(CLI::App& command) {
  command.add_option(
      "--config", config,
      "Configuration, config.json or YAML, where it does not lie beside the weights");
  command
      .add_option("--padding", padding,
                  "Compute under another padding contract than the model's: gives other vectors")
      ->check(CLI::IsMember({"none", "max_length"}));
  add_offline(command);
}

void ModelFlags::add_offline(CLI::App& command) {
  command
      .add_flag("--offline", offline,
                "Download nothing: the model is on disk or in the cache; so does HF_HUB_OFFLINE=1")
      ->envname("M2_OFFLINE");
}

void ModelFlags::add_tokenizer(CLI::App& command) {
  command
      .add_option("--tokenizer", tokenizer,
                  "Vocabulary: a folder, tokenizer.json or vocab.txt, where the model's folder has "
                  "none")
      ->envname("M2_TOKENIZER");
}

void ModelFlags::add_compute(CLI::App& command) {
  command.add_option("--threads", threads, "Threads; 0 is one a physical core")
      ->check(CLI::Range(0, 1024))
      ->envname("M2_THREADS");
  command
      .add_option(
          "--filter-cache-bytes", filter_cache_bytes,
          "Memory for filter spectra kept from text to text; what does not fit is made again "
          "for each text")
      ->envname("M2_FILTER_CACHE_BYTES")
      ->capture_default_str();
  command
      .add_option(
          "--filter-cache-dtype", filter_cache_dtype,
          "Precision of filter spectra, kept or not: fp16 takes half the memory and errs by "
          "5e-4 a layer")
      ->check(CLI::IsMember({"fp32", "fp16"}))
      ->envname("M2_FILTER_CACHE_DTYPE")
      ->capture_default_str();
}

void ModelFlags::add_dtype(CLI::App& command) {
  std::vector<std::string> names;
  for (const DType type : kProductTypes) names.emplace_back(dtype_name(type));
  command
      .add_option("--dtype", dtype,
                  "Number type of the large products: " + join(names, ", ") +
                      "; left out, int8 where the weights are stored so, else fp32")
      ->check(CLI::IsMember(names))
      ->envname("M2_DTYPE");
}

ModelFiles ModelFlags::files() const {
  ModelFiles files = {obtain(model_id, offline), config, parse_padding(padding)};
  files.dtype = parse_product_type(dtype);
  return files;
}

SessionOptions ModelFlags::session() const {
  const DType spectra = filter_cache_dtype == "fp16" ? DType::kF16 : DType::kF32;
  return {threads, parse_bytes(filter_cache_bytes), spectra};
}

size_t parse_bytes(const std::string& text) {
  static constexpr std::array<std::pair<const char*, double>, 8> kUnits = {{{"", 1},
                                                                            {"B", 1},
                                                                            {"kB", 1e3},
                                                                            {"MB", 1e6},
                                                                            {"GB", 1e9},
                                                                            {"KiB", 1024.0},
                                                                            {"MiB", 1048576.0},
                                                                            {"GiB", 1073741824.0}}};
  double value = 0;
  const char* end = text.data() + text.size();
  const auto [rest, problem] = std::from_chars(text.data(), end, value);
  const char* unit = rest;
  while (unit < end && *unit == ' ') ++unit;
  for (const auto& [name, factor] : kUnits) {
    const double bytes = value * factor;
    if (problem == std::errc() && std::string(unit, end) == name && bytes >= 0 && bytes < 1e15) {
      return static_cast<size_t>(bytes);
    }
  }
  throw usage_error(concat("\"", printable(text), "\" is no size in bytes; write 500MB or 1GiB"));
}

std::optional<DType> parse_product_type(const std::string& text) {
  for (const DType type : kProductTypes) {
    if (text == dtype_name(type)) return type;
  }
  return std::nullopt;
}

std::optional<Padding> parse_padding(const std::string& text) {
  if (text.empty()) return std::nullopt;
  return text == "none" ? Padding::kNone : Padding::kMaxLength;
}

std::optional<Pooling> parse_pooling(const std::string& text) {
  for (const Pooling pooling : {Pooling::kCls, Pooling::kMean, Pooling::kPooler, Pooling::kNone}) {
    if (text == pooling_name(pooling)) return pooling;
  }
  return std::nullopt;
}

}  // namespace m2
