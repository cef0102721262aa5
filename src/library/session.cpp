#include <m2/session.h>

#include <nlohmann/json.hpp>

#include <utility>

#include "core/error.h"
#include "core/text.h"
#include "library/call.h"
#include "library/objects.h"
#include "library/versioned.h"
#include "ops/gemm/caller_threads.h"

namespace m2 {
namespace {

SessionOptions session_options(const m2_session_options& options) {
  constexpr int32_t kMostThreads = 1024;
  if (options.threads < 0 || options.threads > kMostThreads) {
    throw usage_error(concat("threads is ", options.threads, ", not from 0 to ", kMostThreads));
  }
  SessionOptions session;
  session.threads = options.threads;
  if (options.filter_cache_bytes != 0) {
    session.filter_cache_bytes =
        static_cast<size_t>(std::max<int64_t>(0, options.filter_cache_bytes));
  }
  if (choice_of(options.filter_cache_fp16, "filter_cache_fp16").value_or(false)) {
    session.filter_cache_dtype = DType::kF16;
  }
  return session;
}

std::shared_ptr<SessionObject> make_session(std::shared_ptr<const ModelObject> model,
                                            const SessionOptions& options) {
  const auto object = std::make_shared<SessionObject>();
  if (model->tokenizer) {
    object->embedder = std::make_unique<Embedder>(model->model, *model->tokenizer, options);
  } else {
    object->ids_only = std::make_unique<Session>(model->model, options);
  }
  object->model = std::move(model);
  return object;
}

// Holds a session for one call, which m2_session_cancel may stop.
class Use {
 public:
  explicit Use(SessionObject& session) : session_(session) {
    auto idle = SessionObject::State::kIdle;
    if (!session_.state.compare_exchange_strong(idle, SessionObject::State::kBusy)) {
      throw usage_error("the session computes another call; make one for each thread");
    }
  }
  ~Use() { session_.state.store(SessionObject::State::kIdle); }
  Use(const Use&) = delete;
  Use& operator=(const Use&) = delete;

 private:
  SessionObject& session_;
};

Session::GoOn go_on(const SessionObject& session, const m2_embed_options& options) {
  return [&session, progress = options.progress, user = options.user](const Session::Done& done) {
    const bool stop = progress != nullptr && progress(user, done.share, done.tokens) != 0;
    return !stop && session.state.load() != SessionObject::State::kCancelled;
  };
}

// What both kinds of input share: how vectors are wanted and where they go.
struct Request {
  VectorRequest vectors;
  std::shared_ptr<ResultObject> result = std::make_shared<ResultObject>();

  Request(const Model& model, const m2_embed_options& options) {
    vectors =
        request_of(model, pooling_of(options.pooling), choice_of(options.normalise, "normalise"));
    result->first_index = options.first_index;
    result->matrix = vectors.pooling == Pooling::kNone;
  }

