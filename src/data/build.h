// Token shards out of documents: what `m2 data build` does.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "core/threads.h"
#include "data/sample_assembler.h"
#include "documents/document_reader.h"

namespace m2 {

struct BuildOptions {
  std::vector<std::string> inputs;  // files and folders
  std::string output;               // gets train/ and val/
  int64_t length = 0;               // most tokens of a sample, special ones included
  // Share of the documents that val/ gets, picked by their texts' hashes; at least one, and of a
  // single document its last pieces. 0: none.
  double valid_fraction = 0;
  AssemblyOptions assembly;
  // A shard is closed at the document that makes it this large.
  uint64_t shard_tokens = uint64_t{1} << 24;
  DocumentLimits limits;
  bool resume = false;
};

struct SplitReport {
  uint64_t documents = 0, samples = 0, tokens = 0;
};

struct BuildReport {
  SplitReport train, validation;
  uint64_t empty_documents = 0;  // passed over: without a token
  bool was_whole = false;        // with `resume`: there was nothing left to do
};

// Called now and then with the share of the input that was read and the tokens made in this run;
// may throw to end the build, which can be resumed.
using BuildProgress = std::function<void(double done, int64_t tokens)>;

// Builds, or with `resume` goes on with what an ended build has left; the result is the same to the
// byte, and on any number of threads. A split's folder is data when its index.json is there, which
// is written last. Errors, one line each:
// kUsage  an option out of range; a folder that holds data or an unfinished build; a resumed one
//         that was begun otherwise
// kInput  an unreadable input, no document with a token, none left for train, one document of one
//         piece of which a part was to be held back
// kFailed what cannot be written
BuildReport build_dataset(const Tokenizer& tokenizer, const BuildOptions& options,
                          Executor& executor, const BuildProgress& progress);

}  // namespace m2
