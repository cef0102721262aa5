"""`m2 data build` against `tokenizers` and numpy, ended by SIGKILL, and with what cannot be built."""

import fcntl
import functools
import gzip
import json
import os
import pathlib
import random
import resource
import shutil
import signal
import subprocess
import sys
import time

import pytest
from tokenizers import BertWordPieceTokenizer

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "apps/m2"))
from m2_program import FAILED, INPUT, PROGRAM, ROOT, USAGE, VOCABULARY, environment, refuse, run, succeed
from token_dataset import read_dataset, read_shard, vocabulary_hash

SHARED = ROOT.parent / "shared/data"
BERT_VOCABULARY = SHARED / "vocab/bert-base-uncased-vocab.txt"
CLS, SEP = "[CLS]", "[SEP]"


@functools.lru_cache
def oracle(vocabulary=VOCABULARY):
    return BertWordPieceTokenizer(str(vocabulary), lowercase=True)


def ids_of(tokenizer, text):
    return tokenizer.encode(text, add_special_tokens=False).ids


def pieces(tokenizer, text, length):
    """The samples of a document that stands alone."""
    ids, room = ids_of(tokenizer, text), length - 2
    frame = [tokenizer.token_to_id(CLS)], [tokenizer.token_to_id(SEP)]
    return [frame[0] + ids[at:at + room] + frame[1] for at in range(0, len(ids), room)]


def texts(count, seed=1):
    """Documents of the demo's vocabulary and others, short ones and a long one now and then."""
    words = VOCABULARY.read_text().split("\n")[5:8000]
    generator = random.Random(seed)
    return [" ".join(generator.choices(words, k=900 if i % 40 == 39 else generator.randint(1, 60)))
            + " Éa, [SEP] 中文 x\u0301\r\n" for i in range(count)]


def write_lines(path, documents):
    opened = gzip.open if path.suffix == ".gz" else open
    with opened(path, "wt", encoding="utf-8", newline="\n") as file:
        file.writelines(json.dumps({"id": i, "text": text}) + "\n" for i, text in enumerate(documents))
    return path


def build(output, *words, length=64, vocabulary=VOCABULARY):
    return succeed("data", "build", "--tokenizer", vocabulary, "--length", length, "--output", output, *words)


def test_samples_are_those_of_tokenizers(tmp_path):
    documents = texts(300)
    out = build(tmp_path / "out", write_lines(tmp_path / "a.jsonl.gz", documents), "--shard-tokens", 5000)
    expected = [piece for text in documents for piece in pieces(oracle(), text, 64)]
    assert read_dataset(tmp_path / "out/train") == expected
    assert not (tmp_path / "out/val").exists()
    tokens = sum(map(len, expected))
    assert out.decode() == f"{tmp_path}/out/train: 300 documents, {len(expected)} samples, {tokens} tokens\n"


def test_truncate_keeps_first_pieces(tmp_path):
    documents = texts(100)
    build(tmp_path / "out", write_lines(tmp_path / "a.json", documents), "--truncate")
    assert read_dataset(tmp_path / "out/train") == [pieces(oracle(), text, 64)[0] for text in documents]


def test_joined_documents_are_all_there(tmp_path):
    documents = [text for text in texts(200) if len(ids_of(oracle(), text)) < 62]
    build(tmp_path / "out", write_lines(tmp_path / "a.json", documents), "--short-documents", "concatenate")
    samples = read_dataset(tmp_path / "out/train")
    assert all(len(sample) >= 63 for sample in samples[:-1])
    sep = oracle().token_to_id(SEP)
    found = [i for sample in samples for i in sample[1:-1] if i != sep]
    assert found == [i for text in documents for i in ids_of(oracle(), text) if i != sep]


def test_short_documents_in_proportions(tmp_path):
    documents = [f"word {i}" for i in range(1000)]
    path = write_lines(tmp_path / "a.json", documents)
    build(tmp_path / "out", path, "--short-documents", "keep=1,concatenate=3")
    alone = sum(len(sample) < 60 for sample in read_dataset(tmp_path / "out/train"))
    assert abs(alone - 250) < 6 * (1000 * 0.25 * 0.75) ** 0.5 + 1  # six standard deviations


def test_header_says_what_the_ids_mean(tmp_path):
    build(tmp_path / "out", write_lines(tmp_path / "a.json", texts(3)))
    header, _ = read_shard(tmp_path / "out/train/shard.00000.tokens")
    tokens = VOCABULARY.read_text().removesuffix("\n").split("\n")
    assert header["vocabulary_size"] == len(tokens)
    assert header["vocabulary_hash"] == vocabulary_hash(tokens)
    for name in ("cls", "sep", "pad", "mask", "unk"):
        assert tokens[header[name]] == f"[{name.upper()}]"


