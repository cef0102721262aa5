#include <array>
#include <cstdio>
#include <iostream>
#include <map>
#include <nlohmann/json.hpp>
#include <set>

#include "apps/m2/command.h"
#include "cli/output_file.h"
#include "core/text.h"
#include "inference/estimate.h"
#include "layers/weights.h"
#include "ops/gemm/matmul.h"
#include "ops/operand.h"

namespace m2 {
namespace {

using Json = nlohmann::ordered_json;

std::string decimals(const char* format, double value) {
  std::array<char, 32> buffer{};
  std::snprintf(buffer.data(), buffer.size(), format, value);
  return buffer.data();
}

std::string millions(int64_t count) {
  return decimals("%.1f M", static_cast<double>(count) / 1e6);
}

// Elements of the file's parameters by part, tied ones once.
std::map<Part, int64_t> count_by_part(const Weights& weights) {
  std::map<Part, int64_t> counts;
  for (const Parameter& parameter : weights.parameters()) {
    if (parameter.tied_to.empty()) counts[parameter.part] += parameter.elements();
  }
  return counts;
}

std::string dtypes_of(const Weights& weights) {
  std::set<std::string> names;
  for (const Parameter& parameter : weights.parameters()) {
    names.insert(dtype_name(weights.view(parameter.name)->dtype));
  }
  return join({names.begin(), names.end()}, ", ");
}

Json describe_layout(const SentenceLayout& layout) {
  Json dense = Json::array(), prompts = Json::object();
  for (const DenseDescription& module : layout.dense) {
    dense.push_back({{"in", module.in_features},
                     {"out", module.out_features},
                     {"bias", module.bias},
                     {"activation", activation_name(module.activation)}});
  }
  for (const auto& [name, text] : layout.prompts) prompts[name] = text;
  Json found = {{"dense", dense}, {"prompts", prompts}, {"default_prompt", nullptr}};
  if (layout.default_prompt) found["default_prompt"] = *layout.default_prompt;
  found["similarity"] = layout.similarity.empty() ? Json() : Json(layout.similarity);
  found["lower_case"] = layout.lower_case;
  return found;
}

GemmRates measure_rates(DType products, int threads) {
  const double fp32 = measure_gemm_rate(DType::kF32, threads, 5);
  return {fp32, products == DType::kF32 ? fp32 : measure_gemm_rate(products, threads, 5)};
}

Json describe(const ModelFlags& flags) {
  const ModelFiles files = flags.files();
  const ModelDescription model = describe_model(files);
  const ModelConfig& config = model.config;
  const Weights weights(config, model.tensors, files.dtype);
  const SessionOptions session = flags.session();
  const int threads = session.threads > 0 ? session.threads : physical_cores();
  const int64_t length = config.max_length();
  const DType products = weights.products();
  const GemmRates rates = measure_rates(operand_type(products), threads);

  Json parts = Json::object();
  for (const auto& [part, count] : count_by_part(weights)) parts[part_name(part)] = count;
  Json info = {
      {"family", family_name(config.family)},
      {"files", model.files},
      {"format", model.tensors->format()},
      {"dtype", dtypes_of(weights)},
      {"parameters", count_parameters(config)},
      {"parameters_by_part", parts},
      {"hidden_size", config.hidden_size},
      {"intermediate_size", config.intermediate_size},
      {"num_hidden_layers", config.num_hidden_layers},
      {"vocab_size", config.vocab_size},
      {"max_length", length},
      {"longest_text", model.longest_text()},
      {"padding", padding_name(config.padding)},
      {"pooling", pooling_name(config.pooling)},
      {"normalize", config.use_normalized_embeddings},
      {"full_length_memory_bytes",
       estimate_memory(config, products, length, session.filter_cache_bytes, threads)},
      {"full_length_seconds", estimate_seconds(config, length, session.filter_cache_bytes, rates)},
      {"products", dtype_name(products)},
      {"multiplied_as", dtype_name(operand_type(products))},
      {"product_weight_bytes", product_weight_bytes(config, products)},
      {"threads", threads},
      {"gemm_gflops", rates.products}};
  info.update(describe_layout(model.layout));
  return info;
}

// The steps from hidden states to a vector.
std::string vector_text(const Json& info) {
  std::string text = info["pooling"];
  for (const auto& dense : info["dense"]) {
    text += concat(", dense ", dense["in"].get<int64_t>(), " to ", dense["out"].get<int64_t>(),
                   " with ", dense["activation"].get<std::string>());
  }
  return text + (info["normalize"].get<bool>() ? ", scaled to length 1" : ", not scaled");
}

// What the encoder's large products are computed in, and what their weights take.
std::string products_text(const Json& info) {
  const std::string wanted = info["products"], multiplied = info["multiplied_as"];
  return concat("in ", wanted,
                wanted == multiplied ? "" : concat(", widened to ", multiplied, " on this machine"),
                ", ", bytes_text(info["product_weight_bytes"].get<uint64_t>()), " of weights");
}

// Names and texts from the model's files, fit for a terminal.
void print_prompts(const Json& info, std::ostream& out) {
  const auto& chosen = info["default_prompt"];
  std::string title = "prompts";
  for (const auto& [name, text] : info["prompts"].items()) {
    out << title << std::string(20 - title.size(), ' ') << printable(name) << ": \""
        << printable(text.get<std::string>(), 200) << '"'
        << (chosen.is_string() && chosen == name ? ", by default" : "") << '\n';
    title.clear();
  }
}

void print(const Json& info, std::ostream& out) {
  const auto row = [&](const std::string& name, const std::string& value) {
    out << name << std::string(name.size() < 20 ? 20 - name.size() : 1, ' ') << value << '\n';
  };
  const auto number = [&](const char* key) { return std::to_string(info[key].get<int64_t>()); };
  const bool padded = info["padding"] == padding_name(Padding::kMaxLength);
  row("family", info["family"]);
  row("weights", concat(info["format"].get<std::string>(), ", ", info["dtype"].get<std::string>()));
  for (const auto& file : info["files"]) row("", file);
  row("size", concat(number("num_hidden_layers"), " layers, width ", number("hidden_size"),
                     ", MLP ", number("intermediate_size"), ", vocabulary ", number("vocab_size")));
  row("parameters", millions(info["parameters"]) + " without pooler, heads and filter features");
  for (const auto& [part, count] : info["parameters_by_part"].items()) {
    row("  " + part, millions(count));
  }
  row("longest text",
      number("longest_text") +
          (info["longest_text"] == info["max_length"]
               ? " tokens"
               : concat(" tokens, of the ", number("max_length"), " that the weights would take")));
  row("padding", padded
                     ? "max_length: every text is padded to the longest, as the model was trained"
                     : "none: a text is computed at its own length");
  row("vector", vector_text(info));
  row("large products", products_text(info));
  if (info["similarity"].is_string()) row("compared by", info["similarity"]);
  if (info["lower_case"].get<bool>()) row("texts", "lower-cased");
  print_prompts(info, out);
  row(padded ? "every text takes" : "the longest takes",
      concat("about ", decimals("%.2g", info["full_length_seconds"]), " s on ", number("threads"),
             " threads (oneDNN here: ", decimals("%.0f", info["gemm_gflops"]), " GFLOP/s) and ",
             bytes_text(info["full_length_memory_bytes"].get<uint64_t>()), " of memory"));
}

}  // namespace

void add_info(CLI::App& app) {
  CLI::App* command = app.add_subcommand("info", "Say what a model is and what it costs");
  const auto flags = std::make_shared<ModelFlags>();
  const auto as_json = std::make_shared<bool>(false);
  flags->add_model(*command);
  flags->add_compute(*command);
  flags->add_dtype(*command);
  command->add_flag("--json", *as_json, "One JSON object instead of a table");
  command->footer(
      "Parameters are counted as publications do: without pooler, heads and filter features; the\n"
      "parts below are what the file holds.\n\n"
      "Examples:\n"
      "  m2 info --model-id my-model\n"
      "  m2 info --model-id my-model --dtype int8");
  command->callback([flags, as_json] {
    const Json info = describe(*flags);
    OutputFile output("", OutputFile::OnFailure::kRemove);
    if (*as_json) {
      output.stream() << info.dump(1, ' ', false, Json::error_handler_t::replace) << '\n';
    } else {
      print(info, output.stream());
    }
    output.commit();
  });
}

}  // namespace m2
