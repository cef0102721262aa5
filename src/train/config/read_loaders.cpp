#include "train/config/read_loaders.h"

#include <algorithm>

#include "core/text.h"

namespace m2 {
namespace {

constexpr double kMostWeight = 1e12;

void read_weight(Section& stream, DataStream& result) {
  if (stream.has("proportion")) result.proportion = stream.positive("proportion", 0, kMostWeight);
  if (stream.has("repeat")) result.repeat = stream.positive("repeat", 0, kMostWeight);
  if (stream.has("samples")) {
    result.samples = stream.integer("samples", 0, 1, static_cast<int64_t>(kMostWeight));
  }
  const char* first = result.proportion ? "proportion" : result.repeat ? "repeat" : nullptr;
  const char* last = result.samples ? "samples" : result.repeat ? "repeat" : nullptr;
  if (first != nullptr && last != nullptr && first != last) {
    stream.refuse(last, concat("is set beside ", first, ": one says how much an epoch takes"));
  }
}

// `stated` is the loader's own dataset, or one of its streams.
DataStream read_stream(Section stated, const std::string& local, const std::string& split) {
  DataStream result;
  result.local = stated.text("local", local);
  result.split = stated.text("split", split);
  if (result.local.empty()) {
    stated.refuse("local", "is missing: a folder of `m2 data build`, as in data_local=FOLDER");
  }
  return result;
}

std::vector<DataStream> read_streams(Section& dataset, const std::string& data_local,
                                     const std::string& default_split) {
  const Section streams = dataset.section("streams");
  if (streams.map().members.empty()) return {read_stream(dataset, data_local, default_split)};
  const std::string local = dataset.text("local", data_local);
  const std::string split = dataset.text("split", default_split);
  std::vector<DataStream> result;
  for (const ValueMember& member : streams.map().members) {
    Section stated = streams.section(member.key);
    DataStream stream = read_stream(stated, local, split);
    stream.name = member.key;
    read_weight(stated, stream);
    result.push_back(stream);
  }
  const auto shared = std::count_if(result.begin(), result.end(), [](const DataStream& stream) {
    return stream.proportion.has_value();
  });
  if (shared != 0 && shared != std::ssize(result)) {
    dataset.refuse("streams", "have a proportion in part: give one to all of them or to none");
  }
  return result;
}

}  // namespace

LoaderConfig read_loader(Section loader, const std::string& data_local, bool training,
                         double mlm_probability) {
  loader.only("name", "text");
  Section dataset = loader.section("dataset");
  LoaderConfig result;
  result.streams = read_streams(dataset, data_local, training ? "train" : "val");
  result.samples_per_epoch = dataset.integer("samples_per_epoch", 0, 1, int64_t{1} << 53);
  if (result.samples_per_epoch > 0 && !result.streams.front().proportion) {
    dataset.refuse("samples_per_epoch", "is shared out by the streams' proportions: give them one");
  }
  result.shuffle = dataset.flag("shuffle", false);
  if (dataset.has("shuffle_seed")) {
    result.shuffle_seed = static_cast<uint64_t>(dataset.integer("shuffle_seed", 0, 0, INT64_MAX));
  }
  result.mlm_probability = dataset.positive("mlm_probability", mlm_probability, 1);
  if (result.mlm_probability >= 1) {
    dataset.refuse("mlm_probability", "is 1, which leaves nothing to tell the labels from");
  }
  result.drop_last = loader.flag("drop_last", training);
  return result;
}

}  // namespace m2
