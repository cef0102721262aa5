"""Shards that MosaicML streaming wrote (make_mds.py made tests/data/mds), read by the project.

Needs the program tests/data/data_probe of the build directory (M2_BUILD_DIR, by default build/release).
"""

import hashlib
import json
import os
import pathlib
import shutil
import subprocess

import pytest
from data_build_test import VOCABULARY, build, oracle, pieces, texts, write_lines
from make_mds import mds_texts
from token_dataset import read_dataset

HERE = pathlib.Path(__file__).resolve().parent
PROBE = HERE.parents[1] / os.environ.get("M2_BUILD_DIR", "build/release") / "tests/data/data_probe"
LENGTH = 32


def samples_of(folder, *vocabulary):
    done = subprocess.run([PROBE, folder, str(LENGTH), *vocabulary], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]


def first_piece(text):
    frame = [oracle().token_to_id("[CLS]"), oracle().token_to_id("[SEP]")]
    return (pieces(oracle(), text, LENGTH) or [frame])[0]


@pytest.mark.parametrize("kind", ["plain", "zstd", "gz"])
def test_texts_are_those_that_were_written(kind, tmp_path):
    folder = tmp_path / kind
    shutil.copytree(HERE / "mds" / kind, folder)
    expected = [first_piece(text) for text in mds_texts()]
    assert samples_of(folder, VOCABULARY) == expected
    # Expanded, they are what streaming has packed; and are read again without the packed ones.
    for shard in json.loads((folder / "index.json").read_text())["shards"]:
        plain = shard["raw_data"]
        assert hashlib.sha1((folder / plain["basename"]).read_bytes()).hexdigest() == plain["hashes"]["sha1"]
    for packed in [*folder.glob("*.zstd"), *folder.glob("*.gz")]:
        packed.unlink()
    assert samples_of(folder, VOCABULARY) == expected


def test_token_shards_are_read_as_numpy_reads_them(tmp_path):
    build(tmp_path / "out", write_lines(tmp_path / "a.jsonl", texts(100)), "--shard-tokens", 500, length=LENGTH)
    assert samples_of(tmp_path / "out/train") == read_dataset(tmp_path / "out/train")
