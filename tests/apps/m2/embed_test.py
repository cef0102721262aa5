"""`m2 embed` on texts: where they come from, how vectors are written, what is said of them."""

import io
import json
import os

import numpy
import pytest
from m2_program import (
    HIDDEN,
    MAX_LENGTH,
    USAGE,
    embed,
    ids_of,
    parse_line,
    refuse,
    run,
    same_bits,
    save_ids,
    succeed,
    vectors,
)

TEXTS = ["The gate was open.", "She said: naïve café, 東京!", "a"]
LONG = " ".join(f"the garden and the gate of house {number}" for number in range(40))  # cuts differ


# Where texts come from


@pytest.mark.asan
def test_arguments(model):
    lines = embed(model, *TEXTS)
    assert [line["index"] for line in lines] == [0, 1, 2]
    for line, text in zip(lines, TEXTS):
        assert line["tokens"] == len(ids_of(model, text))
        assert line["truncated"] is False
        assert set(line) == {"index", "tokens", "truncated", "embedding"}
        assert line["embedding"].shape == (HIDDEN,)
        assert numpy.isfinite(line["embedding"]).all()
    assert not same_bits(lines[0]["embedding"], lines[2]["embedding"])


def test_every_way_in_gives_the_same_vectors(model, tmp_path):
    expected = vectors(model, *TEXTS)
    files = []
    for number, text in enumerate(TEXTS):
        path = tmp_path / f"{number}.txt"
        path.write_text(text)
        files += ["-f", path]
    assert same_bits(vectors(model, *files), expected)
    assert same_bits(vectors(model, stdin="\n".join(TEXTS).encode()), expected)
    assert same_bits(vectors(model, stdin="\r\n".join(TEXTS).encode() + b"\r\n"), expected)
    objects = "".join(json.dumps({"text": text}) + "\n" for text in TEXTS).encode()
    assert same_bits(vectors(model, stdin=objects), expected)
    assert same_bits(vectors(model, "--input-format", "jsonl", stdin=objects), expected)
    alone = numpy.concatenate([vectors(model, text) for text in TEXTS])
    assert same_bits(alone, expected)


def test_a_file_is_one_text(model, tmp_path):
    path = tmp_path / "lines.txt"
    path.write_text("first line\nsecond line\n")
    lines = embed(model, "--file", path)
    assert len(lines) == 1
    assert same_bits(lines[0]["embedding"][None], vectors(model, "first line second line"))


def test_ids_of_json_lines_come_back(model):
    stdin = b'{"id": "a\\"b", "text": "one"}\n{"text": "two"}\n{"text": "three", "id": 7, "x": []}\n'
    lines = embed(model, stdin=stdin)
    assert [line.get("id") for line in lines] == ['a"b', None, 7]
    assert list(lines[0])[:2] == ["index", "id"]


def test_auto_looks_at_the_first_line(model):
    # Not an object with a string "text": the lines are texts, braces and all.
    for first in ('{"title": "x"}', '{"text": 5}', "{", '["text"]', '"text"'):
        lines = embed(model, stdin=f'{first}\n{{"text": "two"}}\n'.encode())
        assert [line["tokens"] for line in lines] == [
            len(ids_of(model, first)), len(ids_of(model, '{"text": "two"}'))]
    forced = embed(model, "--input-format", "lines", stdin=b'{"text": "two"}\n')
    assert forced[0]["tokens"] == len(ids_of(model, '{"text": "two"}'))


def test_arguments_win_over_standard_input(model):
    assert len(embed(model, "one", stdin=b"two\nthree\n")) == 1


def test_many_texts_keep_their_order(model):
    texts = [f"{'word ' * (1 + number % 7)}{number}" for number in range(150)]
    lines = embed(model, stdin="\n".join(texts).encode())
    assert [line["index"] for line in lines] == list(range(150))
    for number in (0, 63, 64, 149):
        assert same_bits(lines[number]["embedding"][None], vectors(model, texts[number]))


# How vectors are written


def test_formats_agree_to_the_bit(model, tmp_path):
    expected = vectors(model, *TEXTS)
    for name in ("v.npy", "v.txt", "v.jsonl"):
        assert succeed("embed", "--model-id", model, "--output", tmp_path / name, *TEXTS) == b""
    array = numpy.load(tmp_path / "v.npy")
    assert array.dtype == numpy.float32 and same_bits(array, expected)
    text = numpy.loadtxt(tmp_path / "v.txt", dtype=numpy.float32)
    assert same_bits(text, expected)
    lines = [parse_line(line) for line in (tmp_path / "v.jsonl").read_text().splitlines()]
    assert same_bits(numpy.stack([line["embedding"] for line in lines]), expected)
    assert sorted(os.listdir(tmp_path)) == ["v.jsonl", "v.npy", "v.txt"]


def test_format_flag_goes_before_the_suffix(model, tmp_path):
    expected = vectors(model, *TEXTS)
    succeed("embed", "--model-id", model, "-o", tmp_path / "v.txt", "--format", "npy", *TEXTS)
    assert same_bits(numpy.load(tmp_path / "v.txt"), expected)
    piped = succeed("embed", "--model-id", model, "--format", "npy", *TEXTS)
    assert same_bits(numpy.load(io.BytesIO(piped)), expected)
    table = succeed("embed", "--model-id", model, "--format", "txt", *TEXTS).decode()
    assert same_bits(numpy.array([row.split() for row in table.splitlines()], dtype=numpy.float32), expected)


