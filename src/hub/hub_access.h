// Where the hub is and who asks, from the variables that huggingface_hub reads.
#pragma once

#include <string>

namespace m2 {

struct HubAccess {
  std::string endpoint;      // without a slash at the end
  std::string token;         // empty: none; never part of a message
  std::string token_source;  // the variable or the file that it came from
};

// HF_ENDPOINT, https://huggingface.co by default; HF_TOKEN, else HUGGING_FACE_HUB_TOKEN, else the
// file HF_TOKEN_PATH, else `token` in hub_home_folder(). Error(kUsage) for an endpoint that is no
// http or https address and a token that cannot be one.
HubAccess hub_access();

// HF_HUB_OFFLINE or TRANSFORMERS_OFFLINE is 1, on, yes or true.
bool is_offline_by_environment();

}  // namespace m2
