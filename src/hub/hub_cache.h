// hub: models by their name on the Hugging Face hub, found in its cache on disk. Uses core.
//
// The cache is laid out as huggingface_hub does it: models--ORG--NAME/refs/REVISION holds a commit,
// models--ORG--NAME/snapshots/COMMIT the files, as links to ../../blobs. Nothing is downloaded.
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

// The folder of the cache: HF_HUB_CACHE, else HUGGINGFACE_HUB_CACHE, else hub in HF_HOME, else
// huggingface/hub in XDG_CACHE_HOME, else ~/.cache/huggingface/hub. An empty variable is none.
std::string hub_cache_folder();

}  // namespace m2
