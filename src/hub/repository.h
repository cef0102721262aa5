// One model's repository on the hub, asked over HTTP. What the server says is taken for hostile.
#pragma once

#include <functional>
#include <set>
#include <string>

#include "hub/blob_file.h"
#include "hub/http_client.h"
#include "hub/hub_access.h"
#include "hub/hub_name.h"

namespace m2 {

class Repository {
 public:
  Repository(HubName name, HubAccess access, std::function<bool()> interrupted);

  // The commit that the revision is, and the names of its files; those that would leave the folder
  // are left out. Before anything else. Errors as obtain_model's.
  void open();
  const std::string& commit() const { return commit_; }
  const std::set<std::string, std::less<>>& names() const { return names_; }

  // What the hub announces of a file of that commit.
  RemoteFile describe(const std::string& name);
  void fetch(const RemoteFile& file, BlobFile& blob);

  bool reached() const { return client_.reached(); }
  uint64_t received() const { return client_.received(); }
  // "ORG/NAME" or "ORG/NAME@REVISION".
  std::string label() const;

 private:
  std::string file_url(const std::string& name) const;
  void read_list(const std::string& text);
  // Says why the hub gave no `what`: "list of files", or a file's name.
  [[noreturn]] void refuse(const HttpAnswer& answer, const std::string& what) const;
  [[noreturn]] void refuse_access(const HttpAnswer& answer) const;

  HubName name_;
  HubAccess access_;
  HttpClient client_;
  std::string commit_;
  std::set<std::string, std::less<>> names_;
};

}  // namespace m2
