#!/usr/bin/env python3
"""Writes src/tokenizer/unicode_tables.inc by asking the `tokenizers` package about each code point.

The package mixes several Unicode versions (its own, Rust's, those of its crates), so no library's
tables would do: what it does is the definition. Each fact is seen from outside, by what one of its
steps makes of a short string with the code point in it.

    make_unicode_tables.py            write the table
    make_unicode_tables.py --check    exit 1 if the table in the tree is not what would be written
"""

import argparse
import itertools
import pathlib
import sys

import tokenizers
from tokenizers import AddedToken, Tokenizer, models, normalizers, pre_tokenizers

TABLE = pathlib.Path(__file__).resolve().parent.parent / "src/tokenizer/unicode_tables.inc"
CODE_POINTS = [c for c in range(0x110000) if not 0xD800 <= c <= 0xDFFF]

# The order is that of enum Property in src/tokenizer/unicode.h.
REMOVED, WHITESPACE, PUNCTUATION, NONSPACING_MARK, CHINESE, WORD = (1 << i for i in range(6))

# Marks of the lowest and the highest combining class: a mark moves before or after one of them.
LOWEST_MARK, HIGHEST_MARK = "\u0334", "\u0345"


def bert(**switches):
    off = dict(clean_text=False, handle_chinese_chars=False, strip_accents=False, lowercase=False)
    return normalizers.BertNormalizer(**(off | switches)).normalize_str


def cleaning():
    """clean_text: removed, or mapped to a blank."""
    clean = bert(clean_text=True)
    for c in CODE_POINTS:
        seen = clean(f"a{chr(c)}b")
        if seen == "ab":
            yield c, REMOVED
        elif seen == "a b":
            yield c, WHITESPACE
        else:
            assert seen == f"a{chr(c)}b", hex(c)


def splitting():
    """BertPreTokenizer: dropped at a split, or isolated."""
    split = pre_tokenizers.BertPreTokenizer().pre_tokenize_str
    for c in CODE_POINTS:
        words = [word for word, _ in split(f"a{chr(c)}b")]
        if words == ["a", "b"]:
            yield c, WHITESPACE
        elif words == ["a", chr(c), "b"]:
            yield c, PUNCTUATION
        else:
            assert words == [f"a{chr(c)}b"], hex(c)


def nonspacing_marks():
    """What strip_accents drops of the code points that are their own decomposition."""
    strip, nfd = bert(strip_accents=True), normalizers.NFD().normalize_str
    for c in CODE_POINTS:
        if nfd(chr(c)) == chr(c) and strip(f"a{chr(c)}") == "a":
            yield c, NONSPACING_MARK


def chinese():
    spaced = bert(handle_chinese_chars=True)
    for c in CODE_POINTS:
        if spaced(chr(c)) == f" {chr(c)} ":
            yield c, CHINESE


def word_characters():
    r"""Regex \w: next to one, a single_word token does not match."""
    tokenizer = Tokenizer(models.WordPiece({"u": 0}, unk_token="u"))
    tokenizer.add_tokens([AddedToken("xx", single_word=True, normalized=False)])
    token = tokenizer.token_to_id("xx")
    for c in CODE_POINTS:
        if token not in tokenizer.encode(f"xx{chr(c)}").ids:
            yield c, WORD


def strip_blanks():
    r"""Regex \s: taken along by an rstrip token."""
    tokenizer = Tokenizer(models.WordPiece({"u": 0}, unk_token="u"))
    tokenizer.add_tokens([AddedToken("xx", rstrip=True, normalized=False)])
    for c in CODE_POINTS:
        if tokenizer.encode(f"xx{chr(c)}").offsets[0] == (0, 3):
            yield c, WHITESPACE


def properties():
    clean, split, blanks = dict(cleaning()), dict(splitting()), dict(strip_blanks())
    # One bit serves three rules: cleaning's blanks are the splitter's, less those removed before,
    # and the splitter's blanks are the regex's.
    for c, bit in split.items():
        assert bit != WHITESPACE or clean.get(c) in (WHITESPACE, REMOVED), hex(c)
    for c, bit in clean.items():
        assert bit != WHITESPACE or split.get(c) == WHITESPACE, hex(c)
    assert blanks == {c: bit for c, bit in split.items() if bit == WHITESPACE}
    bits = dict.fromkeys(CODE_POINTS, 0)
    facts = [clean.items(), split.items(), nonspacing_marks(), chinese(), word_characters()]
    for c, bit in itertools.chain(*facts):
        bits[c] |= bit
    return bits