def test_a_suffix_that_names_no_format_is_refused(model, tmp_path):
    refuse(USAGE, "embed", "--model-id", model, "-o", tmp_path / "v.csv", "one", says=["v.csv", "--format"])
    assert os.listdir(tmp_path) == []


def test_output_replaces_an_older_file(model, tmp_path):
    path = tmp_path / "v.jsonl"
    path.write_text("old\n")
    succeed("embed", "--model-id", model, "-o", path, "one")
    assert parse_line(path.read_text())["index"] == 0


# Which vector


def test_poolings(model):
    rows = embed(model, "--pooling", "none", "--normalize", "false", TEXTS[0])[0]
    hidden = rows["embedding"]
    assert hidden.shape == (rows["tokens"], HIDDEN)
    cls = vectors(model, "--pooling", "cls", "--normalize", "false", TEXTS[0])[0]
    mean = vectors(model, "--pooling", "mean", "--normalize", "false", TEXTS[0])[0]
    pooler = vectors(model, "--pooling", "pooler", "--normalize", "false", TEXTS[0])[0]
    numpy.testing.assert_allclose(cls, hidden[0], rtol=1e-5, atol=1e-6)
    numpy.testing.assert_allclose(mean, hidden.mean(axis=0), rtol=1e-4, atol=1e-6)
    assert numpy.abs(pooler).max() < 1 and not numpy.allclose(pooler, cls)
    assert same_bits(vectors(model, "--normalize", "false", TEXTS[0])[0], pooler)  # its own


def test_normalize(model):
    plain = vectors(model, "--pooling", "mean", "--normalize", "false", *TEXTS)
    scaled = vectors(model, "--pooling", "mean", "--normalize", "true", *TEXTS)
    lengths = numpy.linalg.norm(plain, axis=1, keepdims=True)
    assert (numpy.abs(lengths - 1) > 1e-3).all()
    numpy.testing.assert_allclose(numpy.linalg.norm(scaled, axis=1), 1, rtol=1e-6)
    numpy.testing.assert_allclose(scaled, plain / lengths, rtol=1e-5, atol=1e-7)


def test_pooling_none_as_npy_needs_one_length(model, tmp_path):
    path = tmp_path / "v.npy"
    words = ("embed", "--model-id", model, "--pooling", "none", "-o", path)
    succeed(*words, "one gate", "the house")
    assert numpy.load(path).shape == (2, len(ids_of(model, "one gate")), HIDDEN)
    path.unlink()
    refuse(USAGE, *words, "one gate", "the old house and its garden", says="jsonl")
    assert os.listdir(tmp_path) == []


# Cutting


def test_truncate_end_is_the_vector_of_what_is_kept(model, tmp_path):
    whole = ids_of(model, LONG)
    assert len(whole) > MAX_LENGTH
    line = embed(model, "--truncate", "end", LONG)[0]
    assert line["truncated"] is True
    assert (line["tokens"], line["total_tokens"]) == (MAX_LENGTH, len(whole))
    assert line["characters"] == len(LONG)
    begin, end = line["kept_characters"]
    assert begin == 0 and 0 < end < len(LONG)
    kept = whole[: MAX_LENGTH - 1] + whole[-1:]
    assert ids_of(model, LONG[begin:end]) == kept
    by_ids = vectors(model, "--input-ids", save_ids(tmp_path, [kept]))
    assert same_bits(line["embedding"][None], by_ids)


def test_truncate_start_keeps_the_end(model, tmp_path):
    whole = ids_of(model, LONG)
    line = embed(model, "--truncate", "start", LONG)[0]
    begin, end = line["kept_characters"]
    assert line["truncated"] and 0 < begin and end == len(LONG)
    kept = whole[:1] + whole[len(whole) - MAX_LENGTH + 1 :]
    assert same_bits(line["embedding"][None], vectors(model, "--input-ids", save_ids(tmp_path, [kept])))
    assert not same_bits(line["embedding"][None], vectors(model, "--truncate", "end", LONG))


def test_truncate_leaves_a_fitting_text_alone(model):
    assert same_bits(vectors(model, "--truncate", "end", *TEXTS), vectors(model, *TEXTS))


# What is said


def test_verbose_counts_tokens_on_stderr(model):
    done = run("embed", "--model-id", model, "--verbose", "one", "two")
    tokens = len(ids_of(model, "one")) + len(ids_of(model, "two"))
    assert done.returncode == 0
    assert f"2 texts, {tokens} tokens in ".encode() in done.stderr
    assert len(done.stdout.splitlines()) == 2


@pytest.mark.parametrize("words", [
    ["one", "-f", "x.txt"],
    ["--input-ids", "x.npy", "one"],
    ["--attention-mask", "x.npy", "one"],
    ["--pooling", "max", "one"],
    ["--truncate", "middle", "one"],
    ["--normalize", "yes", "one"],
    ["--input-format", "csv"],
    ["--format", "csv", "one"],
    ["--threads", "-1", "one"],
    ["--filter-cache-bytes", "many", "one"],
    ["--filter-cache-dtype", "int8", "one"],
    ["--no-such-flag", "one"],
])
def test_wrong_commands(model, words):
    refuse(USAGE, "embed", "--model-id", model, *words)
