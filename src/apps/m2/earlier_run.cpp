#include "apps/m2/earlier_run.h"

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <utility>

#include "cli/interrupt.h"
#include "core/error.h"
#include "core/text.h"
#include "embedding/vector_text.h"

namespace m2 {
namespace {

namespace fs = std::filesystem;

bool is_regular(const std::string& path) {
  std::error_code ignored;
  return fs::is_regular_file(path, ignored);
}

int64_t whole_number(const nlohmann::json& object, const char* key, int64_t fallback) {
  const auto found = object.find(key);
  return found != object.end() && found->is_number_integer() ? found->get<int64_t>() : fallback;
}

}  // namespace

// What a line says before its vector.
struct EarlierRun::Line {
  int64_t index = -1;
  std::string id;  // as JSON; empty: none
  int64_t chunk = 0, chunks = 0;
  Weight weight;
};

EarlierRun::EarlierRun(const std::string& path, TextSource& source)
    : path_(path), read_path_(path + ".part") {
  std::error_code ignored;
  if (fs::exists(path, ignored) && !is_regular(path)) {
    throw usage_error(concat(path, ": is no file; --resume goes on with one"));
  }
  if (!is_regular(read_path_)) {
    if (!is_regular(path)) return;
    read_path_ = path;
    ended_ = true;
  }
  read(source);
}

void EarlierRun::refuse(size_t text, const std::string& why) const {
  throw input_error(
      concat(read_path_, ": for text ", text + 1, " ", why, "; remove the file to start anew"));
}

EarlierRun::Line EarlierRun::parse(const std::string& line) const {
  const size_t end = line.find(",\"embedding\":[");
  const auto head = nlohmann::json::parse(line.substr(0, end) + "}", nullptr, false);
  if (end == line.npos || !head.is_object() || !line.ends_with("]}")) {
    refuse(texts_, "it has a line that m2 embed did not write");
  }
  Line found;
  found.index = whole_number(head, "index", -1);
  if (const auto id = head.find("id"); id != head.end()) found.id = id->dump();
  found.chunk = whole_number(head, "chunk", 0);
  found.chunks = whole_number(head, "chunks", 0);
  const auto truncated = head.find("truncated");
  found.weight = {found.chunks, truncated != head.end() && *truncated == true,
                  whole_number(head, "tokens", 0)};
  return found;
}

std::optional<EarlierRun::Text> EarlierRun::next_text(std::istream& file) const {
  Text text;
  text.index = texts_;
  text.begin = text.end = bytes_;
  std::string content;
  for (int64_t chunk = 0; std::getline(file, content) && !file.eof();) {
    const Line line = parse(content);
    if (line.index != static_cast<int64_t>(texts_) || line.chunk != chunk) {
      refuse(texts_, "a line is missing or out of its order");
    }
    ++chunk;
    text.source.id = line.id;
    text.end += content.size() + 1;
    text.weight = std::max(text.weight, line.weight);
    if (chunk >= line.chunks) return text;
  }
  return std::nullopt;
}

void EarlierRun::read(TextSource& source) {
  std::ifstream file(read_path_, std::ios::binary);
  if (!file) throw input_error(concat(read_path_, ": cannot be read"));
  std::optional<Text> heaviest;
  while (auto text = next_text(file)) {
    stop_if_interrupted();
    auto given = source.next();
    if (!given) {
      throw input_error(concat(read_path_, ": holds lines for more than the ", texts_,
                               " texts that there are: the input is another one"));
    }
    if (given->id != text->source.id) {
      const auto name = [](const std::string& id) { return id.empty() ? "none" : printable(id); };
      refuse(texts_,
             concat("its id is ", name(text->source.id), " and the input's ", name(given->id)));
    }
    text->source = std::move(*given);
    ++texts_;
    bytes_ = text->end;
    input_bytes_ += text->source.bytes;
    if (!heaviest || text->weight > heaviest->weight) heaviest = text;
    // The first stays, the last takes the place of the last so far.
    if (probes_.size() > 1) probes_.pop_back();
    probes_.push_back(std::move(*text));
  }
  if (heaviest) probes_.push_back(std::move(*heaviest));
  std::error_code ignored;
  whole_ = fs::file_size(read_path_, ignored) == bytes_;
}

void EarlierRun::verify(Embedder& embedder, const EmbedOptions& options) const {
  const Pooling pooling = options.pooling.value_or(embedder.model().config.pooling);
  std::ifstream file(read_path_, std::ios::binary);
  for (const Text& probe : probes_) {
    std::string found(probe.end - probe.begin, '\0'), expected;
    file.seekg(static_cast<std::streamoff>(probe.begin));
    file.read(found.data(), static_cast<std::streamsize>(found.size()));
    const NamedText text = probe.source.named;
    embedder.embed(
        {&text, 1}, options,
        [&](const TextVectors& vectors) {
          WrittenText written;
          written.index = probe.index;
          written.id = probe.source.id;
          written.report = &vectors;
          written.rows = vectors.rows;
          written.matrix = pooling == Pooling::kNone;
          written.values = vectors.values;
          expected += json_line(written);
        },
        [](const Session::Done&) { return !interrupted(); });
    if (found != expected) {
      refuse(probe.index,
             "it does not hold what this run computes: the text, the model, the flags "
             "or the machine are others");
    }
  }
}

uint64_t EarlierRun::keep() {
  if (ended_) {
    std::error_code problem;
    fs::copy_file(path_, path_ + ".part", problem);
    if (problem) {
      throw failed_error(concat(path_, ".part: cannot be written: ", problem.message()));
    }
  }
  return bytes_;
}

}  // namespace m2