def hangul(c):
    """The decomposition of a Hangul syllable by the standard's formula, or None."""
    index = c - 0xAC00
    if not 0 <= index < 11172:
        return None
    leading, vowel, trailing = index // 588, index % 588 // 28, index % 28
    tail = chr(0x11A7 + trailing) if trailing else ""
    return chr(0x1100 + leading) + chr(0x1161 + vowel) + tail


def decompositions():
    """Full canonical decompositions, less Hangul's, which the program computes."""
    nfd = normalizers.NFD().normalize_str
    for c in CODE_POINTS:
        seen = nfd(chr(c))
        if hangul(c) is not None:
            assert seen == hangul(c), hex(c)
        elif seen != chr(c):
            assert len(seen) <= 4, hex(c)
            yield c, seen


def lower_cases():
    lower = bert(lowercase=True)
    for c in CODE_POINTS:
        seen = lower(chr(c))
        if seen != chr(c):
            assert len(seen) <= 4, hex(c)
            yield c, seen


def combining_ranks():
    """Combining classes, numbered from 1 in their order: all that reordering depends on."""
    nfd = normalizers.NFD().normalize_str

    def before(a, b):
        return nfd(b + a) == a + b

    marks = [
        chr(c)
        for c in CODE_POINTS
        if nfd(chr(c)) == chr(c)
        and (before(chr(c), HIGHEST_MARK) or before(LOWEST_MARK, chr(c)))
    ]
    classes = []  # lists of marks of one class, in order
    for mark in marks:
        low, high = 0, len(classes)
        while low < high:
            middle = (low + high) // 2
            if before(classes[middle][0], mark):
                low = middle + 1
            else:
                high = middle
        if low < len(classes) and not before(mark, classes[low][0]):
            classes[low].append(mark)
        else:
            classes.insert(low, [mark])
    return {ord(mark): i + 1 for i, marks in enumerate(classes) for mark in marks}


def ranges(values):
    """(first, last, value) for runs of equal non-zero values."""
    runs = []
    for c in sorted(values):
        if runs and runs[-1][1] == c - 1 and runs[-1][2] == values[c]:
            runs[-1][1] = c
        elif values[c]:
            runs.append([c, c, values[c]])
        # A zero ends a run by leaving a gap.
    return runs


def rows(items):
    """Items joined to lines of at most 100 columns."""
    line = " "
    for item in items:
        if len(line) + len(item) + 2 > 100:
            yield line
            line = " "
        line += f" {item},"
    yield line


def table(declaration, items):
    return [f"constexpr {declaration}[] = {{", *rows(items), "};", ""]


def range_table(name, values):
    return table(f"Range {name}", [f"{{0x{a:X}, 0x{b:X}, {v}}}" for a, b, v in ranges(values)])


def mapping_tables(name, pairs):
    """A row for each source, pointing into one pool of targets."""
    entries, pool = [], []
    for c, target in pairs:
        entries.append(f"{{0x{c:X}, {len(pool)}, {len(target)}}}")
        pool += [f"0x{ord(t):X}" for t in target]
    return table(f"Mapping k{name}Mappings", entries) + table(f"char32_t k{name}Targets", pool)


def generate():
    lines = [
        "// Generated by tools/make_unicode_tables.py: what `tokenizers` "
        f"{tokenizers.__version__} does with each code point.",
        "// clang-format off",
        "",
        *range_table("kPropertyRanges", properties()),
        *range_table("kCombiningRanks", combining_ranks()),
        *mapping_tables("Decomposition", decompositions()),
        *mapping_tables("LowerCase", lower_cases()),
        "// clang-format on",
    ]
    return "\n".join(lines) + "\n"


def without_version(text):
    return text.split("\n", 1)[1]


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--check", action="store_true", help="compare, write nothing")
    check = parser.parse_args().check
    text = generate()
    if not check:
        TABLE.write_text(text, encoding="ascii")
    elif without_version(TABLE.read_text(encoding="ascii")) != without_version(text):
        print(f"{TABLE}: not what tokenizers {tokenizers.__version__} does", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
