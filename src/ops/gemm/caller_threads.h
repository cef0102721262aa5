// What oneDNN's use leaves behind on a thread that is not ours.
#pragma once

namespace m2 {

// Products run on one OpenMP thread: multiply() sets the calling thread's own count to 1 and leaves
// it so. On a thread of a program that uses OpenMP itself, this sets it for as long as it lives and
// gives the program's count back.
class CallerThreads {
 public:
  CallerThreads();
  ~CallerThreads();
  CallerThreads(const CallerThreads&) = delete;
  CallerThreads& operator=(const CallerThreads&) = delete;

 private:
  int before_;
};

}  // namespace m2