  void add(ResultObject::Entry entry, std::span<const float> values) {
    entry.first_value = result->values.size();
    entry.width = values.size() / entry.report.rows;
    result->values.insert(result->values.end(), values.begin(), values.end());
    entry.report.values = {};
    result->entries.push_back(std::move(entry));
  }
};

std::string id_as_json(const char* id, const std::string& name) {
  if (id == nullptr) return "";
  try {
    return nlohmann::json(id).dump();
  } catch (const nlohmann::json::exception&) {
    throw input_error(name + ": its id is no UTF-8");
  }
}

std::shared_ptr<ResultObject> embed_texts(SessionObject& session, std::span<const m2_text> texts,
                                          const m2_embed_options& options) {
  session.model->text_tokenizer();
  std::vector<NamedText> named;
  std::vector<std::string> ids;
  for (const m2_text& text : texts) {
    std::string name =
        text.name != nullptr ? text.name : concat("text ", options.first_index + named.size() + 1);
    if (text.data == nullptr) throw usage_error(name + ": data is a null pointer");
    ids.push_back(id_as_json(text.id, name));
    named.push_back({std::string(bytes_of(text.data, text.length)), std::move(name)});
  }
  Request request(*session.model->model, options);
  EmbedOptions embed;
  embed.pooling = request.vectors.pooling;
  embed.normalise = request.vectors.normalise;
  embed.truncation = truncation_of(options.truncation);
  if (options.prompt != nullptr) embed.prompt = options.prompt;
  if (options.prompt_name != nullptr) embed.prompt_name = options.prompt_name;
  embed.chunk = options.chunk;
  embed.overlap = options.overlap;
  session.embedder->embed(
      named, embed,
      [&](const TextVectors& vectors) {
        request.add({vectors, true, 0, 0, ids[vectors.index]}, vectors.values);
      },
      go_on(session, options));
  return std::move(request.result);
}

std::shared_ptr<ResultObject> embed_ids(SessionObject& session, std::span<const m2_ids> rows,
                                        const m2_embed_options& options) {
  const Model& model = *session.model->model;
  Request request(model, options);
  if (number_of(options.truncation) != M2_TRUNCATION_ERROR || options.prompt != nullptr ||
      options.prompt_name != nullptr || options.chunk != 0 || options.overlap != 0) {
    throw usage_error(
        "truncation, prompt, prompt_name, chunk and overlap belong to texts, not ids");
  }
  std::vector<TokenSequence> sequences;
  for (const m2_ids& row : rows) {
    const size_t index = sequences.size();
    if (row.ids == nullptr || row.count == 0) {
      throw usage_error(concat("row ", index, ": holds no ids"));
    }
    const auto wide = [&](const int32_t* numbers) {
      return numbers == nullptr ? std::vector<int64_t>()
                                : std::vector<int64_t>(numbers, numbers + row.count);
    };
    sequences.push_back(sequence_from_ids(wide(row.ids), wide(row.types), wide(row.mask),
                                          model.config.padding, index));
  }
  session.session().compute(
      sequences, request.vectors,
      [&](const SequenceVectors& vectors) {
        ResultObject::Entry entry;
        entry.report.index = vectors.index;
        entry.report.rows = vectors.rows;
        entry.report.tokens = static_cast<int64_t>(sequences[vectors.index].ids.size());
        entry.report.total_tokens = entry.report.tokens;
        request.add(std::move(entry), vectors.values);
      },
      go_on(session, options));
  return std::move(request.result);
}

// The frame of m2_embed and m2_embed_ids.
template <class Input, class Compute>
m2_status embed_call(m2_session* handle, const Input* inputs, size_t count,
                     const m2_embed_options* options, m2_result** result, const char* name,
                     const Compute& compute) noexcept {
  return call_guarded([&] {
    check_pointer(result, "result");
    *result = nullptr;
    const auto session = sessions().get(handle);
    if (count > 0) check_pointer(inputs, name);
    const m2_embed_options given = read_options(options, "m2_embed_options");
    const Use use(*session);
    const CallerThreads caller;
    *result = results().add(compute(*session, std::span(inputs, count), given));
  });
}

}  // namespace
}  // namespace m2

using namespace m2;

extern "C" {

m2_status m2_session_new(const m2_model* model, const m2_session_options* options,
                         m2_session** session) noexcept {
  return call_guarded([&] {
    check_pointer(session, "session");
    *session = nullptr;
    const m2_session_options given = read_options(options, "m2_session_options");
    *session = sessions().add(make_session(models().get(model), session_options(given)));
  });
}

m2_status m2_session_free(m2_session* session) noexcept {
  return call_guarded([&] { sessions().free(session); });
}

m2_status m2_session_cancel(m2_session* session) noexcept {
  return call_guarded([&] {
    auto busy = SessionObject::State::kBusy;
    sessions().get(session)->state.compare_exchange_strong(busy, SessionObject::State::kCancelled);
  });
}

m2_status m2_embed(m2_session* session, const m2_text* texts, size_t count,
                   const m2_embed_options* options, m2_result** result) noexcept {
  return embed_call(session, texts, count, options, result, "texts", embed_texts);
}

m2_status m2_embed_ids(m2_session* session, const m2_ids* sequences, size_t count,
                       const m2_embed_options* options, m2_result** result) noexcept {
  return embed_call(session, sequences, count, options, result, "sequences", embed_ids);
}

}  // extern "C"
