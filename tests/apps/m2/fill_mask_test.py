"""`m2 fill-mask` against transformers' own head, and `m2 doctor`."""

import json

import numpy
import pytest
import torch
import transformers
from m2_program import INPUT, VOCABULARY, check_refusal, refuse, run, succeed

TEXT = "The [MASK] was open, and the [MASK] too."


@pytest.fixture(scope="module")
def masked_model(tmp_path_factory):
    """A BERT with its head, made by transformers; weights and biases spread out so that none is idle."""
    folder = tmp_path_factory.mktemp("masked")
    words = VOCABULARY.read_text().splitlines()
    torch.manual_seed(3)
    config = transformers.BertConfig(
        vocab_size=len(words), hidden_size=60, num_hidden_layers=2, num_attention_heads=3,
        intermediate_size=100, max_position_embeddings=64, initializer_range=0.1)
    model = transformers.BertForMaskedLM(config).eval()
    with torch.no_grad():
        for name, value in model.named_parameters():
            if name.endswith("bias"):
                value += 0.1 * torch.randn_like(value)
    model.save_pretrained(folder)
    (folder / "vocab.txt").write_bytes(VOCABULARY.read_bytes())
    return folder


def expected_probabilities(folder, ids):
    model = transformers.BertForMaskedLM.from_pretrained(folder).double().eval()
    with torch.no_grad():
        return torch.softmax(model(torch.tensor([ids])).logits[0], dim=-1).numpy()


def ids_of(folder, text):
    line = succeed("tokenize", "--model-id", folder, stdin=text.encode() + b"\n")
    return json.loads(line)["ids"]


def test_probabilities_are_those_of_transformers(masked_model):
    found = json.loads(succeed("fill-mask", "--model-id", masked_model, "--top", 20, "--json", TEXT))
    ids = ids_of(masked_model, TEXT)
    words = VOCABULARY.read_text().splitlines()
    mask = words.index("[MASK]")
    assert [place["position"] for place in found["masks"]] == [i for i, x in enumerate(ids) if x == mask]
    probabilities = expected_probabilities(masked_model, ids)
    for place in found["masks"]:
        expected = probabilities[place["position"]]
        best = numpy.argsort(-expected)[:20]
        assert [guess["id"] for guess in place["guesses"]] == list(best)
        assert [guess["token"] for guess in place["guesses"]] == [words[i] for i in best]
        given = numpy.array([guess["probability"] for guess in place["guesses"]])
        # An error of 1e-5 of a logit of size 1 is one of the probability, relatively.
        assert numpy.abs(given / expected[best] - 1).max() < 2e-5


def test_another_text_has_other_probabilities(masked_model):
    first, other = (json.loads(succeed("fill-mask", "--model-id", masked_model, "--json", text))
                    for text in (TEXT, TEXT.replace("open", "shut")))
    assert first["masks"][0]["guesses"][0]["probability"] != other["masks"][0]["guesses"][0]["probability"]


def test_table(masked_model):
    lines = succeed("fill-mask", "--model-id", masked_model, "--top", 3, TEXT).decode().splitlines()
    assert lines[0] == "mask 1" and lines[4] == "mask 2" and len(lines) == 8
    assert 0 < float(lines[1].split()[0]) < 1


def test_rows_that_are_no_words_are_not_guessed(tmp_path):
    """A table rounded up to a multiple of 8 has rows beyond the vocabulary."""
    folder = tmp_path / "model"
    words = VOCABULARY.read_text().splitlines()
    config = transformers.BertConfig(vocab_size=len(words) + 7, hidden_size=20, num_hidden_layers=1,
                                     num_attention_heads=1, intermediate_size=20, max_position_embeddings=64)
    model = transformers.BertForMaskedLM(config)
    with torch.no_grad():
        model.cls.predictions.bias[len(words) + 2] = 100
    model.save_pretrained(folder)
    (folder / "vocab.txt").write_bytes(VOCABULARY.read_bytes())
    found = json.loads(succeed("fill-mask", "--model-id", folder, "--json", "--top", 1000, "a [MASK]"))
    guesses = found["masks"][0]["guesses"]
    assert all(guess["id"] < len(words) for guess in guesses)
    assert sum(guess["probability"] for guess in guesses) > 0.1  # a thousand of 8,192, all alike


def test_a_text_without_a_mask(masked_model):
    refuse(INPUT, "fill-mask", "--model-id", masked_model, "no mask", says=["no mask", "[MASK]"])


def test_a_text_longer_than_the_model(masked_model):
    refuse(INPUT, "fill-mask", "--model-id", masked_model, "[MASK] " * 80, says=["82 tokens", "64"])


def test_a_model_without_the_head(model):
    refuse(INPUT, "fill-mask", "--model-id", model, "a [MASK]", says=["cls.predictions", "pretraining"])


def test_doctor():
    found = json.loads(succeed("doctor", "--json"))
    assert found["instruction_set"] in found["instruction_sets"]
    assert found["threads"] >= 1 and found["gemm_gflops"] > 0 and found["memory_bytes"] > 0
    assert all(found["libraries"].values())
    table = succeed("doctor").decode()
    assert found["processor"] in table and "slow" in table
    types = found["number_types"]
    assert list(types) == ["fp32", "bf16", "int8"] and types["fp32"] == {
        "multiplied": True, "gemm_gflops": found["gemm_gflops"]}
    for name, entry in types.items():
        line = next(line for line in table.splitlines() if line.startswith(f"  {name} "))
        assert ("GFLOP/s" in line) == entry["multiplied"] and ("widened to fp32" in line) != entry["multiplied"]
        assert entry["gemm_gflops"] > 0 and (entry["multiplied"] or entry["gemm_gflops"] == found["gemm_gflops"])


def test_doctor_shows_what_is_no_text():
    done = run("doctor", "--json", env={"M2_NOTE": b"a\xff"})
    assert done.returncode == 0 and json.loads(done.stdout)["settings"] == {"M2_NOTE": "a\ufffd"}


def test_doctor_says_what_holds_it_back():
    done = run("doctor", "--json", env={"M2_ISA": "scalar", "M2_API_KEY": "secret"})
    found = json.loads(done.stdout)
    assert found["instruction_set"] == "scalar" and "M2_ISA" in found["slow"][0]
    assert [entry["multiplied"] for entry in found["number_types"].values()] == [True, False, False]
    assert found["settings"] == {"M2_API_KEY": "(set)", "M2_ISA": "scalar"}
    check_refusal(run("doctor", env={"M2_ISA": "mmx"}), 2, "mmx")
