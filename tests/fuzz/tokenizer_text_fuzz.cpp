#include "fuzz_files.h"
#include "tokenizer_fuzz.h"

namespace {

// A small vocabulary with words, pieces, marks and characters of other scripts.
m2::Tokenizer make_tokenizer(bool lower_case) {
  const m2::FuzzFolder folder;
  folder.write("vocab.txt",
               "[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\na\nb\nthe\nun\n##able\n##a\n##b\n##s\nhello\n"
               "world\n,\n.\n!\n'\ne\n\xc3\xa9\n\xe4\xbd\xa0\n\xf0\x9f\x98\x80\n\xce\xb1\n##"
               "\xce\xb2\n1\n##2\n");
  folder.write("tokenizer_config.json",
               lower_case ? "{}" : "{\"do_lower_case\": false, \"strip_accents\": false}");
  return m2::Tokenizer::load(folder.path());
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  static const m2::Tokenizer lower = make_tokenizer(true), cased = make_tokenizer(false);
  return m2::fuzz_reader([&] {
    const std::string_view text(reinterpret_cast<const char*>(data), size);
    m2::check_text(lower, text);
    m2::check_text(cased, text);
  });
}
