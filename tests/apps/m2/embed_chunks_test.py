"""`m2 embed --chunk`: a long text as several vectors."""

import json

import numpy
import pytest
from m2_program import HIDDEN, MAX_LENGTH, USAGE, embed, ids_of, refuse, same_bits, save_ids, succeed, vectors

LONG = " ".join(f"the garden, and the café of house {number}" for number in range(40))


@pytest.mark.parametrize("chunk, overlap", [(16, 0), (17, 5), (MAX_LENGTH, 0), (MAX_LENGTH, 30), (3, 0), (5, 2)])
def test_a_chunk_is_the_vector_of_its_ids(model, tmp_path, chunk, overlap):
    own = ids_of(model, LONG)[1:-1]
    cls, sep = ids_of(model, LONG)[0], ids_of(model, LONG)[-1]
    lines = embed(model, "--chunk", chunk, "--overlap", overlap, LONG)
    step, begin, covered = chunk - 2 - overlap, 0, 0
    for number, line in enumerate(lines):
        ids = [cls, *own[begin : begin + chunk - 2], sep]
        assert (line["index"], line["chunk"], line["chunks"]) == (0, number, len(lines))
        assert line["tokens"] == len(ids) and line["truncated"] is False
        assert same_bits(line["embedding"][None], vectors(model, "--input-ids", save_ids(tmp_path, [ids])))
        first, last = line["character_span"]
        assert first <= covered < last  # no hole, and each goes on
        assert first == covered or overlap
        begin, covered = begin + step, last
    assert begin - step + chunk - 2 >= len(own)  # the last reaches the end, and only the last
    assert begin - 2 * step + chunk - 2 < len(own)
    assert lines[0]["character_span"][0] == 0 and covered == len(LONG)


def test_texts_keep_their_index_and_id(model):
    texts = [("a", "one gate"), ("b", LONG), ("c", "two gates and a house")]
    stdin = "".join(json.dumps({"id": name, "text": text}) + "\n" for name, text in texts).encode()
    lines = embed(model, "--chunk", 100, "--overlap", 10, stdin=stdin)
    assert [(line["index"], line["id"]) for line in lines] == \
        [(0, "a")] + [(1, "b")] * lines[1]["chunks"] + [(2, "c")]
    for line, text in ((lines[0], texts[0][1]), (lines[-1], texts[2][1])):
        assert (line["chunk"], line["chunks"], line["character_span"]) == (0, 1, [0, len(text)])
        assert same_bits(line["embedding"][None], vectors(model, text))
    assert list(lines[1])[:5] == ["index", "id", "chunk", "chunks", "character_span"]


def test_the_prompt_is_in_each_chunk(model):
    for line in embed(model, "--chunk", 20, "--overlap", 4, "--prompt", "The gate: ", LONG):
        begin, end = line["character_span"]
        if begin == 0:
            prefix = embed(model, "The gate: " + LONG[:end])[0]
            assert same_bits(line["embedding"], prefix["embedding"])
        assert line["tokens"] <= 20
    front = len(ids_of(model, "The gate: ")) - 2
    refuse(USAGE, "embed", "--model-id", model, "--chunk", front + 2, "--prompt", "The gate: ", "a",
           says=["prompt", "room"])


def test_arrays_have_a_row_a_chunk(model, tmp_path):
    words = ("--chunk", 32, "--overlap", 3, "one gate", LONG)
    expected = vectors(model, *words)
    assert expected.shape[0] > 10
    for name in ("v.npy", "v.txt"):
        succeed("embed", "--model-id", model, "-o", tmp_path / name, *words)
    assert same_bits(numpy.load(tmp_path / "v.npy"), expected)
    assert same_bits(numpy.loadtxt(tmp_path / "v.txt", dtype=numpy.float32), expected)
    assert expected.shape[1] == HIDDEN


def test_padded_models_chunk_too(padded_model, tmp_path):
    own = ids_of(padded_model, LONG)
    line = embed(padded_model, "--chunk", 20, LONG)[1]
    ids = [own[0], *own[19:37], own[-1]]
    rows = save_ids(tmp_path, [ids + [0] * (MAX_LENGTH - 20)])
    mask = save_ids(tmp_path, [[1] * 20 + [0] * (MAX_LENGTH - 20)], "mask.npy")
    assert same_bits(line["embedding"][None],
                     vectors(padded_model, "--input-ids", rows, "--attention-mask", mask))


@pytest.mark.parametrize("words, says", [
    (["--overlap", "3", "a"], "--chunk"),
    (["--chunk", "0", "a"], "--chunk"),
    (["--chunk", "-4", "a"], "--chunk"),
    (["--chunk", str(MAX_LENGTH + 1), "a"], str(MAX_LENGTH)),
    (["--chunk", "2", "a"], "room"),
    (["--chunk", "10", "--overlap", "8", "a"], "overlap"),
    (["--chunk", "10", "--overlap", "-1", "a"], "--overlap"),
    (["--chunk", "10", "--truncate", "end", "a"], "truncate"),
    (["--chunk", "10", "--input-ids", "x.npy"], "--chunk"),
])
def test_wrong_chunks(model, words, says):
    refuse(USAGE, "embed", "--model-id", model, *words, says=says)
