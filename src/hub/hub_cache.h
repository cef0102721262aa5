// hub: models by their name on the Hugging Face hub, found in its cache on disk, and (download.h,
// of the program alone) put there. Uses core.
//
// The cache is laid out as huggingface_hub does it: models--ORG--NAME/refs/REVISION holds a commit,
// models--ORG--NAME/snapshots/COMMIT the files, as links to ../../blobs. Nothing here downloads.
#pragma once

#include <string>

namespace m2 {

// Where a model's files lie. `model_id` is
// - a path: what exists on disk wins, and what cannot be a name on the hub (it is absolute, begins
//   with a dot, has more than one slash, ends as a file of weights does) is returned as it is;
// - ORG/NAME or NAME, with @REVISION where not the branch main is meant: a branch, a tag or a whole
//   commit. The result is the folder of its snapshot.
// Throws Error(kInput), one line that says where was looked and how to get the model, when the
// cache lacks the model, the revision or its weights.
std::string find_model(const std::string& model_id);

// Whether a snapshot has all that this program would take of its repository: the weights whole, and
// each of the other usual files (wanted_files.h) unless the repository is known not to have it.
// Errors are those of reading its modules.json or its index of shards.
bool is_whole_snapshot(const std::string& snapshot);

// The empty file by which huggingface_hub keeps in mind that the repository has no file `name` at
// the snapshot's commit: .no_exist/COMMIT/NAME.
std::string absence_marker(const std::string& snapshot, const std::string& name);

// The folder of the cache: HF_HUB_CACHE, else HUGGINGFACE_HUB_CACHE, else hub in the home folder.
// An empty variable is none.
std::string hub_cache_folder();

// HF_HOME, else huggingface in XDG_CACHE_HOME, else ~/.cache/huggingface.
std::string hub_home_folder();

// A variable's value with ~ in front resolved; empty where it is not set.
std::string folder_variable(const char* name);

}  // namespace m2
