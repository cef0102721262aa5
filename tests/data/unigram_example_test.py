"""examples/training/unigram.py against the same sums over shards read by tests/data/token_dataset.py."""

import collections
import math
import subprocess
import sys

from data_build_test import ROOT, VOCABULARY, succeed
from token_dataset import read_dataset

SPECIAL = {"[CLS]", "[SEP]", "[PAD]", "[MASK]", "[UNK]"}


def test_it_says_what_frequencies_tell(tmp_path):
    novel = sorted((ROOT / "examples/demo/texts").glob("*.txt"))[0]
    data = tmp_path / "data"
    succeed("data", "build", "--tokenizer", VOCABULARY, "--length", 64, "--valid-fraction", 0.2, "--shard-tokens", 5000,
            "--output", data, novel)
    words = VOCABULARY.read_text().splitlines()
    special = {i for i, word in enumerate(words) if word in SPECIAL}
    assert len(special) == 5
    seen = collections.Counter(i for sample in read_dataset(data / "train") for i in sample if i not in special)
    held_out = [i for sample in read_dataset(data / "val")[:100] for i in sample if i not in special]
    total = seen.total() + len(words)
    loss = -sum(math.log((seen[i] + 1) / total) for i in held_out) / len(held_out)
    commonest = seen.most_common(1)[0][0]
    accuracy = 100 * held_out.count(commonest) / len(held_out)
    said = subprocess.run([sys.executable, ROOT / "examples/training/unigram.py", data / "train", data / "val", "--samples", "100"],
                          capture_output=True, text=True, check=True).stdout
    assert said == f"{len(held_out)} tokens, loss {loss:.4f}, accuracy {accuracy:.2f} %\n"
