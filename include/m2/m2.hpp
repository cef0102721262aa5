// m2 for programs in C++17 and later: owners of the C API's handles. All of it is compiled in the
// program, so that one library serves every compiler and its settings; what the C headers say of
// lifetimes, threads and errors holds. A call that fails throws m2::Exception, in the program's own
// code alone. A moved-from object may be assigned to or destroyed, nothing else.
#pragma once

#include <m2/m2.h>

#include <cstddef>
#include <cstdint>
#include <exception>
#include <functional>
#include <initializer_list>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

namespace m2 {

// What m2_last_error() says of a call that did not return M2_OK.
class M2_API Exception : public std::runtime_error {
 public:
  Exception(m2_status status, const std::string& message)
      : std::runtime_error(message), status_(status) {}
  m2_status status() const noexcept { return status_; }

 private:
  m2_status status_;
};

namespace facade {

inline void check(m2_status status) {
  if (status != M2_OK) throw Exception(status, m2_last_error());
}

template <class Handle, m2_status (*free_handle)(Handle*)>
struct Free {
  void operator()(Handle* handle) const noexcept { static_cast<void>(free_handle(handle)); }
};
template <class Handle, m2_status (*free_handle)(Handle*)>
using Owner = std::unique_ptr<Handle, Free<Handle, free_handle>>;

inline const char* or_null(const std::string& text) {
  return text.empty() ? nullptr : text.c_str();
}
inline m2_choice choice(std::optional<bool> value) {
  return !value ? M2_DEFAULT : *value ? M2_YES : M2_NO;
}

}  // namespace facade

// Empty strings and values left alone are the defaults of m2/model.h.
struct ModelSettings {
  std::string config;
  std::string tokenizer;
  m2_padding padding = M2_PADDING_DEFAULT;
  bool without_tokenizer = false;
  m2_dtype dtype = M2_DTYPE_DEFAULT;
};

struct TokenizeSettings {
  bool special_tokens = true;
  std::int64_t max_tokens = 0;  // 0: no limit
  m2_truncation truncation = M2_TRUNCATION_ERROR;
};

struct TokenizedText {
  std::vector<std::int32_t> ids;
  std::vector<m2_span> spans;  // as long as ids
  std::int64_t total_tokens = 0;
};

// A model; any number of threads may use it at once. Sessions keep what they need of it.
class EmbeddingModel {
 public:
  explicit EmbeddingModel(const std::string& path, const ModelSettings& settings = {}) {
    m2_model_options options = m2_model_options_init();
    options.config = facade::or_null(settings.config);
    options.tokenizer = facade::or_null(settings.tokenizer);
    options.padding = settings.padding;
    options.without_tokenizer = settings.without_tokenizer ? 1 : 0;
    options.dtype = settings.dtype;
    m2_model* model = nullptr;
    facade::check(m2_model_load(path.c_str(), &options, &model));
    handle_.reset(model);
  }

  m2_model_info info() const {
    m2_model_info info = m2_model_info_init();
    facade::check(m2_model_get_info(handle_.get(), &info));
    return info;
  }

  TokenizedText tokenize(std::string_view text, const TokenizeSettings& settings = {}) const {
    m2_tokenize_options options = m2_tokenize_options_init();
    options.special_tokens = settings.special_tokens ? M2_YES : M2_NO;
    options.max_tokens = settings.max_tokens;
    options.truncation = settings.truncation;
    const char* bytes = text.data() != nullptr ? text.data() : "";
    m2_tokens* handle = nullptr;
    facade::check(m2_tokenize(handle_.get(), bytes, text.size(), &options, &handle));
    const facade::Owner<m2_tokens, m2_tokens_free> owner(handle);
    m2_token_list list = m2_token_list_init();
    facade::check(m2_tokens_get(handle, &list));
    return {{list.ids, list.ids + list.count},
            {list.spans, list.spans + list.count},
            list.total_tokens};
  }

  std::string token_text(std::int32_t id) const {
    const char* text = nullptr;
    facade::check(m2_token_text(handle_.get(), id, &text));
    return text;
  }

  m2_model* get() const noexcept { return handle_.get(); }

 private:
  facade::Owner<m2_model, m2_model_free> handle_;
};

// The vectors of one call.
class EmbeddingResult {
 public:
  explicit EmbeddingResult(m2_result* result) : handle_(result) {}

  std::size_t size() const {
    std::size_t count = 0;
    facade::check(m2_result_count(handle_.get(), &count));
    return count;
  }

  // Points into this result.
  m2_vector operator[](std::size_t index) const {
    m2_vector vector = m2_vector_init();
    facade::check(m2_result_get(handle_.get(), index, &vector));
    return vector;
  }

  // Row after row.
  std::vector<float> values(std::size_t index) const {
    const m2_vector vector = (*this)[index];
    return {vector.values, vector.values + vector.rows * vector.width};
  }

  // The bytes that `m2 embed` writes, line feed included. One thread at a time.
  std::string line(std::size_t index, m2_line_format format = M2_LINE_JSON) const {
    const char* line = nullptr;
    std::size_t length = 0;
    facade::check(m2_result_line(handle_.get(), index, format, &line, &length));
    return {line, length};
  }

  m2_result* get() const noexcept { return handle_.get(); }

