#include "hub/wanted_files.h"

#include <algorithm>
#include <filesystem>
#include <initializer_list>
#include <nlohmann/json.hpp>
#include <optional>
#include <string_view>

#include "hub/hub_name.h"

namespace m2 {
namespace {

using Json = nlohmann::json;

constexpr char kModules[] = "modules.json";
constexpr char kConfig[] = "config.json";
constexpr char kTokenizer[] = "tokenizer.json";
constexpr char kVocabulary[] = "vocab.txt";

struct Module {
  std::string folder;  // empty: the model's own
  bool has_weights = false;
};

bool is_single_name(std::string_view name) {
  return is_inner_path(name) && name.find('/') == name.npos;
}

// A member that is a text, or null.
const std::string* text_member(const Json& map, const char* key) {
  const auto found = map.is_object() ? map.find(key) : map.end();
  return found == map.end() ? nullptr : found->get_ptr<const std::string*>();
}

// What modules.json names; a model without it is its own transformer.
std::vector<Module> parse_modules(const std::string& text) {
  std::vector<Module> modules;
  const Json list = Json::parse(text, nullptr, false);
  if (!list.is_array()) return {{"", true}};
  for (const Json& item : list) {
    const std::string* type = text_member(item, "type");
    const std::string* folder = text_member(item, "path");
    if (type == nullptr) continue;
    const std::string within = folder == nullptr ? "" : *folder;
    if (!within.empty() && !is_single_name(within)) continue;
    modules.push_back({within, type->ends_with(".Transformer") || type->ends_with(".Dense")});
  }
  if (modules.empty()) modules.push_back({"", true});
  return modules;
}

// The files that an index of shards names, each once.
std::set<std::string> parse_shards(const std::string& text) {
  std::set<std::string> shards;
  const Json index = Json::parse(text, nullptr, false);
  const auto map = index.is_object() ? index.find("weight_map") : index.end();
  if (map == index.end() || !map->is_object()) return shards;
  for (const Json& shard : *map) {
    const auto* name = shard.get_ptr<const std::string*>();
    if (name != nullptr && is_single_name(*name)) shards.insert(*name);
  }
  return shards;
}

class Selection {
 public:
  explicit Selection(const FileListing& listing) : listing_(listing) {}

  WantedFiles select() {
    std::vector<Module> modules = {{"", true}};
    if (take(kModules)) {
      modules = parse_modules(listing_.read(kModules));
    } else {
      wanted_.absent.emplace_back(kModules);
    }
    take("config_sentence_transformers.json");
    for (const Module& module : modules) take_texts(module.folder);
    note_absent(modules.front().folder);
    wanted_.has_weights = true;
    for (auto module = modules.rbegin(); module != modules.rend(); ++module) {
      if (module->has_weights && !take_weights(module->folder)) wanted_.has_weights = false;
    }
    return std::move(wanted_);
  }

 private:
  bool has(const std::string& name) const { return listing_.names.contains(name); }

  bool take(const std::string& name) {
    if (!has(name)) return false;
    if (taken_.insert(name).second) wanted_.names.push_back(name);
    return true;
  }

  static std::string within(const std::string& folder, const std::string& name) {
    return folder.empty() ? name : folder + "/" + name;
  }

  // The names in `folder`, not below, that end so.
  std::vector<std::string> ending_in(const std::string& folder, const char* extension) const {
    std::vector<std::string> found;
    for (const std::string& name : listing_.names) {
      const std::filesystem::path path(name);
      if (path.parent_path() == folder && path.extension() == extension) found.push_back(name);
    }
    return found;
  }

  void take_texts(const std::string& folder) {
    for (const char* name : {kConfig, kTokenizer, kVocabulary, "tokenizer_config.json",
                             "special_tokens_map.json", "sentence_bert_config.json"}) {
      take(within(folder, name));
    }
    if (has(within(folder, kConfig))) return;
    for (const char* extension : {".yaml", ".yml"}) {
      for (const std::string& name : ending_in(folder, extension)) take(name);
    }
  }

  void note_absent(const std::string& folder) {
    const bool yaml = !ending_in(folder, ".yaml").empty() || !ending_in(folder, ".yml").empty();
    if (!has(within(folder, kConfig)) && !yaml) {
      wanted_.absent.push_back(within(folder, kConfig));
    }
    if (!has(within(folder, kTokenizer)) && !has(within(folder, kVocabulary))) {
      wanted_.absent.push_back(within(folder, kTokenizer));
    }
  }

  // The file or the index that open_checkpoint would open.
  std::optional<std::string> weights_in(const std::string& folder) const {
    const auto first_of = [&](std::initializer_list<const char*> names) {
      const auto found = std::find_if(names.begin(), names.end(),
                                      [&](const char* name) { return has(within(folder, name)); });
      return found == names.end() ? std::nullopt : std::optional(within(folder, *found));
    };
    const auto only = [&](const char* extension) {
      const auto found = ending_in(folder, extension);
      return found.size() == 1 ? std::optional(found.front()) : std::nullopt;
    };
    if (auto name = first_of({"model.safetensors", "model.safetensors.index.json"})) return name;
    if (auto name = only(".safetensors")) return name;
    if (auto name = first_of({"pytorch_model.bin", "pytorch_model.bin.index.json", "model.bin"})) {
      return name;
    }
    return only(".pt");
  }

  bool take_weights(const std::string& folder) {
    const auto weights = weights_in(folder);
    if (!weights) return false;
    return weights->ends_with(".json") ? take_shards(folder, *weights) : take(*weights);
  }

  bool take_shards(const std::string& folder, const std::string& index) {
    const std::set<std::string> shards = parse_shards(listing_.read(index));
    const bool all = std::all_of(shards.begin(), shards.end(), [&](const std::string& shard) {
      return has(within(folder, shard));
    });
    if (shards.empty() || !all) return false;
    for (const std::string& shard : shards) take(within(folder, shard));
    return take(index);
  }

  const FileListing& listing_;
  WantedFiles wanted_;
  std::set<std::string> taken_;
};

}  // namespace

WantedFiles wanted_files(const FileListing& listing) {
  return Selection(listing).select();
}

}  // namespace m2
