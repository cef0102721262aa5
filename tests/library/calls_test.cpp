// How calls of the C API fail, are cancelled, run at once, and what they leave alone.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <locale>
#include <stdexcept>
#include <thread>

#include "library/library_model.h"

extern "C" int omp_get_max_threads();
extern "C" void omp_set_num_threads(int threads);

namespace m2::testing_library {
namespace {

using testing::HasSubstr;
namespace fs = std::filesystem;

class LibraryCalls : public testing::Test {
 protected:
  ModelOwner model_ = load();
  SessionOwner session_ = session_of(model_.get());
};

TEST_F(LibraryCalls, NullPointersAreWrongUse) {
  m2_model* model = nullptr;
  m2_session* session = nullptr;
  m2_result* result = nullptr;
  m2_tokens* tokens = nullptr;
  const char* text = nullptr;
  size_t count = 0;
  m2_model_info info = m2_model_info_init();
  m2_token_list list = m2_token_list_init();
  m2_vector vector = m2_vector_init();
  const m2_text no_data = {nullptr, 3, nullptr, nullptr};
  const m2_ids no_ids = {nullptr, nullptr, nullptr, 3};
  const m2_status statuses[] = {m2_model_load(nullptr, nullptr, &model),
                                m2_model_load(model_folder().c_str(), nullptr, nullptr),
                                m2_model_get_info(nullptr, &info),
                                m2_model_get_info(model_.get(), nullptr),
                                m2_tokenize(nullptr, "a", 1, nullptr, &tokens),
                                m2_tokenize(model_.get(), nullptr, 1, nullptr, &tokens),
                                m2_tokenize(model_.get(), "a", 1, nullptr, nullptr),
                                m2_tokens_get(nullptr, &list),
                                m2_token_text(nullptr, 0, &text),
                                m2_token_text(model_.get(), 0, nullptr),
                                m2_session_new(nullptr, nullptr, &session),
                                m2_session_new(model_.get(), nullptr, nullptr),
                                m2_session_cancel(nullptr),
                                m2_embed(nullptr, &no_data, 1, nullptr, &result),
                                m2_embed(session_.get(), nullptr, 1, nullptr, &result),
                                m2_embed(session_.get(), &no_data, 1, nullptr, &result),
                                m2_embed(session_.get(), &no_data, 1, nullptr, nullptr),
                                m2_embed_ids(session_.get(), nullptr, 1, nullptr, &result),
                                m2_embed_ids(session_.get(), &no_ids, 1, nullptr, &result),
                                m2_result_count(nullptr, &count),
                                m2_result_get(nullptr, 0, &vector),
                                m2_result_line(nullptr, 0, M2_LINE_JSON, &text, nullptr)};
  for (size_t i = 0; i < std::size(statuses); ++i) EXPECT_EQ(statuses[i], M2_WRONG_USE) << i;
  EXPECT_EQ(m2_model_free(nullptr), M2_OK);
  EXPECT_EQ(m2_session_free(nullptr), M2_OK);
  EXPECT_EQ(m2_result_free(nullptr), M2_OK);
  EXPECT_EQ(m2_tokens_free(nullptr), M2_OK);
}

TEST_F(LibraryCalls, FreedHandlesAreTold) {
  m2_result* result = embed(session_.get(), {"a gate"}).release();
  ASSERT_EQ(m2_result_free(result), M2_OK);
  size_t count = 0;
  EXPECT_EQ(m2_result_count(result, &count), M2_WRONG_USE);
  EXPECT_THAT(m2_last_error(), HasSubstr("the result was freed before"));
  EXPECT_EQ(m2_result_free(result), M2_WRONG_USE);
  m2_session* session = session_.release();
  ASSERT_EQ(m2_session_free(session), M2_OK);
  EXPECT_EQ(status_of(session, "a gate"), M2_WRONG_USE);
  EXPECT_EQ(m2_session_free(session), M2_WRONG_USE);
  m2_model* model = model_.release();
  ASSERT_EQ(m2_model_free(model), M2_OK);
  EXPECT_EQ(m2_session_new(model, nullptr, &session), M2_WRONG_USE);
  EXPECT_EQ(session, nullptr);
  // A new handle is never an old one.
  const ModelOwner again = load();
  EXPECT_NE(again.get(), model);
}

TEST_F(LibraryCalls, AHandleOfAnotherKindIsTold) {
  EXPECT_EQ(m2_session_free(reinterpret_cast<m2_session*>(model_.get())), M2_WRONG_USE);
  int stranger = 0;
  EXPECT_EQ(m2_model_free(reinterpret_cast<m2_model*>(&stranger)), M2_WRONG_USE);
}

TEST_F(LibraryCalls, NumbersWithoutAMeaningAreWrongUse) {
  const int nonsense = 77;
  m2_embed_options options = m2_embed_options_init();
  std::memcpy(&options.pooling, &nonsense, sizeof(int));
  EXPECT_EQ(status_of(session_.get(), "a", &options), M2_WRONG_USE);
  EXPECT_THAT(m2_last_error(), HasSubstr("77 is no m2_pooling"));
  options = m2_embed_options_init();
  std::memcpy(&options.truncation, &nonsense, sizeof(int));
  EXPECT_EQ(status_of(session_.get(), "a", &options), M2_WRONG_USE);
  options = m2_embed_options_init();
  std::memcpy(&options.normalise, &nonsense, sizeof(int));
  EXPECT_EQ(status_of(session_.get(), "a", &options), M2_WRONG_USE);
  m2_model_options load_options = m2_model_options_init();
  std::memcpy(&load_options.padding, &nonsense, sizeof(int));
  m2_model* model = nullptr;
  EXPECT_EQ(m2_model_load(model_folder().c_str(), &load_options, &model), M2_WRONG_USE);
  load_options = m2_model_options_init();
  std::memcpy(&load_options.dtype, &nonsense, sizeof(int));
  EXPECT_EQ(m2_model_load(model_folder().c_str(), &load_options, &model), M2_WRONG_USE);
  EXPECT_THAT(m2_last_error(), HasSubstr("77 is no m2_dtype"));
  m2_session_options session_options = m2_session_options_init();
  session_options.threads = 1025;
  m2_session* session = nullptr;
  EXPECT_EQ(m2_session_new(model_.get(), &session_options, &session), M2_WRONG_USE);
  const ResultOwner result = embed(session_.get(), {"a"});
  m2_vector vector = m2_vector_init();
  EXPECT_EQ(m2_result_get(result.get(), 1, &vector), M2_WRONG_USE);
  const char* text = nullptr;
  EXPECT_EQ(m2_token_text(model_.get(), 8192, &text), M2_WRONG_USE);
  const int32_t outside = 9000;
  const m2_ids row = {&outside, nullptr, nullptr, 1};
  m2_result* by_ids = nullptr;
  EXPECT_EQ(m2_embed_ids(session_.get(), &row, 1, nullptr, &by_ids), M2_WRONG_USE);
  EXPECT_THAT(m2_last_error(), HasSubstr("9000"));
}

TEST_F(LibraryCalls, BadInputNamesTheText) {
  EXPECT_EQ(status_of(session_.get(), " \n"), M2_BAD_INPUT);
  EXPECT_THAT(m2_last_error(), HasSubstr("text 1"));
  EXPECT_EQ(status_of(session_.get(), words(60)), M2_BAD_INPUT);
  EXPECT_THAT(m2_last_error(), HasSubstr("the model takes 64"));
  const m2_text bad = {"a\xFF", 2, "my file", nullptr};
  m2_result* result = nullptr;
  EXPECT_EQ(m2_embed(session_.get(), &bad, 1, nullptr, &result), M2_BAD_INPUT);
  EXPECT_THAT(m2_last_error(), HasSubstr("my file"));
  m2_model* model = nullptr;
  EXPECT_EQ(m2_model_load("/no/such/model", nullptr, &model), M2_BAD_INPUT);
  EXPECT_EQ(model, nullptr);
  EXPECT_THAT(m2_last_error(), HasSubstr("/no/such/model"));
}

TEST_F(LibraryCalls, WhatFailedIsSaidToItsThreadAlone) {
  EXPECT_EQ(status_of(session_.get(), ""), M2_BAD_INPUT);
  const std::string message = m2_last_error();
  std::thread([&] {
    EXPECT_STREQ(m2_last_error(), "");
    size_t count = 0;
    EXPECT_EQ(m2_result_count(nullptr, &count), M2_WRONG_USE);
    EXPECT_STRNE(m2_last_error(), "");
  }).join();
  EXPECT_EQ(m2_last_error(), message);
}

TEST_F(LibraryCalls, WeightsThatOverflowAreAFailure) {
  const fs::path copy = fs::path(model_folder()).parent_path() / "large";
  fs::copy(model_folder(), copy, fs::copy_options::recursive);
  const fs::path weights = copy / "model.safetensors";
  std::fstream file(weights, std::ios::in | std::ios::out | std::ios::binary);
  file.seekp(-static_cast<std::streamoff>(fs::file_size(weights) / 2), std::ios::end);
  file << std::string(fs::file_size(weights) / 2, '\x7F');  // 3.4e38, whatever tensor it is
  file.close();
  m2_model* raw = nullptr;
  ASSERT_EQ(m2_model_load(copy.c_str(), nullptr, &raw), M2_OK) << m2_last_error();
  const ModelOwner model(raw);
  EXPECT_EQ(status_of(session_of(raw).get(), "a gate"), M2_FAILED);
  EXPECT_THAT(m2_last_error(), HasSubstr("NaN"));
}

#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
// Leaves `room` bytes of address space beyond what is in use; the limit before.
rlimit limit_memory(rlim_t room) {
  rlimit before{};
  getrlimit(RLIMIT_AS, &before);
  long pages = 0;
  std::ifstream("/proc/self/statm") >> pages;
  rlimit limit = before;
  limit.rlim_cur = static_cast<rlim_t>(pages * sysconf(_SC_PAGESIZE)) + room;
  setrlimit(RLIMIT_AS, &limit);
  return before;
}

int exit_status(pid_t child) {
  int ended = -1;
  waitpid(child, &ended, 0);
  return ended;
}

// In a child, whose address space is limited; the session goes on when there is memory again.
TEST_F(LibraryCalls, ShortMemoryIsAStatus) {
  const std::string large(size_t{64} << 20, 'a');
  const m2_text text = {large.data(), large.size(), nullptr, nullptr};
  const pid_t child = fork();
  if (child == 0) {
    const rlimit before = limit_memory(rlim_t{16} << 20);
    m2_result* result = nullptr;
    const m2_status status = m2_embed(session_.get(), &text, 1, nullptr, &result);
    const bool said = std::string(m2_last_error()).find("not enough memory") == 0;
    setrlimit(RLIMIT_AS, &before);
    const bool goes_on = status_of(session_.get(), "a gate") == M2_OK;
    _exit(status == M2_OUT_OF_MEMORY && said && goes_on ? 0 : 1);
  }
  EXPECT_EQ(exit_status(child), 0);
}

// In a child, whose stack for a thread is larger than what is left of its address space.
TEST_F(LibraryCalls, ThreadsThatAreNotGrantedAreAFailure) {
  const pid_t child = fork();
  if (child == 0) {
    alarm(20);  // a wait without end
    limit_memory(rlim_t{200} << 20);
    m2_session_options options = m2_session_options_init();
    options.threads = 1000;
    m2_session* session = nullptr;
    const m2_status status = m2_session_new(model_.get(), &options, &session);
    _exit(status == M2_FAILED && std::strstr(m2_last_error(), "of 1000 threads") != nullptr ? 0
                                                                                            : 1);
  }
  EXPECT_EQ(exit_status(child), 0);
}
#endif

// Cancelling

struct Cancel {
  m2_session* session = nullptr;
  int calls = 0;
  bool by_handle = false;

