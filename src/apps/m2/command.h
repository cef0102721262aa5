// apps/m2: the command line, one file a sub-command. Uses every rung below.
#pragma once

#include <CLI/CLI.hpp>

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "embedding/embedder.h"
#include "models/model.h"

namespace m2 {

inline constexpr char kProgram[] = "m2";

// What each sub-command adds to the program; its callback does the work.
void add_embed(CLI::App& app);
void add_tokenize(CLI::App& app);
void add_tokenizer(CLI::App& app);
void add_info(CLI::App& app);
void add_init(CLI::App& app);
void add_bench(CLI::App& app);
void add_bench_monarch(CLI::App& bench);  // below bench
void add_bench_serve(CLI::App& bench);    // likewise
void add_bench_train(CLI::App& bench);    // likewise
void add_convert(CLI::App& app);
void add_fill_mask(CLI::App& app);
void add_serve(CLI::App& app);
void add_training(CLI::App& app);
void add_data(CLI::App& app);
void add_plot(CLI::App& app);
void add_doctor(CLI::App& app);

// Flags that several commands share. A flag left out may be set by the environment: M2_ and its
// name in capitals (M2_MODEL_ID).
struct ModelFlags {
  std::string model_id, config, tokenizer, padding, dtype;
  bool offline = false;
  int threads = 0;
  std::string filter_cache_bytes = "1GiB", filter_cache_dtype = "fp32";

  void add_model(CLI::App& command);
  // The same for a command that takes several.
  void add_models(CLI::App& command, std::vector<std::string>& model_ids);
  void add_offline(CLI::App& command);  // part of add_model
  void add_tokenizer(CLI::App& command);
  void add_compute(CLI::App& command);
  void add_dtype(CLI::App& command);

  // The model where it lies on disk: a name that the cache lacks is downloaded first, with a bar.
  // Errors as obtain_model's (hub/download.h).
  ModelFiles files() const;
  SessionOptions session() const;

 private:
  void add_reading(CLI::App& command);
};

// "fp32", "1 GiB", "500MB", "0": powers of 1000, or of 1024 with an i. Error(kUsage) otherwise.
size_t parse_bytes(const std::string& text);

// Of --dtype; empty or unknown gives none.
std::optional<DType> parse_product_type(const std::string& text);
std::optional<Padding> parse_padding(const std::string& text);
std::optional<Pooling> parse_pooling(const std::string& text);

}  // namespace m2
