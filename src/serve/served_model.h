// A model that the server answers for: its names, and, once loaded, what computes its vectors.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "embedding/embedder.h"
#include "inference/session.h"
#include "models/model.h"
#include "tokenizer/tokenizer.h"

namespace m2 {

class ServedModel {
 public:
  struct Source {
    std::vector<std::string> names;     // the first is how it is listed; the others are aliases
    std::function<ModelFiles()> files;  // may take long: a download
    std::string tokenizer;              // a path, where the model's folder has none
    SessionOptions session;
  };

  explicit ServedModel(Source source) : source_(std::move(source)) {}

  const std::string& name() const { return source_.names.front(); }
  const std::vector<std::string>& names() const { return source_.names; }

  // Reads the weights and the vocabulary, and makes the spectra that every text of a model with a
  // fixed length needs. What it throws, load_model and load_tokenizer throw.
  void load();
  bool ready() const { return ready_.load(std::memory_order_acquire); }

  // The rest is there once ready().
  const Model& model() const { return *model_; }
  const Tokenizer& tokenizer() const { return *tokenizer_; }
  Session& session() { return *session_; }  // for the engine's thread alone
  // Sequences of one class share what a length costs beside its tokens; 0 where none does.
  size_t length_class(size_t tokens) const;
  // Unix time of the load.
  int64_t loaded_at() const { return loaded_at_; }

 private:
  void warm_up();

  Source source_;
  std::shared_ptr<const Model> model_;
  std::unique_ptr<Tokenizer> tokenizer_;
  std::unique_ptr<Session> session_;
  int64_t loaded_at_ = 0;
  std::atomic<bool> ready_ = false;
};

// The models of a server, the first being the one that a request without a name means.
class ServedModels {
 public:
  // Error(kUsage) where two models have the same name.
  explicit ServedModels(std::vector<ServedModel::Source> sources);

  const std::vector<std::unique_ptr<ServedModel>>& all() const { return models_; }
  ServedModel& first() const { return *models_.front(); }
  // Null where none has this name or alias.
  ServedModel* find(std::string_view name) const;
  bool ready() const;

 private:
  std::vector<std::unique_ptr<ServedModel>> models_;
};

}  // namespace m2
