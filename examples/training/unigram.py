#!/usr/bin/env python3
"""The line that a language model has to beat: what word frequencies alone tell of held-out text.

    .venv/bin/python examples/training/unigram.py data/train data/val [--samples 2560]

Counts the tokens of the first folder of `m2 data build` (docs/data.md), one added to each of the vocabulary, and
prints, of the second's first samples, the mean cross-entropy in nats and the share of its commonest token. Tokens
that are never masked are left out.
"""
import argparse
import json
from pathlib import Path

import numpy as np

HEADER = np.dtype([
    ("magic", "S8"), ("version", "<u4"), ("token_bytes", "<u4"), ("samples", "<u8"), ("tokens", "<u8"),
    ("length", "<u4"), ("vocabulary_size", "<u4"), ("vocabulary_hash", "<u8"), ("special", "<i4", 5),
    ("block_bytes", "<u4"), ("tables_checksum", "<u4"), ("header_checksum", "<u4"),
])


def counts(folder, samples=None):
    """How often each token of the vocabulary occurs in the first samples, all without a number."""
    total = 0
    for shard in json.loads((folder / "index.json").read_text())["shards"]:
        data = (folder / shard["file"]).read_bytes()
        header = np.frombuffer(data, HEADER, 1)[0]
        width, tokens = int(header["token_bytes"]), int(header["tokens"])
        taken = shard["samples"] if samples is None else min(samples, shard["samples"])
        last = np.frombuffer(data, "<u4", shard["samples"] + 1, HEADER.itemsize)[taken]
        ids = np.frombuffer(data, f"<u{width}", tokens, len(data) - tokens * width)[:last]
        found = np.bincount(ids, minlength=int(header["vocabulary_size"]))
        found[header["special"][header["special"] >= 0]] = 0
        total = total + found
        samples = None if samples is None else samples - taken
    return total


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("train", type=Path)
    parser.add_argument("held_out", type=Path)
    parser.add_argument("--samples", type=int, help="the first so many alone")
    arguments = parser.parse_args()
    seen, held_out = counts(arguments.train) + 1, counts(arguments.held_out, arguments.samples)
    loss = -(held_out * np.log(seen / seen.sum())).sum() / held_out.sum()
    accuracy = held_out[seen.argmax()] / held_out.sum()
    print(f"{held_out.sum()} tokens, loss {loss:.4f}, accuracy {100 * accuracy:.2f} %")


if __name__ == "__main__":
    main()
