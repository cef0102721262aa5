// A program that runs beside this one and is talked to line by line.
#pragma once

#include <sys/types.h>

#include <map>
#include <string>
#include <vector>

namespace m2 {

// Started without a shell, in a process group of its own. Its standard input and output are lines
// to and from this process; what it writes to standard error is kept for last_words().
class ChildProcess {
 public:
  // arguments[0] is the program, looked for in PATH where it holds no slash; `environment` is set
  // beside what this process has. Error(kInput) where the program cannot be started.
  ChildProcess(const std::vector<std::string>& arguments,
               const std::map<std::string, std::string>& environment);
  // Ends its input, waits a moment for it to end, then kills what is left of its group; after an
  // interrupt at once.
  ~ChildProcess();
  ChildProcess(const ChildProcess&) = delete;
  ChildProcess& operator=(const ChildProcess&) = delete;

  // False where it no longer reads.
  bool write_line(const std::string& line);

  enum class Answer { kLine, kEnd, kTimeout };
  // Its next line, without the line feed, in `line`; kEnd where it has closed its output or writes
  // a line longer than 1 MiB. Error(kInterrupted) where this process is interrupted meanwhile.
  Answer read_line(double seconds, std::string& line);

  // How it ended, "exit code 3" or "signal 9"; empty while it runs. Waits a moment for that.
  std::string how_it_ended();
  // The last line that it wrote to standard error; empty where there is none.
  std::string last_words() const;

 private:
  bool wait_for_end(double seconds) const;

  int errors_ = -1;  // a file in memory
  int socket_ = -1;
  pid_t process_ = -1;
  std::string unread_;
};

}  // namespace m2
