#!/usr/bin/env python3
"""Makes examples/demo/vocab.txt: WordPiece pieces learnt from the demo's sample texts.

    .venv/bin/python tools/make_demo_vocabulary.py [--check]

Lower-cased, 8,192 pieces, a piece a line, the line's number its id; [PAD] is 0. The same texts give
the same bytes; --check compares with the committed file and writes nothing.
"""
import argparse
import os
import sys
from pathlib import Path

os.environ["TOKENIZERS_PARALLELISM"] = "false"
from tokenizers import BertWordPieceTokenizer  # noqa: E402  (reads the variable when it loads)

DEMO = Path(__file__).resolve().parent.parent / "examples" / "demo"
SPECIAL = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
SIZE = 8192


def learn(texts):
    """The pieces in the order of their ids."""
    tokenizer = BertWordPieceTokenizer(lowercase=True)
    # The trainer numbers the "##x" of single characters as it meets them, in an order that changes
    # from run to run, and breaks ties by number: naming them beforehand fixes every choice.
    characters = sorted(set("".join(tokenizer.normalize(text) for text in texts)))
    inner = ["##" + character for character in characters if character.isalnum()]
    tokenizer.train_from_iterator(
        texts, vocab_size=SIZE, min_frequency=1, special_tokens=SPECIAL + inner, show_progress=False)
    pieces = sorted(tokenizer.get_vocab().items(), key=lambda item: item[1])
    return [piece for piece, _ in pieces]


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--check", action="store_true", help="compare, do not write")
    arguments = parser.parse_args()

    files = sorted((DEMO / "texts").glob("*.txt"))
    pieces = learn([file.read_text(encoding="utf-8") for file in files])
    if len(pieces) != SIZE or pieces[:len(SPECIAL)] != SPECIAL:
        sys.exit(f"expected {SIZE} pieces, the special ones first; got {len(pieces)}")
    wanted = "".join(piece + "\n" for piece in pieces)

    target = DEMO / "vocab.txt"
    if arguments.check:
        if target.read_text(encoding="utf-8") != wanted:
            sys.exit(f"{target}: differs from what the texts give")
    else:
        target.write_text(wanted, encoding="utf-8")
    print(f"{target}: {len(pieces)} pieces from {len(files)} texts")


if __name__ == "__main__":
    main()
