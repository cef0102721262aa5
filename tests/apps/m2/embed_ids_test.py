"""`m2 embed --input-ids`: parity with the published code, masks, and the padding contracts."""

import json

import numpy
import pytest
from m2_program import (
    GOLDEN,
    HIDDEN,
    INPUT,
    MAX_LENGTH,
    USAGE,
    ids_of,
    embed,
    refuse,
    relative_error,
    run,
    same_bits,
    save_ids,
    succeed,
    vectors,
)

BOUND = 1e-5  # the goldens' own
TEXT = "The gate was open, and the garden too."


def golden_command(output, folder=GOLDEN, ids=None):
    return ["embed", "--model-id", folder, "--pooling", "pooler", "--normalize", "false",
            "--input-ids", ids or GOLDEN / "input_ids.npy",
            "--attention-mask", GOLDEN / "attention_mask.npy",
            "--token-type-ids", GOLDEN / "token_type_ids.npy", "--output", output]


# Parity


@pytest.mark.parametrize("weights", ["", "model.safetensors", "pytorch_model.bin"])
def test_golden_command(tmp_path, weights):
    succeed(*golden_command(tmp_path / "out.npy", GOLDEN / weights))
    found = numpy.load(tmp_path / "out.npy")
    assert found.dtype == numpy.float32
    assert relative_error(found, numpy.load(GOLDEN / "pooled.npy")) < BOUND


@pytest.mark.parametrize("isa", ["amx", "avx512", "avx2", "sse4", "scalar"])
def test_golden_command_on_each_instruction_set(tmp_path, isa):
    done = run(*golden_command(tmp_path / "out.npy"), env={"M2_ISA": isa})
    if b"is not to be had here" in done.stderr:
        pytest.skip(f"this machine has no {isa}")
    assert done.returncode == 0 and done.stderr == b""
    assert relative_error(numpy.load(tmp_path / "out.npy"), numpy.load(GOLDEN / "pooled.npy")) < BOUND


def test_golden_command_with_another_id_fails(tmp_path):
    ids = numpy.load(GOLDEN / "input_ids.npy")
    ids[0, 5] += 1
    numpy.save(tmp_path / "ids.npy", ids)
    succeed(*golden_command(tmp_path / "out.npy", ids=tmp_path / "ids.npy"))
    found = numpy.load(tmp_path / "out.npy")
    assert relative_error(found, numpy.load(GOLDEN / "pooled.npy")) > 10 * BOUND


def test_token_types_count(tmp_path):
    types = 1 - numpy.load(GOLDEN / "token_type_ids.npy")
    numpy.save(tmp_path / "types.npy", types)
    words = golden_command(tmp_path / "out.npy")
    words[words.index("--token-type-ids") + 1] = tmp_path / "types.npy"
    succeed(*words)
    assert relative_error(numpy.load(tmp_path / "out.npy"), numpy.load(GOLDEN / "pooled.npy")) > 10 * BOUND


def test_mean_pooling_heeds_the_mask(tmp_path):
    folder = GOLDEN.parent / "m2_bert_mean_pool"
    words = golden_command(tmp_path / "out.npy", folder)
    words = [str(word).replace(str(GOLDEN) + "/", str(folder) + "/") for word in words]
    succeed(*words)
    pooled = numpy.load(folder / "pooled.npy")
    assert relative_error(numpy.load(tmp_path / "out.npy"), pooled) < BOUND
    at = words.index("--attention-mask")
    succeed(*words[:at], *words[at + 2 :])
    assert relative_error(numpy.load(tmp_path / "out.npy"), pooled) > 10 * BOUND


def test_integer_types_and_one_row(model, tmp_path):
    ids = ids_of(model, TEXT)
    expected = vectors(model, TEXT)
    for dtype in ("int64", "int32", "int16"):
        path = tmp_path / f"{dtype}.npy"
        numpy.save(path, numpy.array(ids, dtype=dtype))  # one row, no axis of texts
        assert same_bits(vectors(model, "--input-ids", path), expected)


# The contract `none`


def test_none_computes_a_text_at_its_own_length(model, tmp_path):
    ids = ids_of(model, TEXT)
    rows = [ids + [0] * 9, ids_of(model, "a")]
    rows[1] += [0] * (len(rows[0]) - len(rows[1]))
    mask = [[1] * len(ids) + [0] * 9, [int(value != 0) for value in rows[1]]]
    found = vectors(model, "--input-ids", save_ids(tmp_path, rows),
                    "--attention-mask", save_ids(tmp_path, mask, "mask.npy"))
    assert same_bits(found, vectors(model, TEXT, "a"))
    # Without the mask the zeros are tokens like any other.
    unmasked = vectors(model, "--input-ids", save_ids(tmp_path, rows))
    assert not same_bits(unmasked, found)


def test_none_refuses_a_gap(model, tmp_path):
    ids = save_ids(tmp_path, [[2, 9, 8, 3]])
    refuse(USAGE, "embed", "--model-id", model, "--input-ids", ids, "--attention-mask",
           save_ids(tmp_path, [[1, 0, 1, 0]], "mask.npy"), says=["row 0", "position 1"])
    refuse(USAGE, "embed", "--model-id", model, "--input-ids", ids, "--attention-mask",
           save_ids(tmp_path, [[0, 0, 0, 0]], "mask.npy"), says=["row 0", "no token"])


# The contract `max_length`