def test_validation_is_of_whole_documents(tmp_path):
    documents = texts(400)
    build(tmp_path / "out", write_lines(tmp_path / "a.json", documents), "--valid-fraction", 0.1)
    train, val = read_dataset(tmp_path / "out/train"), read_dataset(tmp_path / "out/val")
    of_documents = [pieces(oracle(), text, 64) for text in documents]
    held = [parts for parts in of_documents if parts[0] in val]
    assert [piece for parts in held for piece in parts] == val
    assert [piece for parts in of_documents if parts not in held for piece in parts] == train
    assert 40 - 36 <= len(held) <= 40 + 36


@pytest.mark.skipif(not BERT_VOCABULARY.exists(), reason="the vocabulary of bert-base-uncased is not here")
def test_wikitext_as_tokenizers_has_it(tmp_path):
    text = SHARED / "text/wikitext2/valid.txt.zst"
    build(tmp_path / "out", text, "--valid-fraction", 0.1, length=128, vocabulary=BERT_VOCABULARY)
    plain = subprocess.run(["zstd", "-dc", "--long=27", text], capture_output=True, check=True).stdout.decode() \
        if shutil.which("zstd") else pytest.skip("zstd is not here")
    expected = pieces(oracle(BERT_VOCABULARY), plain, 128)
    train, val = read_dataset(tmp_path / "out/train"), read_dataset(tmp_path / "out/val")
    assert train + val == expected
    assert len(val) == int(0.1 * len(expected) + 0.5)  # one document: its last pieces


def tree(folder):
    return {path.relative_to(folder): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_killed_and_resumed_it_is_the_same(tmp_path):
    path = write_lines(tmp_path / "a.jsonl", texts(6000))
    words = ["--valid-fraction", 0.05, "--short-documents", "keep=1,concatenate=1", "--shard-tokens", 3000]
    build(tmp_path / "whole", path, *words)
    expected = tree(tmp_path / "whole")
    assert len(expected) > 50
    out = tmp_path / "cut"
    command = [PROGRAM, "data", "build", "--tokenizer", VOCABULARY, "--length", "64", "--output", out, path,
               *map(str, words)]
    killed = 0
    for shards in (2, 9, 25):
        process = subprocess.Popen([*command, "--resume"], stdout=subprocess.DEVNULL, env=environment())
        while process.poll() is None and len(list(out.glob("train/*.tokens"))) < shards:
            time.sleep(0.001)
        process.send_signal(signal.SIGKILL)
        killed += process.wait() == -signal.SIGKILL
        if killed:
            assert (out / "unfinished.json").exists() or not out.exists() or not (out / "train/index.json").exists()
    assert killed > 0
    build(out, path, *words, "--resume", "--threads", 3)
    assert tree(out) == expected


def test_one_build_at_a_time_in_a_folder(tmp_path):
    path, out = write_lines(tmp_path / "a.jsonl", texts(3)), tmp_path / "out"
    out.mkdir()
    with (out / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        refuse(FAILED, "data", "build", "--tokenizer", VOCABULARY, "--length", 64, "--output", out, path,
               says=[out, "another process builds data"])
    build(out, path)


def test_a_full_disk_leaves_nothing_that_looks_whole(tmp_path):
    path = write_lines(tmp_path / "a.jsonl", texts(400))

    def small_files():
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096))

    text = refuse(FAILED, "data", "build", "--tokenizer", VOCABULARY, "--length", 64, "--output", tmp_path / "out", path,
                  says=["train/shard.00000.tokens: cannot be written"], preexec_fn=small_files)
    assert "File too large" in text
    assert not list(tmp_path.glob("out/**/*.json")) and not list(tmp_path.glob("out/**/*.part"))


def test_what_cannot_be_built_is_said_in_a_line(tmp_path):
    words = ["data", "build", "--length", 64, "--output", tmp_path / "out"]
    good = write_lines(tmp_path / "a.jsonl", texts(3))
    tokenizer = ["--tokenizer", VOCABULARY]
    empty = write_lines(tmp_path / "empty.jsonl", ["", " "])
    refuse(INPUT, *words, "--tokenizer", tmp_path / "none.txt", good, says="none.txt")
    refuse(INPUT, *words, *tokenizer, empty, says="no document with a token")
    refuse(INPUT, *words, *tokenizer, tmp_path / "none.jsonl", says="none.jsonl: cannot be read")
    refuse(INPUT, *words, *tokenizer, "--max-document-bytes", 10, good, says="a.jsonl:1: the line is longer")
    for odd in ("drop", "keep=0", "keep=-1,concatenate=2", "keep=1;concatenate=1", "keep=", ""):
        refuse(USAGE, *words, *tokenizer, "--short-documents", odd, good, says="--short-documents")
    refuse(USAGE, *words, *tokenizer, "--valid-fraction", 1, good, says="validation fraction of 1")
    assert not (tmp_path / "out").exists()
    build(tmp_path / "out", good)
    refuse(USAGE, *words, *tokenizer, good, says="holds data already")
    done = run(*words, *tokenizer, good, "--resume")
    assert done.returncode == 0 and b"was whole already" in done.stderr


def test_help_has_an_example():
    assert b"m2 data build --tokenizer" in succeed("data", "build", "--help")
