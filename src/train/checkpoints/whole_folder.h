// A folder that appears under its name only when it is whole.
#pragma once

#include <filesystem>
#include <functional>
#include <string>

namespace m2::train {

// `write` fills an empty folder beside `whole`, which then is renamed to it and takes an earlier
// one's place. What fails leaves `whole` as it was, and nothing beside it. Error(kFailed).
void replace_folder(const std::filesystem::path& whole,
                    const std::function<void(const std::filesystem::path& part)>& write);

// Removes a folder of that kind; one that is half removed has another name.
void remove_folder(const std::filesystem::path& whole);

// What a process that was killed left in `parent` of the folders and files that `is_ours` knows by
// name: the unfinished is removed, what was about to be replaced gets its name back.
void clear_leftovers(const std::filesystem::path& parent,
                     const std::function<bool(const std::string& name)>& is_ours);

}  // namespace m2::train
