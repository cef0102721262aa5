// The checksums that the hub gives as ETags.
#pragma once

#include <functional>
#include <string>

namespace m2 {

// Whether the file's bytes are those of `etag`: SHA-256 where it has 64 digits (large files), git's
// SHA-1 of a blob where it has 40 (small ones); any other ETag is no checksum, and all bytes agree.
// Error(kFailed) when the file cannot be read, Error(kInterrupted) where `interrupted` says so.
bool agrees_with_etag(const std::string& path, const std::string& etag,
                      const std::function<bool()>& interrupted);

}  // namespace m2
