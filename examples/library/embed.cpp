// embed MODEL TEXT...: prints the lines that `m2 embed --model-id MODEL TEXT...` prints.
#include <iostream>
#include <m2/m2.hpp>

int main(int count, char** words) {
  if (count < 3) {
    std::cerr << "usage: embed MODEL TEXT...\n";
    return M2_WRONG_USE;
  }
  try {
    const m2::EmbeddingModel model(words[1]);
    m2::EmbeddingSession session(model);
    const std::vector<std::string> texts(words + 2, words + count);
    const m2::EmbeddingResult result = session.embed(texts);
    for (std::size_t i = 0; i < result.size(); ++i) std::cout << result.line(i);
  } catch (const m2::Exception& error) {
    std::cerr << "embed: error: " << error.what() << "\n";
    return error.status();
  }
}
