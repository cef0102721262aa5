#include "hub/repository.h"

#include <charconv>
#include <nlohmann/json.hpp>
#include <optional>
#include <utility>

#include "core/error.h"
#include "core/text.h"
#include "hub/wanted_files.h"

namespace m2 {
namespace {

constexpr long kUnauthorised = 401, kForbidden = 403, kNotFound = 404;

// A body of limited size in memory.
class TextSink final : public BodySink {
 public:
  const std::string& text() const { return text_; }
  uint64_t offset() const override { return 0; }
  void restart() override { text_.clear(); }
  void write(std::string_view bytes) override {
    if (bytes.size() > kMaxListBytes - text_.size()) {
      throw input_error(
          concat("the hub's list of files has more than ", bytes_text(kMaxListBytes)));
    }
    text_ += bytes;
  }

 private:
  std::string text_;
};

// W/"abc" and "abc" are abc.
std::string bare_etag(std::string etag) {
  if (etag.starts_with("W/")) etag.erase(0, 2);
  if (etag.size() >= 2 && etag.front() == '"' && etag.back() == '"') {
    etag = etag.substr(1, etag.size() - 2);
  }
  return etag;
}

std::optional<uint64_t> parse_size(const std::string& text) {
  uint64_t size = 0;
  const char* end = text.data() + text.size();
  const auto [rest, problem] = std::from_chars(text.data(), end, size);
  // Beyond it no file's offset could be stated.
  constexpr uint64_t kMost = uint64_t{1} << 62;
  if (problem != std::errc() || rest != end || size > kMost) return std::nullopt;
  return size;
}

}  // namespace

Repository::Repository(HubName name, HubAccess access, std::function<bool()> interrupted)
    : name_(std::move(name)),
      access_(std::move(access)),
      client_({access_.endpoint, access_.token, std::move(interrupted)}) {}

std::string Repository::label() const {
  return name_.revision == kDefaultRevision ? name_.repository
                                            : name_.repository + "@" + name_.revision;
}

std::string Repository::file_url(const std::string& name) const {
  return concat(access_.endpoint, "/", name_.repository, "/resolve/", commit_, "/",
                url_escape(name, true));
}

void Repository::open() {
  TextSink sink;
  const HttpAnswer answer = client_.get(concat(access_.endpoint, "/api/models/", name_.repository,
                                               "/revision/", url_escape(name_.revision, false)),
                                        sink);
  if (answer.status != 200) refuse(answer, "list of files");
  read_list(sink.text());
}

void Repository::read_list(const std::string& text) {
  const auto fail = [&](const char* what) {
    throw input_error(
        concat(label(), ": ", access_.endpoint, " does not answer as the hub does: ", what));
  };
  const auto info = nlohmann::json::parse(text, nullptr, false);
  const auto member = [&](const char* key) {
    return info.is_object() ? info.find(key) : info.end();
  };
  const auto commit = member("sha"), files = member("siblings");
  if (commit == info.end() || !commit->is_string() || !is_commit(commit->get<std::string>())) {
    fail("\"sha\" is no commit");
  }
  commit_ = commit->get<std::string>();
  if (is_commit(name_.revision) && commit_ != name_.revision) fail("\"sha\" is another commit");
  if (files == info.end() || !files->is_array()) fail("\"siblings\" is no list of files");
  for (const auto& file : *files) {
    const auto name = file.is_object() ? file.find("rfilename") : file.end();
    if (name == file.end() || !name->is_string()) fail("a file of \"siblings\" has no name");
    const auto& text_of_name = name->get_ref<const std::string&>();
    if (is_inner_path(text_of_name)) names_.insert(text_of_name);
  }
}

RemoteFile Repository::describe(const std::string& name) {
  const HttpAnswer answer = client_.head(file_url(name));
  const bool found = answer.status == 200 || !answer.redirect.empty();
  if (!found) refuse(answer, name);
  const auto fail = [&](const std::string& what) {
    throw input_error(concat(label(), ": ", access_.endpoint, ": ", printable(name), ": ", what));
  };
  const std::string commit = answer.field("x-repo-commit");
  if (!commit.empty() && commit != commit_) fail("the hub answers for another commit");
  const std::string linked = answer.field("x-linked-etag");
  RemoteFile file = {name, bare_etag(linked.empty() ? answer.field("etag") : linked), 0};
  if (!is_plain_etag(file.etag)) {
    fail(concat("its ETag is \"", printable(file.etag), "\", which names no file of the cache"));
  }
  std::string size = answer.field("x-linked-size");
  if (size.empty() && answer.redirect.empty()) size = answer.field("content-length");
  const auto bytes = parse_size(size);
  if (!bytes) fail("the hub does not say how long it is");
  file.size = *bytes;
  return file;
}

void Repository::fetch(const RemoteFile& file, BlobFile& blob) {
  if (blob.is_full()) return;
  const HttpAnswer answer = client_.get(file_url(file.name), blob);
  if (answer.status != 200 && answer.status != 206) refuse(answer, file.name);
}

void Repository::refuse_access(const HttpAnswer& answer) const {
  const std::string page = concat(access_.endpoint, "/", name_.repository);
  const bool gated = answer.field("x-error-code") == "GatedRepo";
  if (access_.token.empty()) {
    throw input_error(
        gated ? concat(label(), ": is gated; ask for access at ", page, ", then set HF_TOKEN")
              : concat(label(), ": no such file or folder, and ", access_.endpoint,
                       " has no such model for all to read; check the name, or set HF_TOKEN for a "
                       "private or gated one"));
  }
  throw input_error(concat(label(), ": ", access_.endpoint, " refuses the token of ",
                           access_.token_source, gated ? ": the model is gated" : "",
                           "; ask for access at ", page, ", or take another token"));
}

void Repository::refuse(const HttpAnswer& answer, const std::string& what) const {
  if (answer.status == kUnauthorised || answer.status == kForbidden) refuse_access(answer);
  if (answer.status == kNotFound && commit_.empty()) {
    const bool revision = answer.field("x-error-code") == "RevisionNotFound";
    throw input_error(revision ? concat(name_.repository, ": ", access_.endpoint,
                                        " has no revision ", name_.revision, " of it")
                               : concat(label(), ": no such file or folder, and ", access_.endpoint,
                                        " has no such model",
                                        name_.revision == kDefaultRevision ? "" : " or revision"));
  }
  const std::string problem = concat(label(), ": ", url_origin(answer.url), " answers ",
                                     answer.status, " for ", printable(what));
  if (answer.status == kNotFound) throw input_error(problem);
  throw failed_error(problem + "; try again later");
}

}  // namespace m2
