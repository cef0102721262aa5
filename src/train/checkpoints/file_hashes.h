// train/checkpoints: a run's folder on disk: checkpoints that are whole or not there. A part of
// train that knows no torch. Uses train/config, checkpoint and core.
//
// SHA-256 of a folder's files, in a list that `sha256sum -c SHA256SUMS` reads too.
#pragma once

#include <filesystem>
#include <string>

namespace m2::train {

inline constexpr char kHashList[] = "SHA256SUMS";

// 64 hexadecimal digits. Error(kFailed) that names `path` where it cannot be read.
std::string sha256_of_file(const std::filesystem::path& path);

// Writes FOLDER/SHA256SUMS over the regular files in it. Error(kFailed).
void write_hash_list(const std::filesystem::path& folder);

// What is wrong with the folder: the list is missing or malformed, a file that it names is missing
// or has other bytes. Empty where nothing is.
std::string find_damage(const std::filesystem::path& folder);

}  // namespace m2::train
