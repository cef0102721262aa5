"""Plain BERT folders, random ones that `transformers` saves and computes, against `m2 embed`."""

import json
import os

os.environ["HF_HUB_OFFLINE"] = "1"

import bert_folder
import numpy
import pytest
import torch
from m2_program import INPUT, embed, refuse, relative_error, same_bits, succeed
from transformers import BertConfig, BertModel, BertTokenizerFast

BOUND = 1e-5  # relative to the norm, for sums in fp32 in another order; found are 2e-7 to 8e-7
LONGEST = 130
LENGTHS = (1, 2, 3, 15, 16, 17, 63, 64, 65, 127, 128, 129, 130)
SIZES = {
    "three_heads": {},
    "one_head": {"num_attention_heads": 1, "hidden_size": 20, "num_hidden_layers": 1},
    "odd": {"num_attention_heads": 7, "hidden_size": 63, "intermediate_size": 50, "num_hidden_layers": 3},
    "another_norm": {"layer_norm_eps": 1e-3, "type_vocab_size": 1, "vocab_size": 8199},
}


def make(folder, **sizes):
    config = {"vocab_size": 8192, "hidden_size": 48, "num_hidden_layers": 2, "num_attention_heads": 3,
              "intermediate_size": 96, "max_position_embeddings": LONGEST, "initializer_range": 0.2}
    torch.manual_seed(2)
    model = BertModel(BertConfig(**(config | sizes))).eval()
    return bert_folder.save(model, folder)


@pytest.fixture(scope="module", params=SIZES.values(), ids=SIZES.keys())
def bert(request, tmp_path_factory):
    folder = tmp_path_factory.mktemp("bert")
    return folder, make(folder, **request.param)


def oracle(model, row, pooling):
    with torch.no_grad():
        found = model(torch.tensor([row]))
    hidden = found.last_hidden_state[0]
    return {"none": hidden, "cls": hidden[0], "mean": hidden.mean(dim=0), "pooler": found.pooler_output[0]}[
        pooling].numpy()


def rows_of(model):
    generator = numpy.random.default_rng(3)
    return [generator.integers(0, model.config.vocab_size, length).tolist() for length in LENGTHS]


def of_ids(folder, rows, tmp_path, *words):
    """Vectors of rows of any lengths: filled up with zeros under a mask."""
    longest = max(map(len, rows))
    ids, mask = numpy.zeros((2, len(rows), longest), dtype=numpy.int64)
    for index, row in enumerate(rows):
        ids[index, : len(row)], mask[index, : len(row)] = row, 1
    numpy.save(tmp_path / "ids.npy", ids)
    numpy.save(tmp_path / "mask.npy", mask)
    lines = embed(folder, "--input-ids", tmp_path / "ids.npy", "--attention-mask", tmp_path / "mask.npy", *words)
    return [line["embedding"] for line in lines]


@pytest.mark.parametrize("pooling", ["none", "cls", "mean", "pooler"])
def test_each_length(bert, tmp_path, pooling):
    folder, model = bert
    rows = rows_of(model)
    found = of_ids(folder, rows, tmp_path, "--pooling", pooling)
    for row, vector in zip(rows, found):
        expected = oracle(model, row, pooling)
        assert vector.shape == expected.shape
        assert relative_error(vector, expected) < BOUND, len(row)


def test_a_weight_changed_is_seen(bert, tmp_path):
    """The negative control: one number in the middle of the model."""
    folder, model = bert
    row = rows_of(model)[5]
    found = of_ids(folder, [row], tmp_path, "--pooling", "mean")[0]
    layer = model.encoder.layer[-1]
    weight = layer.attention.self.value.weight.data
    kept = weight[0].clone()
    weight[0] = 0
    changed = oracle(model, row, "mean")
    weight[0] = kept
    assert relative_error(found, changed) > 100 * BOUND
    assert relative_error(found, oracle(model, row, "mean")) < BOUND


def test_token_types(tmp_path):
    model = make(tmp_path / "model")
    ids, types = [[2, 9, 300, 3, 77, 3]], [[0, 0, 0, 0, 1, 1]]
    for name, rows in (("ids", ids), ("types", types)):
        numpy.save(tmp_path / f"{name}.npy", numpy.array(rows))
    found = embed(tmp_path / "model", "--pooling", "none", "--input-ids", tmp_path / "ids.npy",
                  "--token-type-ids", tmp_path / "types.npy")[0]["embedding"]
    with torch.no_grad():
        expected = model(torch.tensor(ids), token_type_ids=torch.tensor(types)).last_hidden_state[0].numpy()
    assert relative_error(found, expected) < BOUND
    assert relative_error(found, oracle(model, ids[0], "none")) > 1e-3


def test_texts_and_the_model_s_own_vector(tmp_path):
    """Without a layout a plain BERT gives its pooler; texts are its tokenizer's tokens."""
    folder = tmp_path / "model"
    model = make(folder)
    tokenizer = BertTokenizerFast.from_pretrained(folder)
    for text in ("The gate was open.", "a", "She said: naïve café, 東京!"):
        line = embed(folder, text)[0]
        row = tokenizer(text).input_ids
        assert line["tokens"] == len(row)
        assert relative_error(line["embedding"], oracle(model, row, "pooler")) < BOUND
    info = json.loads(succeed("info", "--json", "--model-id", folder))
    assert (info["family"], info["padding"], info["max_length"], info["pooling"]) == \
        ("bert", "none", LONGEST, "pooler")


def test_a_text_s_bits_do_not_depend_on_its_neighbours(tmp_path):
    model = make(tmp_path / "model")
    rows = rows_of(model)
    together = of_ids(tmp_path / "model", rows, tmp_path, "--pooling", "mean")
    for row, vector in zip(rows, together):
        for threads in ("1", "2"):
            alone = of_ids(tmp_path / "model", [row], tmp_path, "--pooling", "mean", "--threads", threads)[0]
            assert same_bits(alone, vector), len(row)


def test_too_long(tmp_path):
    make(tmp_path / "model")
    refuse(INPUT, "embed", "--model-id", tmp_path / "model", "gate " * LONGEST, says=["132", "130"])


def test_pads_change_the_work_alone(tmp_path):
    """Attention masks them: under either contract a text has one vector, and there is nothing to warn of."""
    make(tmp_path / "model")
    own = embed(tmp_path / "model", "The gate was open.")[0]["embedding"]
    padded = embed(tmp_path / "model", "--padding", "max_length", "The gate was open.")[0]["embedding"]
    assert relative_error(padded, own) < BOUND
