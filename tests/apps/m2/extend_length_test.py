"""`m2 convert --extend-length`: a model for longer texts that gives short ones the vectors they had."""

import json
import shutil

import numpy
import pytest
import torch
import transformers
from bert_folder import save
from m2_program import GOLDEN, HIDDEN, MAX_LENGTH, ROOT, USAGE, init, refuse, run, same_bits, succeed, vectors
from safetensors.numpy import load_file, save_file

MOSAIC = ROOT / "tests/golden/mosaic_bert"
TEXTS = ["a", "one gate", "the quiet river ran on " * 4, "word " * (MAX_LENGTH - 2)]
POSITIONS = "bert.embeddings.position_embeddings.weight"


def extend(model, out, length, *words):
    succeed("convert", model, out, "--extend-length", length, *words)
    return out


def weights(folder):
    return load_file(folder / "model.safetensors")


def config(folder):
    return json.loads((folder / "config.json").read_text())


def repeated(rows, count):
    """The rows of axis 0 again and again, `count` in all."""
    return numpy.concatenate([rows] * (count // len(rows) + 1))[:count]


def continued(time, count):
    """t as it is, then i steps of 1/(length - 1) each, rounded once."""
    beyond = numpy.arange(len(time), count, dtype=numpy.float64) / (len(time) - 1)
    return numpy.concatenate([time, beyond.astype(numpy.float32)])


def expected(name, value, length):
    if name == POSITIONS:
        return repeated(value, length)
    if name.endswith("pos_emb.z"):
        return repeated(value[0], length)[None]
    if name.endswith("pos_emb.t"):
        return continued(value[0, :, 0], length)[None, :, None]
    return value


def check_bits(found, wanted):
    assert found.keys() == wanted.keys()
    for name, value in wanted.items():
        assert found[name].dtype == value.dtype and found[name].shape == value.shape, name
        assert found[name].tobytes() == value.tobytes(), name


@pytest.mark.parametrize("length", [MAX_LENGTH + 1, 200, 2 * MAX_LENGTH, 1000])
def test_every_tensor(tmp_path, model, length):
    before = weights(model)
    longer = extend(model, tmp_path / "longer", length)
    check_bits(weights(longer), {name: expected(name, value, length) for name, value in before.items()})
    assert sum(before[name].shape != value.shape for name, value in weights(longer).items()) == 2 * 2 * 2 + 1
    stated = config(longer)
    assert stated["long_conv_l_max"] == stated["max_position_embeddings"] == length
    changed = {key for key, value in stated.items() if value != config(model)[key]}
    assert changed == {"long_conv_l_max", "max_position_embeddings"}


@pytest.mark.parametrize("length", [200, 2 * MAX_LENGTH, 1000])
def test_short_texts_keep_their_vectors(tmp_path, model, length):
    """To the bit: their length, taps and transform are the same."""
    longer = extend(model, tmp_path / "longer", length)
    assert same_bits(vectors(longer, *TEXTS), vectors(model, *TEXTS))
    assert vectors(longer, "word " * (length - 2)).shape == (1, HIDDEN)
    rescaled = extend(model, tmp_path / "rescaled", length, "--rescale-t")
    assert not same_bits(vectors(rescaled, *TEXTS), vectors(model, *TEXTS))


def test_rescaled_time(tmp_path, model):
    check_bits(weights(extend(model, tmp_path / "rescaled", 300, "--rescale-t")), {
        name: numpy.linspace(0, 1, 300).astype(numpy.float32)[None, :, None] if name.endswith("pos_emb.t")
        else expected(name, value, 300) for name, value in weights(model).items()})


def test_twice_is_once(tmp_path, model):
    half = extend(model, tmp_path / "half", 2 * MAX_LENGTH)
    check_bits(weights(extend(half, tmp_path / "twice", 1000)),
               weights(extend(model, tmp_path / "once", 1000)))


def test_with_another_precision(tmp_path, model):
    """As the long model converted, but for t: it goes on from the values that were stored, so rounds once."""
    both = weights(extend(model, tmp_path / "both", 1000, "--dtype", "fp16"))
    one_by_one = tmp_path / "one_by_one"
    succeed("convert", extend(model, tmp_path / "longer", 1000), one_by_one, "--dtype", "fp16")
    check_bits(both, weights(one_by_one))
    succeed("convert", model, tmp_path / "half", "--dtype", "fp16")
    again = weights(extend(tmp_path / "half", tmp_path / "again", 1000))
    for name, value in weights(tmp_path / "half").items():
        if name.endswith("pos_emb.t"):
            assert again[name][:, :MAX_LENGTH].tobytes() == value.tobytes()
            assert numpy.abs(again[name][0, :, 0] - numpy.arange(1000) / (MAX_LENGTH - 1)).max() < 2**-8  # 8 · 2⁻¹¹
        else:
            assert again[name].tobytes() == expected(name, value, 1000).tobytes(), name
    quantised = extend(model, tmp_path / "int8", 1000, "--dtype", "int8")
    assert vectors(quantised, "word " * 500).shape == (1, HIDDEN)


def test_the_research_code_s_names(tmp_path):
    length = config(GOLDEN)["long_conv_l_max"] + 7
    before = weights(extend(GOLDEN, tmp_path / "plain", length))
    upstream = weights(extend(GOLDEN, tmp_path / "upstream", length, "--names", "upstream"))
    for name, value in before.items():
        assert upstream[name].tobytes() == value.tobytes(), name
    assert upstream["bert.embeddings.position_ids"].tolist() == [list(range(length))]


def bert_model(folder):
    """Of `transformers`, for 40 tokens."""
    torch.manual_seed(1)
    settings = transformers.BertConfig(vocab_size=8192, hidden_size=HIDDEN, intermediate_size=96, num_hidden_layers=2,
                                       num_attention_heads=4, max_position_embeddings=40)
    save(transformers.BertModel(settings), folder)
    return folder


def test_attention_positions_repeat(tmp_path):
    model = bert_model(tmp_path / "bert")
    succeed("convert", model, tmp_path / "plain")
    longer = extend(model, tmp_path / "longer", 93)
    before = weights(tmp_path / "plain")
    check_bits(weights(longer), {name: expected(name, value, 93) for name, value in before.items()})
    assert weights(longer)[POSITIONS].shape[0] == 93
    assert config(longer) == config(tmp_path / "plain") | {"max_position_embeddings": 93}
    assert same_bits(vectors(longer, *TEXTS[:3]), vectors(model, *TEXTS[:3]))
    assert transformers.BertModel.from_pretrained(
        extend(model, tmp_path / "upstream", 93, "--names", "upstream")).config.max_position_embeddings == 93
    refuse(USAGE, "convert", model, tmp_path / "out", "--extend-length", 93, "--rescale-t", says="--rescale-t")


def test_attention_without_positions_only_says_so(tmp_path):
    length = config(MOSAIC)["max_position_embeddings"] + 100
    succeed("convert", MOSAIC, tmp_path / "plain")
    longer = extend(MOSAIC, tmp_path / "longer", length)
    check_bits(weights(longer), weights(tmp_path / "plain"))
    assert config(longer) == config(tmp_path / "plain") | {"max_position_embeddings": length}


def test_positions_beyond_the_filters_are_not_cut(tmp_path):
    model = init(tmp_path, tmp_path / "model", length=64)
    tensors, settings = weights(model), config(model)
    tensors[POSITIONS] = repeated(tensors[POSITIONS], 100)
    save_file(tensors, model / "model.safetensors")
    (model / "config.json").write_text(json.dumps(settings | {"max_position_embeddings": 100}))
    longer = extend(model, tmp_path / "longer", 80)
    assert weights(longer)[POSITIONS].tobytes() == tensors[POSITIONS].tobytes()
    assert (config(longer)["long_conv_l_max"], config(longer)["max_position_embeddings"]) == (80, 100)


def test_a_layout_s_own_limit_is_told(tmp_path, model):
    folder = tmp_path / "model"
    shutil.copytree(model, folder)
    (folder / "modules.json").write_text(json.dumps(
        [{"idx": 0, "name": "0", "path": "", "type": "sentence_transformers.models.Transformer"},
         {"idx": 1, "name": "1", "path": "1_Pooling", "type": "sentence_transformers.models.Pooling"}]))
    (folder / "1_Pooling").mkdir()
    (folder / "1_Pooling/config.json").write_text(json.dumps(
        {"word_embedding_dimension": HIDDEN, "pooling_mode_mean_tokens": True}))
    (folder / "sentence_bert_config.json").write_text(json.dumps({"max_seq_length": 90}))
    done = run("convert", folder, tmp_path / "longer", "--extend-length", 300)
    assert done.returncode == 0 and b"90 tokens" in done.stderr and done.stderr.count(b"\n") == 1


def test_what_is_no_extension_is_refused(tmp_path, model):
    out = tmp_path / "out"
    for length in (1, MAX_LENGTH - 1, MAX_LENGTH):
        refuse(USAGE, "convert", model, out, "--extend-length", length, says=[MAX_LENGTH, length])
    refuse(USAGE, "convert", model, out, "--extend-length", 10**12, says="too large")
    for length in (0, -5, "x"):
        refuse(USAGE, "convert", model, out, "--extend-length", length, says="--extend-length")
    refuse(USAGE, "convert", model, out, "--rescale-t", says="--extend-length")
    assert not out.exists()