 private:
  facade::Owner<m2_result, m2_result_free> handle_;
};

struct SessionSettings {
  std::int32_t threads = 0;             // 0: one a physical core
  std::int64_t filter_cache_bytes = 0;  // 0: 1 GiB; below 0: none is kept
  bool filter_cache_fp16 = false;       // filter spectra in half precision
};

struct EmbedSettings {
  m2_pooling pooling = M2_POOLING_DEFAULT;
  std::optional<bool> normalise;
  m2_truncation truncation = M2_TRUNCATION_ERROR;
  std::size_t first_index = 0;
  std::optional<std::string> prompt;       // "" for none; left alone, the model's own default
  std::optional<std::string> prompt_name;  // one of the model's prompts instead
  std::int64_t chunk = 0;                  // 0: a text is one vector
  std::int64_t overlap = 0;
  // Called between layers with the share of the work that is done, worth so many tokens; false
  // cancels. What it throws ends the call and comes out of embed().
  std::function<bool(double share, double tokens)> go_on;
};

// A text, what errors call it, and its "id" in JSON lines; the latter two may be empty. The text's
// bytes stay the caller's.
struct InputText {
  InputText(std::string_view text_) : text(text_) {}
  InputText(const std::string& text_) : text(text_) {}
  InputText(const char* text_) : text(text_) {}
  InputText(std::string_view text_, std::string name_, std::string id_ = {})
      : text(text_), name(std::move(name_)), id(std::move(id_)) {}

  std::string_view text;
  std::string name;
  std::string id;
};

// Threads and memory; one call at a time, but for cancel().
class EmbeddingSession {
 public:
  explicit EmbeddingSession(const EmbeddingModel& model, const SessionSettings& settings = {}) {
    m2_session_options options = m2_session_options_init();
    options.threads = settings.threads;
    options.filter_cache_bytes = settings.filter_cache_bytes;
    options.filter_cache_fp16 = settings.filter_cache_fp16 ? M2_YES : M2_DEFAULT;
    m2_session* session = nullptr;
    facade::check(m2_session_new(model.get(), &options, &session));
    handle_.reset(session);
  }

  EmbeddingResult embed(std::initializer_list<InputText> texts,
                        const EmbedSettings& settings = {}) {
    return embed_inputs(std::vector<InputText>(texts), settings);
  }

  EmbeddingResult embed(const InputText& text, const EmbedSettings& settings = {}) {
    return embed_inputs(std::vector<InputText>(1, text), settings);
  }

  // Any range of what an InputText is made from.
  template <class Texts, std::enable_if_t<!std::is_convertible_v<const Texts&, InputText>, int> = 0>
  EmbeddingResult embed(const Texts& texts, const EmbedSettings& settings = {}) {
    return embed_inputs(std::vector<InputText>(std::begin(texts), std::end(texts)), settings);
  }

  EmbeddingResult embed_ids(const std::vector<std::vector<std::int32_t>>& sequences,
                            const EmbedSettings& settings = {}) {
    std::vector<m2_ids> rows;
    for (const auto& ids : sequences) rows.push_back({ids.data(), nullptr, nullptr, ids.size()});
    return embed_ids(rows, settings);
  }

  // With masks and token types.
  EmbeddingResult embed_ids(const std::vector<m2_ids>& sequences,
                            const EmbedSettings& settings = {}) {
    return run(settings, [&](const m2_embed_options& options, m2_result** result) {
      return m2_embed_ids(handle_.get(), sequences.data(), sequences.size(), &options, result);
    });
  }

  // Any thread.
  void cancel() const { facade::check(m2_session_cancel(handle_.get())); }

  m2_session* get() const noexcept { return handle_.get(); }

 private:
  struct Progress {
    const EmbedSettings& settings;
    std::exception_ptr thrown;

    static int call(void* user, double share, double tokens) noexcept {
      Progress& self = *static_cast<Progress*>(user);
      try {
        return self.settings.go_on(share, tokens) ? 0 : 1;
      } catch (...) {
        self.thrown = std::current_exception();
        return 1;
      }
    }
  };

  EmbeddingResult embed_inputs(const std::vector<InputText>& inputs,
                               const EmbedSettings& settings) {
    std::vector<m2_text> texts;
    for (const InputText& input : inputs) {
      const char* bytes = input.text.data() != nullptr ? input.text.data() : "";
      texts.push_back(
          {bytes, input.text.size(), facade::or_null(input.name), facade::or_null(input.id)});
    }
    return run(settings, [&](const m2_embed_options& options, m2_result** result) {
      return m2_embed(handle_.get(), texts.data(), texts.size(), &options, result);
    });
  }

  template <class Call>
  static EmbeddingResult run(const EmbedSettings& settings, const Call& call) {
    Progress progress{settings, nullptr};
    m2_embed_options options = m2_embed_options_init();
    options.pooling = settings.pooling;
    options.normalise = facade::choice(settings.normalise);
    options.truncation = settings.truncation;
    options.first_index = settings.first_index;
    options.prompt = settings.prompt ? settings.prompt->c_str() : nullptr;
    options.prompt_name = settings.prompt_name ? settings.prompt_name->c_str() : nullptr;
    options.chunk = settings.chunk;
    options.overlap = settings.overlap;
    if (settings.go_on) {
      options.progress = Progress::call;
      options.user = &progress;
    }
    m2_result* result = nullptr;
    const m2_status status = call(options, &result);
    if (progress.thrown) std::rethrow_exception(progress.thrown);
    facade::check(status);
    return EmbeddingResult(result);
  }

  facade::Owner<m2_session, m2_session_free> handle_;
};

// Where the library's messages go, one call at a time; an empty function drops them. What it throws
// is dropped too. For the whole process, and from one thread at a time.
inline void set_log(std::function<void(m2_log_level, const std::string&)> function) {
  static std::function<void(m2_log_level, const std::string&)> current;
  facade::check(m2_set_log(nullptr, nullptr));  // no longer in use, and may be replaced
  current = std::move(function);
  if (!current) return;
  const auto call = [](void*, m2_log_level level, const char* message) noexcept {
    try {
      current(level, message);
    } catch (...) {
    }
  };
  facade::check(m2_set_log(call, nullptr));
}

}  // namespace m2
