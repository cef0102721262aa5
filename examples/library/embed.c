// embed MODEL TEXT: prints the line that `m2 embed --model-id MODEL TEXT` prints.
#include <m2/m2.h>
#include <stdio.h>

int main(int count, char** words) {
  m2_model* model = NULL;
  m2_session* session = NULL;
  m2_result* result = NULL;
  const char* line = "";
  const m2_text text = {count == 3 ? words[2] : NULL, M2_UNTIL_ZERO, NULL, NULL};
  const int failed = m2_model_load(count == 3 ? words[1] : NULL, NULL, &model) != M2_OK ||
                     m2_session_new(model, NULL, &session) != M2_OK ||
                     m2_embed(session, &text, 1, NULL, &result) != M2_OK ||
                     m2_result_line(result, 0, M2_LINE_JSON, &line, NULL) != M2_OK;
  if (failed) fprintf(stderr, "embed: error: %s\n", m2_last_error());
  fputs(line, stdout);
  m2_result_free(result);
  m2_session_free(session);
  m2_model_free(model);
  return failed;
}
