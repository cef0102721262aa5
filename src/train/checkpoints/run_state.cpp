#include "train/checkpoints/run_state.h"

#include "checkpoint/json.h"
#include "core/error.h"
#include "core/text.h"

namespace m2::train {
namespace {

using Json = nlohmann::ordered_json;

constexpr int kFormat = 2;

Json json_of(const std::optional<double>& value) {
  return value ? Json(*value) : Json(nullptr);
}

template <class T>
std::optional<T> optional_of(const nlohmann::json& value) {
  if (value.is_null()) return std::nullopt;
  return value.get<T>();
}

Json json_of(const std::vector<DataIdentity>& data) {
  Json list = Json::array();
  for (const DataIdentity& stream : data) {
    list.push_back({{"samples", stream.samples}, {"fingerprint", stream.fingerprint}});
  }
  return list;
}

std::vector<DataIdentity> data_of(const nlohmann::json& list) {
  std::vector<DataIdentity> data;
  for (const nlohmann::json& stream : list) {
    data.push_back(
        {stream.at("samples").get<uint64_t>(), stream.at("fingerprint").get<uint64_t>()});
  }
  return data;
}

Json json_of(const Surroundings& surroundings) {
  return {{"version", surroundings.version},   {"build", surroundings.build},
          {"libtorch", surroundings.libtorch}, {"processor", surroundings.processor},
          {"isa", surroundings.isa},           {"threads", surroundings.threads}};
}

Surroundings surroundings_of(const nlohmann::json& value) {
  Surroundings surroundings;
  value.at("version").get_to(surroundings.version);
  value.at("build").get_to(surroundings.build);
  value.at("libtorch").get_to(surroundings.libtorch);
  value.at("processor").get_to(surroundings.processor);
  value.at("isa").get_to(surroundings.isa);
  value.at("threads").get_to(surroundings.threads);
  return surroundings;
}

}  // namespace

std::string describe_difference(const Surroundings& now, const Surroundings& saved) {
  std::vector<std::string> parts;
  const auto compare = [&](const char* what, const auto& is, const auto& was) {
    if (is != was) parts.push_back(concat(what, " ", is, " instead of ", was));
  };
  compare("version", now.version, saved.version);
  if (now.build != saved.build) parts.emplace_back("another build");
  compare("libtorch", now.libtorch, saved.libtorch);
  compare("processor", now.processor, saved.processor);
  compare("instruction set", now.isa, saved.isa);
  compare("threads", now.threads, saved.threads);
  return join(parts, ", ");
}

std::string to_json(const RunState& state) {
  const Json json{{"format", kFormat},
                  {"step", state.step},
                  {"samples", state.samples},
                  {"tokens", state.tokens},
                  {"micro_batch", state.micro_batch},
                  {"seed", state.seed},
                  {"evaluation_loss", json_of(state.evaluation_loss)},
                  {"recent_losses", state.recent_losses},
                  {"lowest_loss", json_of(state.lowest_loss)},
                  {"data", json_of(state.data)},
                  {"surroundings", json_of(state.surroundings)},
                  {"configuration", state.configuration}};
  return json.dump(2) + "\n";
}

RunState read_run_state(const std::string& path) {
  const nlohmann::json json = read_json_object(path);
  try {
    if (json.at("format").get<int>() != kFormat) {
      throw input_error(concat(path, ": is of another version of this program"));
    }
    RunState state;
    json.at("step").get_to(state.step);
    json.at("samples").get_to(state.samples);
    json.at("tokens").get_to(state.tokens);
    json.at("micro_batch").get_to(state.micro_batch);
    json.at("seed").get_to(state.seed);
    state.evaluation_loss = optional_of<double>(json.at("evaluation_loss"));
    json.at("recent_losses").get_to(state.recent_losses);
    state.lowest_loss = optional_of<double>(json.at("lowest_loss"));
    state.data = data_of(json.at("data"));
    state.surroundings = surroundings_of(json.at("surroundings"));
    json.at("configuration").get_to(state.configuration);
    if (state.step < 0 || state.micro_batch < 1) {
      throw input_error(concat(path, ": holds a number that is out of range"));
    }
    return state;
  } catch (const nlohmann::json::exception& problem) {
    throw input_error(concat(path, ": is no state of a run: ", json_problem(problem)));
  }
}

}  // namespace m2::train
