"""tokenize, info, init, bench, help and the environment."""

import json
import os
import subprocess

import numpy
import pytest
from m2_program import (
    CONFIG,
    HIDDEN,
    INPUT,
    MAX_LENGTH,
    PROGRAM,
    USAGE,
    VOCABULARY,
    embed,
    environment,
    init,
    refuse,
    run,
    same_bits,
    succeed,
    vectors,
)

COMMANDS = ["embed", "tokenize", "info", "init", "bench"]


# tokenize


@pytest.mark.asan
def test_tokenize(model):
    texts = ["The gate, naïve", "東京", "", "[SEP] x"]
    lines = [json.loads(line) for line in
             succeed("tokenize", "--model-id", model, stdin="\n".join(texts).encode()).splitlines()]
    assert len(lines) == len(texts)
    vocabulary = VOCABULARY.read_text().split("\n")
    for line, text in zip(lines, texts):
        assert set(line) == {"ids", "tokens", "offsets"}
        assert len(line["ids"]) == len(line["tokens"]) == len(line["offsets"])
        assert [vocabulary[i] for i in line["ids"]] == line["tokens"]
        assert line["tokens"][0] == "[CLS]" and line["tokens"][-1] == "[SEP]"
        assert line["offsets"][0] == line["offsets"][-1] == [0, 0]
        assert all(0 <= begin < end <= len(text) for begin, end in line["offsets"][1:-1])
    assert lines[2]["tokens"] == ["[CLS]", "[SEP]"]
    # Characters, not bytes: the whole of the text is covered, the accent and the CJK ones included.
    assert lines[0]["offsets"][-2][1] == len(texts[0])
    assert lines[1]["offsets"][1:-1] == [[0, 1], [1, 2]]
    assert lines[3]["tokens"][1] == "[SEP]" and lines[3]["offsets"][1] == [0, 5]


