// What GET / and GET /openapi.json return: files of this folder, built into the program.
#pragma once

#include "serve/http/message.h"

namespace m2 {

// A page to try the server: texts, tokens, timing, similarities.
HttpResponse front_page();
// The routes as OpenAPI 3.1.
HttpResponse openapi_document();

}  // namespace m2
