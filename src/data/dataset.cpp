#include "data/dataset.h"

#include <filesystem>
#include <nlohmann/json.hpp>

#include "checkpoint/json.h"
#include "core/error.h"
#include "core/random.h"
#include "core/text.h"
#include "data/build_state.h"
#include "data/mds.h"
#include "data/token_shards.h"

namespace m2 {
namespace {

namespace fs = std::filesystem;

nlohmann::json read_index(const std::string& folder) {
  const fs::path index = fs::path(folder) / "index.json";
  std::error_code ignored;
  if (fs::exists(index, ignored)) return read_json_object(index.string());
  if (fs::exists(fs::path(folder).parent_path() / kBuildStateFile, ignored)) {
    throw input_error(folder + ": its build has not ended; finish it with m2 data build --resume");
  }
  throw input_error(folder +
                    ": holds no data (no index.json); make it with m2 data build, or "
                    "correct local and split");
}

}  // namespace

Vocabulary vocabulary_of(const Tokenizer& tokenizer) {
  Vocabulary vocabulary{tokenizer.vocab_size(), fnv1a(""), tokenizer.special_ids()};
  for (int32_t id = 0; id < tokenizer.vocab_size(); ++id) {
    vocabulary.hash = fnv1a("\n", fnv1a(tokenizer.token_text(id), vocabulary.hash));
  }
  return vocabulary;
}

std::unique_ptr<Dataset> open_dataset(const std::string& folder, const DatasetOptions& options) {
  M2_CHECK(options.length >= 1);
  const nlohmann::json index = read_index(folder);
  const auto format = index.find("format");
  if (format == index.end()) return open_mds(folder, index, options);
  if (*format != kDatasetFormat) {
    throw input_error(folder + "/index.json: is of a format that is not read");
  }
  return open_token_shards(folder, index, options);
}

}  // namespace m2
