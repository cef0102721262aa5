#include "apps/m2/child_process.h"

#include <poll.h>
#include <spawn.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstring>
#include <thread>

#include "cli/interrupt.h"
#include "core/error.h"
#include "core/text.h"

extern char** environ;

namespace m2 {
namespace {

using Clock = std::chrono::steady_clock;

constexpr double kPatience = 2;  // seconds for a child to end by itself
constexpr size_t kLongestLine = size_t{1} << 20;
constexpr size_t kLastBytes = 8192;  // of standard error, where the last line is looked for

std::vector<char*> pointers(std::vector<std::string>& texts) {
  std::vector<char*> out;
  for (std::string& text : texts) out.push_back(text.data());
  out.push_back(nullptr);
  return out;
}

// This process's variables, with those of `changes` instead or beside.
std::vector<std::string> changed_environment(const std::map<std::string, std::string>& changes) {
  std::vector<std::string> out;
  for (char** entry = environ; *entry != nullptr; ++entry) {
    const std::string text = *entry;
    if (!changes.contains(text.substr(0, text.find('=')))) out.push_back(text);
  }
  for (const auto& [name, value] : changes) out.push_back(concat(name, "=", value));
  return out;
}

// What the child is given beside its arguments; freed at the end of its scope.
struct SpawnSettings {
  posix_spawn_file_actions_t files;
  posix_spawnattr_t attributes;

  SpawnSettings(int socket, int errors) {
    posix_spawn_file_actions_init(&files);
    posix_spawn_file_actions_adddup2(&files, socket, STDIN_FILENO);
    posix_spawn_file_actions_adddup2(&files, socket, STDOUT_FILENO);
    posix_spawn_file_actions_adddup2(&files, errors, STDERR_FILENO);
    posix_spawnattr_init(&attributes);
    posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETPGROUP);
    posix_spawnattr_setpgroup(&attributes, 0);
  }
  ~SpawnSettings() {
    posix_spawn_file_actions_destroy(&files);
    posix_spawnattr_destroy(&attributes);
  }
  SpawnSettings(const SpawnSettings&) = delete;
  SpawnSettings& operator=(const SpawnSettings&) = delete;
};

}  // namespace

ChildProcess::ChildProcess(const std::vector<std::string>& arguments,
                           const std::map<std::string, std::string>& environment) {
  // A socket and not two pipes: a write to a child that has ended is an error, not a signal.
  std::array<int, 2> sockets = {-1, -1};
  int problem = socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, sockets.data()) == 0 ? 0 : errno;
  socket_ = sockets[0];
  errors_ = memfd_create("standard error", MFD_CLOEXEC);
  if (problem == 0 && errors_ < 0) problem = errno;
  if (problem == 0) {
    std::vector<std::string> words = arguments, variables = changed_environment(environment);
    const SpawnSettings settings(sockets[1], errors_);
    problem = posix_spawnp(&process_, arguments[0].c_str(), &settings.files, &settings.attributes,
                           pointers(words).data(), pointers(variables).data());
  }
  close(sockets[1]);
  if (problem != 0) {
    close(socket_);
    close(errors_);
    throw input_error(concat(arguments[0], ": cannot be started: ", std::strerror(problem)));
  }
}

ChildProcess::~ChildProcess() {
  shutdown(socket_, SHUT_WR);
  if (!interrupted()) wait_for_end(kPatience);
  kill(-process_, SIGKILL);  // the group outlives a leader that is not yet reaped
  int status = 0;
  while (waitpid(process_, &status, 0) < 0 && errno == EINTR) {
  }
  close(socket_);
  close(errors_);
}

bool ChildProcess::write_line(const std::string& line) {
  const std::string bytes = line + "\n";
  size_t sent = 0;
  while (sent < bytes.size()) {
    const ssize_t count = send(socket_, bytes.data() + sent, bytes.size() - sent, MSG_NOSIGNAL);
    stop_if_interrupted();
    if (count < 0 && errno != EINTR) return false;
    sent += static_cast<size_t>(std::max<ssize_t>(count, 0));
  }
  return true;
}

ChildProcess::Answer ChildProcess::read_line(double seconds, std::string& line) {
  const auto deadline = Clock::now() + std::chrono::duration<double>(seconds);
  while (true) {
    const size_t end = unread_.find('\n');
    if (end != unread_.npos) {
      line = unread_.substr(0, end);
      unread_.erase(0, end + 1);
      return Answer::kLine;
    }
    if (unread_.size() > kLongestLine) return Answer::kEnd;
    if (Clock::now() >= deadline) return Answer::kTimeout;
    // In turns, so that an interrupt which falls between check and wait is heard.
    constexpr int kTurnMilliseconds = 100;
    pollfd waited = {socket_, POLLIN, 0};
    const int ready = poll(&waited, 1, kTurnMilliseconds);
    stop_if_interrupted();
    if (ready <= 0) continue;
    std::array<char, 4096> bytes{};
    const ssize_t count = recv(socket_, bytes.data(), bytes.size(), 0);
    if (count == 0 || (count < 0 && errno != EINTR)) return Answer::kEnd;
    unread_.append(bytes.data(), static_cast<size_t>(std::max<ssize_t>(count, 0)));
  }
}

bool ChildProcess::wait_for_end(double seconds) const {
  const auto deadline = Clock::now() + std::chrono::duration<double>(seconds);
  while (true) {
    siginfo_t state{};
    // Not reaped, so that neither its number nor its group's is given to another.
    waitid(P_PID, static_cast<id_t>(process_), &state, WEXITED | WNOHANG | WNOWAIT);
    if (state.si_pid == process_) return true;
    if (Clock::now() >= deadline || interrupted()) return false;
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
  }
}

std::string ChildProcess::how_it_ended() {
  if (!wait_for_end(kPatience)) return "";
  siginfo_t state{};
  waitid(P_PID, static_cast<id_t>(process_), &state, WEXITED | WNOHANG | WNOWAIT);
  return concat(state.si_code == CLD_EXITED ? "exit code " : "signal ", state.si_status);
}

std::string ChildProcess::last_words() const {
  struct stat status{};
  if (fstat(errors_, &status) != 0) return "";
  std::string text(kLastBytes, '\0');
  // At a place of its own: the child goes on writing at the file's.
  const ssize_t count = pread(errors_, text.data(), text.size(),
                              std::max<off_t>(0, status.st_size - static_cast<off_t>(kLastBytes)));
  text.resize(static_cast<size_t>(std::max<ssize_t>(0, count)));
  while (!text.empty() && (text.back() == '\n' || text.back() == ' ')) text.pop_back();
  return text.substr(text.rfind('\n') + 1);
}

}  // namespace m2