  static int call(void* user, double share, double) {
    Cancel& self = *static_cast<Cancel*>(user);
    EXPECT_GE(share, 0.0);
    EXPECT_LE(share, 1.0);
    ++self.calls;
    if (!self.by_handle) return 1;
    EXPECT_EQ(m2_session_cancel(self.session), M2_OK);
    return 0;
  }
};

TEST_F(LibraryCalls, AProgressCallbackCancels) {
  m2_embed_options options = m2_embed_options_init();
  Cancel cancel;
  options.progress = Cancel::call;
  options.user = &cancel;
  EXPECT_EQ(status_of(session_.get(), "a gate", &options), M2_CANCELLED);
  EXPECT_EQ(cancel.calls, 1);
  EXPECT_EQ(status_of(session_.get(), "a gate"), M2_OK);
}

TEST_F(LibraryCalls, CancelStopsTheCallThatRunsAndNoOther) {
  ASSERT_EQ(m2_session_cancel(session_.get()), M2_OK);
  EXPECT_EQ(status_of(session_.get(), "a gate"), M2_OK);
  m2_embed_options options = m2_embed_options_init();
  Cancel cancel{session_.get(), 0, true};
  options.progress = Cancel::call;
  options.user = &cancel;
  EXPECT_EQ(status_of(session_.get(), "a gate", &options), M2_CANCELLED);
  EXPECT_EQ(status_of(session_.get(), "a gate"), M2_OK);
}

TEST_F(LibraryCalls, CancelFromAnotherThread) {
  struct Gate {
    std::atomic<bool> running{false}, cancelled{false};
    static int call(void* user, double, double) {
      Gate& gate = *static_cast<Gate*>(user);
      gate.running = true;
      while (!gate.cancelled) std::this_thread::yield();
      return 0;
    }
  } gate;
  std::thread other([&] {
    while (!gate.running && !gate.cancelled) std::this_thread::yield();
    EXPECT_EQ(m2_session_cancel(session_.get()), M2_OK);
    gate.cancelled = true;
  });
  m2_embed_options options = m2_embed_options_init();
  options.progress = Gate::call;
  options.user = &gate;
  EXPECT_EQ(status_of(session_.get(), "a gate", &options), M2_CANCELLED);
  EXPECT_STREQ(m2_last_error(), "interrupted");
  gate.cancelled = true;  // where the call failed before it ran, the other thread still ends
  other.join();
}

TEST_F(LibraryCalls, WhatACallbackThrowsStaysWithin) {
  m2_embed_options options = m2_embed_options_init();
  options.progress = [](void*, double, double) -> int { throw std::runtime_error("my own"); };
  EXPECT_EQ(status_of(session_.get(), "a gate", &options), M2_FAILED);
  EXPECT_STREQ(m2_last_error(), "my own");
  options.progress = [](void*, double, double) -> int { throw 5; };
  EXPECT_EQ(status_of(session_.get(), "a gate", &options), M2_FAILED);
  EXPECT_EQ(status_of(session_.get(), "a gate"), M2_OK);
}

// Threads

TEST_F(LibraryCalls, ASessionInUseIsTold) {
  m2_embed_options options = m2_embed_options_init();
  options.user = session_.get();
  options.progress = [](void* user, double, double) -> int {
    EXPECT_EQ(status_of(static_cast<m2_session*>(user), "two"), M2_WRONG_USE);
    EXPECT_THAT(m2_last_error(), HasSubstr("another call"));
    return 0;
  };
  EXPECT_EQ(status_of(session_.get(), "one", &options), M2_OK);
}

TEST_F(LibraryCalls, ASessionFreedWhileItRunsEndsWell) {
  m2_embed_options options = m2_embed_options_init();
  struct Freed {
    m2_session* session;
    bool done;
  } freed = {session_of(model_.get(), 2).release(), false};
  options.user = &freed;
  options.progress = [](void* user, double, double) -> int {
    Freed& once = *static_cast<Freed*>(user);
    if (!once.done) {
      EXPECT_EQ(m2_session_free(once.session), M2_OK);
    }
    once.done = true;
    return 0;
  };
  EXPECT_EQ(status_of(freed.session, "one", &options), M2_OK);
  EXPECT_TRUE(freed.done);
  EXPECT_EQ(m2_session_free(freed.session), M2_WRONG_USE);
}

TEST_F(LibraryCalls, SessionsOfOneModelGiveTheSameBitsAtOnce) {
  std::vector<std::string> texts;
  for (int i = 0; i < 20; ++i) texts.push_back(words(1 + i % 15) + std::to_string(i));
  const std::vector<float> expected = values_of(embed(session_.get(), texts).get());
  std::vector<std::vector<float>> found(3);
  std::vector<std::thread> threads;
  for (size_t i = 0; i < found.size(); ++i) {
    threads.emplace_back([&, i] {
      const SessionOwner session = session_of(model_.get(), static_cast<int>(i) + 1);
      found[i] = values_of(embed(session.get(), texts).get());
    });
  }
  for (std::thread& thread : threads) thread.join();
  for (const auto& values : found) EXPECT_EQ(values, expected);
}

TEST_F(LibraryCalls, TheProgramsOwnOpenMpThreadsStayAsMany) {
  // On threads that are new to oneDNN: it is their first products that would set the count.
  const auto keeps = [](const auto& call) {
    std::thread([&] {
      omp_set_num_threads(5);
      call();
      EXPECT_EQ(omp_get_max_threads(), 5);
    }).join();
  };
  keeps([] { load(); });
  keeps([&] { EXPECT_EQ(status_of(session_.get(), "a gate"), M2_OK); });
}

// A program's locale that writes 1234567 as 1.234.567.
struct Grouping : std::numpunct<char> {
  char do_thousands_sep() const override { return '.'; }
  std::string do_grouping() const override { return "\3"; }
};

TEST_F(LibraryCalls, TheProgramsLocaleChangesNoLine) {
  const std::locale before = std::locale::global(std::locale(std::locale(), new Grouping));
  m2_embed_options options = m2_embed_options_init();
  options.first_index = 1234567;
  const ResultOwner result = embed(session_.get(), {"a gate"}, &options);
  const char* line = nullptr;
  EXPECT_EQ(m2_result_line(result.get(), 0, M2_LINE_JSON, &line, nullptr), M2_OK);
  EXPECT_THAT(line, testing::StartsWith("{\"index\":1234567,"));
  std::locale::global(before);
}

// The log

struct Log {
  std::vector<std::string> warnings;
  static void call(void* user, m2_log_level level, const char* message) {
    if (level == M2_LOG_WARNING) static_cast<Log*>(user)->warnings.emplace_back(message);
  }
};

ModelOwner load_padded() {
  m2_model_options options = m2_model_options_init();
  options.padding = M2_PADDING_MAX_LENGTH;
  m2_model* model = nullptr;
  EXPECT_EQ(m2_model_load(model_folder().c_str(), &options, &model), M2_OK);
  return ModelOwner(model);
}

TEST_F(LibraryCalls, WarningsGoToTheLogAndNothingIsPrinted) {
  testing::internal::CaptureStderr();
  testing::internal::CaptureStdout();
  Log log;
  ASSERT_EQ(m2_set_log(Log::call, &log), M2_OK);
  load_padded();
  ASSERT_EQ(log.warnings.size(), 1u);
  EXPECT_THAT(log.warnings[0], HasSubstr("padding contract"));
  ASSERT_EQ(m2_set_log(nullptr, nullptr), M2_OK);
  load_padded();
  EXPECT_EQ(log.warnings.size(), 1u);
  EXPECT_EQ(status_of(session_.get(), ""), M2_BAD_INPUT);
  EXPECT_EQ(testing::internal::GetCapturedStderr(), "");
  EXPECT_EQ(testing::internal::GetCapturedStdout(), "");
}

TEST_F(LibraryCalls, ALogFunctionMayReplaceItself) {
  static int calls = 0;
  const m2_log_function once = [](void*, m2_log_level level, const char*) {
    if (level != M2_LOG_WARNING) return;
    ++calls;
    EXPECT_EQ(m2_set_log(nullptr, nullptr), M2_OK);
  };
  ASSERT_EQ(m2_set_log(once, nullptr), M2_OK);
  load_padded();
  load_padded();
  EXPECT_EQ(calls, 1);
}

}  // namespace
}  // namespace m2::testing_library