def test_max_length_pads_with_zeros(padded_model, tmp_path):
    texts = [TEXT, "a"]
    rows, mask = [], []
    for text in texts:
        ids = ids_of(padded_model, text)
        rows.append(ids + [0] * (MAX_LENGTH - len(ids)))
        mask.append([1] * len(ids) + [0] * (MAX_LENGTH - len(ids)))
    words = ("--input-ids", save_ids(tmp_path, rows),
             "--attention-mask", save_ids(tmp_path, mask, "mask.npy"))
    for pooling in ("pooler", "mean", "cls"):
        by_text = vectors(padded_model, "--pooling", pooling, *texts)
        assert same_bits(by_text, vectors(padded_model, "--pooling", pooling, *words))
    # Pads mix in: the text alone gives another vector; and the mean is over the mask's ones.
    short = vectors(padded_model, "--input-ids", save_ids(tmp_path, [ids_of(padded_model, TEXT)], "short.npy"))
    padded = vectors(padded_model, TEXT)
    assert relative_error(short, padded) > 1e-3
    hidden = vectors(padded_model, "--pooling", "none", "--normalize", "false", *words)[0]
    mean = vectors(padded_model, "--pooling", "mean", "--normalize", "false", *words)[0]
    count = sum(mask[0])
    numpy.testing.assert_allclose(mean, hidden[:count].mean(axis=0), rtol=1e-4, atol=1e-6)


def test_max_length_hands_out_no_pads(padded_model):
    line = embed(padded_model, "--pooling", "none", TEXT)[0]
    assert line["embedding"].shape == (len(ids_of(padded_model, TEXT)), HIDDEN)


def test_max_length_takes_a_mask_with_gaps(padded_model, tmp_path):
    found = vectors(padded_model, "--pooling", "mean", "--input-ids", save_ids(tmp_path, [[2, 9, 8, 3]]),
                    "--attention-mask", save_ids(tmp_path, [[1, 0, 1, 0]], "mask.npy"))
    assert found.shape == (1, HIDDEN)
    refuse(USAGE, "embed", "--model-id", padded_model, "--pooling", "mean", "--input-ids",
           save_ids(tmp_path, [[2, 9]]), "--attention-mask", save_ids(tmp_path, [[0, 0]], "mask.npy"))


def test_another_contract_warns(model, padded_model):
    done = run("embed", "--model-id", padded_model, "--padding", "none", TEXT)
    assert done.returncode == 0
    text = done.stderr.decode()
    assert text.startswith("m2: warning: ") and text.count("\n") == 1
    assert "max_length" in text and "none" in text
    found = numpy.array(json.loads(done.stdout)["embedding"], dtype=numpy.float32)
    assert same_bits(found[None], vectors(model, TEXT))  # the same weights
    done = run("embed", "--model-id", model, "--padding", "max_length", TEXT)
    assert done.returncode == 0 and b"warning" in done.stderr
    found = numpy.array(json.loads(done.stdout)["embedding"], dtype=numpy.float32)
    assert same_bits(found[None], vectors(padded_model, TEXT))
    assert same_bits(vectors(model, "--padding", "none", TEXT), vectors(model, TEXT))


# Ids that make no sense


@pytest.mark.asan
@pytest.mark.parametrize("rows, code", [
    ([[2, 8192]], USAGE),
    ([[2, -1]], USAGE),
    ([[2, 2**40]], USAGE),
    ([[5] * (MAX_LENGTH + 1)], USAGE),
    ([[]], INPUT),
    ([[[1, 2], [3, 4]]], INPUT),
])
def test_bad_ids(model, tmp_path, rows, code):
    refuse(code, "embed", "--model-id", model, "--input-ids", save_ids(tmp_path, rows))


def test_a_bad_id_is_named_by_row_and_position(model, tmp_path):
    rows = [[2, 9, 3], [2, 9, 3], [2, 8192, 3]]
    refuse(USAGE, "embed", "--model-id", model, "--input-ids", save_ids(tmp_path, rows),
           says=["row 2", "position 1", "8192"])


@pytest.mark.asan
def test_bad_companions(model, tmp_path):
    words = ("embed", "--model-id", model, "--input-ids", save_ids(tmp_path, [[2, 9, 3]]))
    other_shape = save_ids(tmp_path, [[1, 1]], "short.npy")
    refuse(INPUT, *words, "--attention-mask", other_shape, says="short.npy")
    refuse(INPUT, *words, "--token-type-ids", other_shape, says="short.npy")
    refuse(USAGE, *words, "--attention-mask", save_ids(tmp_path, [[1, 2, 1]], "twos.npy"), says="mask")
    refuse(USAGE, *words, "--token-type-ids", save_ids(tmp_path, [[0, 2, 0]], "types.npy"), says="type")
    numpy.save(tmp_path / "floats.npy", numpy.ones((1, 3), dtype=numpy.float32))
    refuse(INPUT, *words, "--attention-mask", tmp_path / "floats.npy", says="integers")
    refuse(INPUT, *words, "--attention-mask", tmp_path / "missing.npy", says="missing.npy")
    (tmp_path / "cut.npy").write_bytes((tmp_path / "ids.npy").read_bytes()[:-4])
    refuse(INPUT, *words, "--attention-mask", tmp_path / "cut.npy", says="cut.npy")


def test_flags_of_texts_are_refused(model, tmp_path):
    ids = save_ids(tmp_path, [[2, 5, 3]])
    for words in (["--truncate", "end"], ["--input-format", "jsonl"]):
        refuse(USAGE, "embed", "--model-id", model, "--input-ids", ids, *words, says=words[0])
    refuse(USAGE, "embed", "--model-id", model, "--input-format", "jsonl", "a text", says="--input-format")


def test_a_bad_byte_is_counted_in_the_text(model):
    """Not in the prompt before it."""
    for words, what in ((["--prompt", "query: ", b"ok\xff"], "the text is not UTF-8: byte 2"),
                        (["--prompt", b"q\xff", "ok"], "the prompt is not UTF-8: byte 1")):
        refuse(INPUT, "embed", "--model-id", model, *words, says=what)
