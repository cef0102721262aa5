// The directory of a zip archive: found, read and checked against the local headers.
#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <vector>

#include "checkpoint/zip.h"

namespace m2 {

// Every entry, in the directory's order; each lies wholly before the directory and overlaps no
// other. Errors as ZipFile's.
std::vector<ZipEntry> read_zip_directory(std::span<const std::byte> bytes, const std::string& path,
                                         const ZipLimits& limits);

}  // namespace m2