def test_tokenize_another_vocabulary(model, tmp_path):
    path = tmp_path / "words.txt"
    path.write_text("\n".join(["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "gate"] +
                              [f"w{i}" for i in range(8186)]) + "\n")
    line = json.loads(succeed("tokenize", "--model-id", model, "--tokenizer", path, stdin=b"gate garden\n"))
    assert line["tokens"] == ["[CLS]", "gate", "[UNK]", "[SEP]"]


# info


def test_info_json(model, padded_model):
    info = json.loads(succeed("info", "--model-id", model, "--json"))
    assert info["family"] == "m2_bert"
    assert info["files"] == [str(model / "model.safetensors")]
    assert info["dtype"] == "fp32"
    assert info["padding"] == "none" and info["max_length"] == MAX_LENGTH
    assert info["pooling"] == "pooler" and info["normalize"] is False
    assert info["vocab_size"] == 8192 and info["num_hidden_layers"] == 2
    assert info["full_length_memory_bytes"] > 0 and info["full_length_seconds"] > 0
    # The parts are what the file holds: fp32 after an 8-byte length and a header.
    file = (model / "model.safetensors").read_bytes()
    data = len(file) - 8 - int.from_bytes(file[:8], "little")
    assert 4 * sum(info["parameters_by_part"].values()) == data
    padded = json.loads(succeed("info", "--model-id", padded_model, "--json"))
    assert padded["padding"] == "max_length"


def test_info_counts_the_weights_of_the_number_type(model):
    def info(*words):
        return json.loads(succeed("info", "--model-id", model, "--json", *words))

    large, sensitive = 2 * 3 * (HIDDEN * HIDDEN + HIDDEN * 96 // 4), 2 * HIDDEN * HIDDEN
    bytes_of = {"fp32": 4, "bf16": 2, "int8": 1}
    for dtype, sensitive_dtype in (("fp32", "fp32"), ("bf16", "bf16"), ("int8", "bf16")):
        found = info("--dtype", dtype)
        assert found["products"] == dtype and found["multiplied_as"] in (dtype, "fp32")
        narrow = info("--dtype", sensitive_dtype)["multiplied_as"]
        expected = bytes_of[found["multiplied_as"]] * large + bytes_of[narrow] * sensitive
        assert found["product_weight_bytes"] == expected
        table = succeed("info", "--model-id", model, "--dtype", dtype).decode()
        assert f"in {dtype}" in table and ("widened" in table) == (found["multiplied_as"] != dtype)
    assert info()["products"] == "fp32"
    refuse(USAGE, "info", "--model-id", model, "--dtype", "fp16", says="--dtype")


def test_info_table(padded_model):
    text = succeed("info", "--model-id", padded_model).decode()
    for part in ("m2_bert", f"{MAX_LENGTH} tokens", "max_length", "pooler", "of memory", "fp32"):
        assert part in text


# init


def test_init_is_reproducible(model, tmp_path):
    again = init(tmp_path, tmp_path / "again")
    other = init(tmp_path, tmp_path / "other", seed=2)
    assert sorted(os.listdir(again)) == ["config.json", "model.safetensors", "vocab.txt"]
    for name in os.listdir(again):
        assert (again / name).read_bytes() == (model / name).read_bytes()
    assert (other / "model.safetensors").read_bytes() != (model / "model.safetensors").read_bytes()
    assert (other / "vocab.txt").read_bytes() == VOCABULARY.read_bytes()
    config = json.loads((model / "config.json").read_text())
    assert config["padding"] == "none" and config["long_conv_l_max"] == MAX_LENGTH
    assert config["vocab_size"] == 8192 and config["hidden_size"] == CONFIG["hidden_size"]


def test_init_pads_the_vocabulary(tmp_path):
    path = tmp_path / "words.txt"
    path.write_text("[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\ngate\nopen\nold\nhouse")  # 9, no last newline
    folder = init(tmp_path, tmp_path / "small", vocabulary=path)
    assert json.loads((folder / "config.json").read_text())["vocab_size"] == 16
    assert embed(folder, "the old gate")[0]["tokens"] == 5


def test_init_overwrites_no_model(model, tmp_path):
    before = (model / "model.safetensors").read_bytes()
    (tmp_path / "c.json").write_text(json.dumps(CONFIG))
    refuse(USAGE, "init", "--config", tmp_path / "c.json", "--length", MAX_LENGTH, "--vocab", VOCABULARY,
           "--seed", 9, model, says=[model, "holds a model already"])
    assert (model / "model.safetensors").read_bytes() == before


@pytest.mark.parametrize("vocabulary, says", [
    (None, "missing.txt"),
    (b"", "empty"),
    (b"the\ngate\n", "special token"),
    (b"[PAD]\n[UNK]\n[CLS]\n[SEP]\n\xff\xfe\n", "UTF-8"),
    (b"[PAD]\n[UNK]\n[CLS]\n[SEP]\ngate\ngate\n", "gate"),
])
def test_init_refuses_a_bad_vocabulary(tmp_path, vocabulary, says):
    path = tmp_path / "missing.txt"
    if vocabulary is not None:
        path = tmp_path / "vocab.txt"
        path.write_bytes(vocabulary)
    refuse(INPUT, "init", "--preset", "m2-bert-80M", "--length", 128, "--vocab", path, tmp_path / "out",
           says=[path, says])
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("words, says", [
    ([], "--preset"),
    (["--preset", "m2-bert-80M", "--config", "x.json"], "--preset"),
    (["--preset", "m2-bert-81M"], "m2-bert-80M"),
    (["--preset", "m2-bert-80M", "--padding", "both"], "padding"),
    (["--preset", "m2-bert-80M", "--length", "0"], "length"),
    (["--preset", "m2-bert-80M", "--length", "-5"], "length"),
])
def test_init_wrong_commands(tmp_path, words, says):
    if "--length" not in words:
        words = [*words, "--length", "128"]
    refuse(USAGE, "init", *words, "--vocab", VOCABULARY, tmp_path / "out", says=says)
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("words, says", [
    (["foo"], ['no command is named "foo"', "m2 --help"]),
    (["data", "foo"], ['no command is named "foo"', "see m2 data --help"]),
    (["data", "build", "--length", "x"], ["--length", "see m2 data build --help"]),
    (["embed", "--model-id", "x", "--chunk", "0"], ["--chunk: is 0, must be a number above 0", "see m2 embed --help"]),
    (["embed", "--model-id", "x", "--overlap", "-1"], ["--overlap: is -1, must be a number, 0 or above"]),
    (["init", "--preset", "m2-bert-80M", "--length", "8", "--vocab", "x", "--seed", "-1", "y"], "--seed: is -1"),
])
def test_a_wrong_command_names_the_help_to_read(words, says):
    refuse(USAGE, *words, says=says)


def test_init_refuses_a_bad_config(tmp_path):
    for text in ("", "{", "[]", '{"hidden_size": "wide"}', json.dumps(CONFIG | {"hidden_size": 10**9})):
        (tmp_path / "c.json").write_text(text)
        refuse(INPUT, "init", "--config", tmp_path / "c.json", "--length", 128, "--vocab", VOCABULARY,
               tmp_path / "out", says="c.json")
    assert not (tmp_path / "out").exists()


# The program


@pytest.mark.parametrize("command", COMMANDS)
def test_help_has_an_example(command):
    text = succeed(command, "--help").decode()
    assert "Example" in text and f"m2 {command} " in text


def test_help_and_version():
    text = succeed("--help").decode()
    assert all(command in text for command in COMMANDS) and "Exit codes" in text
    assert succeed("--version").startswith(b"m2 ")


@pytest.mark.parametrize("words", [[], ["embedd"], ["--wrong"], ["embed"], ["info", "a", "b"]])
def test_wrong_commands(words):
    refuse(USAGE, *words, says="--help")


def test_environment_takes_the_place_of_flags(model, padded_model, tmp_path):
    expected = vectors(model, "one gate")
    done = run("embed", "one gate", env={"M2_MODEL_ID": str(model)})
    assert done.returncode == 0 and done.stderr == b""
    found = numpy.array(json.loads(done.stdout)["embedding"], dtype=numpy.float32)
    assert same_bits(found[None], expected)
    # A flag goes before the environment.
    done = run("info", "--json", "--model-id", padded_model, env={"M2_MODEL_ID": str(model), "M2_THREADS": "1"})
    info = json.loads(done.stdout)
    assert (info["padding"], info["threads"]) == ("max_length", 1)
    assert json.loads(run("info", "--json", "--threads", 2, "--model-id", model,
                          env={"M2_THREADS": "1"}).stdout)["threads"] == 2
    refuse(USAGE, "embed", "one", "--model-id", model, env={"M2_THREADS": "few"})
    refuse(USAGE, "embed", "one", "--model-id", model, env={"M2_FILTER_CACHE_BYTES": "few"})
    refuse(USAGE, "embed", "one", "--model-id", model, env={"M2_ISA": "abacus"}, says="abacus")
    refuse(INPUT, "embed", "one", "--model-id", model, env={"M2_TOKENIZER": str(tmp_path / "no.txt")},
           says="no.txt")


def test_every_thread_count_and_cache_gives_the_same_bits(model):
    texts = ["one gate", "and the old house " * 12, "a"]
    expected = vectors(model, *texts)
    for words in (["--threads", 1], ["--threads", 3], ["--filter-cache-bytes", "0"],
                  ["--filter-cache-bytes", "20kB"], ["--filter-cache-bytes", "2 GiB"]):
        assert same_bits(vectors(model, *words, *texts), expected)


def test_half_precision_filters_move_vectors_a_little(model):
    texts = ["one gate", "and the old house " * 12, "a"]
    expected = numpy.asarray(vectors(model, *texts))
    half = numpy.asarray(vectors(model, "--filter-cache-dtype", "fp16", *texts))
    error = numpy.linalg.norm(half - expected) / numpy.linalg.norm(expected)
    assert 0 < error < 1e-3  # two layers, 2^-11 each
    again = vectors(model, "--filter-cache-dtype", "fp16", "--filter-cache-bytes", "0", *texts)
    assert same_bits(again, half)


def test_errors_are_one_line_whatever_they_quote(model, tmp_path):
    refuse(INPUT, "embed", "--model-id", "no\nsuch\r\nmodel", "one", says="no such")
    refuse(USAGE, "embed", "--model-id", model, "--pooling", "a\nb", "one")


def test_a_closed_reader_ends_the_program(model, tmp_path):
    texts = tmp_path / "texts.txt"
    texts.write_text("the old gate\n" * 20000)
    with open(texts, "rb") as lines:
        writer = subprocess.Popen([PROGRAM, "embed", "--model-id", model], stdin=lines,
                                  stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment())
        assert writer.stdout.readline().startswith(b'{"index":0,')
        writer.stdout.close()
        error = writer.stderr.read()
        assert writer.wait(timeout=20) != 0
    assert error.count(b"\n") <= 1
