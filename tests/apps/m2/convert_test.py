"""`m2 convert`: the same weights under another format, precision or names, and a folder that says what it is."""

import datetime
import json
import resource
import shutil
import signal
import subprocess
import time

import numpy
import pytest
import torch
from m2_program import (
    FAILED,
    GOLDEN,
    HIDDEN,
    INPUT,
    INTERRUPTED,
    PROGRAM,
    ROOT,
    USAGE,
    VOCABULARY,
    check_refusal,
    environment,
    refuse,
    run,
    same_bits,
    save_ids,
    succeed,
    vectors,
)
from safetensors.torch import load_file, save_file

MOSAIC = ROOT / "tests/golden/mosaic_bert"
TEXTS = ["one gate", "the quiet river ran on", "a"]
POOLER = "bert.pooler.dense.weight"


def convert(model, out, *words):
    succeed("convert", model, out, *words)
    return out


def weights(folder):
    return load_file(folder / "model.safetensors")


def config(folder):
    return json.loads((folder / "config.json").read_text())


def check_same(found, expected):
    assert found.keys() == expected.keys()
    for name, value in expected.items():
        assert found[name].dtype == value.dtype and torch.equal(found[name], value), name


def id_vectors(model, folder):
    """The pooled vectors of the golden's own ids."""
    ids = numpy.load(GOLDEN / "input_ids.npy")
    out = folder / "vectors.npy"
    succeed("embed", "--model-id", model, "--input-ids", save_ids(folder, ids), "--attention-mask",
            GOLDEN / "attention_mask.npy", "--output", out)
    found = numpy.load(out)
    out.unlink()
    return found


def composer_file(tensors, path):
    """What a training run of Composer saves: weights among clocks, random states and the optimiser's."""
    model = {f"model.{name}": value for name, value in tensors.items()}
    state = {"model": model, "timestamp": {"wct": datetime.timedelta(seconds=3)}, "best": numpy.float32(1)}
    torch.save({"state": state, "rng": [{"torch": torch.get_rng_state()}]}, path)


# The same weights


@pytest.mark.parametrize("source", ["safetensors", "bin", "composer"])
@pytest.mark.parametrize("golden", [GOLDEN, MOSAIC], ids=lambda path: path.name)
def test_a_round_trip_is_the_identity(tmp_path, golden, source):
    tensors = load_file(golden / "model.safetensors")
    model = tmp_path / "model"
    model.mkdir()
    shutil.copy(golden / "config.json", model)
    if source == "safetensors":
        shutil.copy(golden / "model.safetensors", model)
    elif source == "bin":
        shutil.copy(golden / "pytorch_model.bin", model)
    else:
        composer_file(tensors, model / "ep1-ba500.pt")
    first = convert(model, tmp_path / "first")
    again = convert(first, tmp_path / "again")
    assert (again / "model.safetensors").read_bytes() == (first / "model.safetensors").read_bytes()
    assert (again / "config.json").read_text() == (first / "config.json").read_text()
    found = weights(first)
    for name, value in found.items():
        assert torch.equal(value, tensors[name]), name
    # What is left out is written under another name of the same tied group, or is no weight.
    for name in tensors.keys() - found.keys():
        assert name.endswith((".freq", "position_ids")), name


def test_one_changed_bit_is_seen(tmp_path, model):
    first = convert(model, tmp_path / "first")
    changed = weights(first)
    changed[POOLER].view(torch.int32)[0, 0] ^= 1
    with pytest.raises(AssertionError):
        check_same(changed, weights(first))


def test_a_new_model_keeps_its_vectors(tmp_path, model):
    out = convert(model, tmp_path / "out")
    assert same_bits(vectors(out, *TEXTS), vectors(model, *TEXTS))
    assert (out / "vocab.txt").read_bytes() == (model / "vocab.txt").read_bytes()


@pytest.mark.parametrize("golden", [GOLDEN], ids=lambda path: path.name)
def test_upstream_names_are_the_research_code_s(tmp_path, golden):
    """pytorch_model.bin of a golden is what the research code's own state_dict holds."""
    out = convert(golden, tmp_path / "out", "--names", "upstream")
    check_same(weights(out), torch.load(golden / "pytorch_model.bin", weights_only=True))
    stated = config(out)
    for key in config(golden).keys() - {"alibi_starting_size"}:
        assert stated[key] == config(golden)[key], key
    assert stated["use_flash_fft"] is False and stated["architectures"] == ["BertForSequenceClassification"]
    assert same_bits(id_vectors(out, tmp_path), id_vectors(golden, tmp_path))
    back = convert(out, tmp_path / "back")
    check_same(weights(back), weights(convert(golden, tmp_path / "plain")))


def test_upstream_names_of_the_attention_model(tmp_path):
    out = convert(MOSAIC, tmp_path / "out", "--names", "upstream")
    check_same(weights(out), torch.load(MOSAIC / "pytorch_model.bin", weights_only=True))
    assert config(out)["alibi_starting_size"] == 512


# Precision

DTYPES = {"fp32": torch.float32, "fp16": torch.float16, "bf16": torch.bfloat16}


@pytest.mark.parametrize("dtype", DTYPES)
def test_rounding_is_torch_s(tmp_path, model, dtype):
    out = convert(model, tmp_path / "out", "--dtype", dtype)
    check_same(weights(out), {name: value.to(DTYPES[dtype]) for name, value in weights(model).items()})
    # Widened and narrowed again, and as it is: the same.
    check_same(weights(convert(out, tmp_path / "same", "--dtype", dtype)), weights(out))
    check_same(weights(convert(out, tmp_path / "kept")), weights(out))
    wide = convert(out, tmp_path / "wide", "--dtype", "fp32")
    check_same(weights(convert(wide, tmp_path / "back", "--dtype", dtype)), weights(out))
    assert same_bits(vectors(wide, *TEXTS), vectors(out, *TEXTS))


def test_a_value_beyond_fp16_is_refused(tmp_path, copied_model):
    tensors = weights(copied_model)
    tensors[POOLER][0, 1] = 65520.0
    save_file(tensors, copied_model / "model.safetensors")
    refuse(INPUT, "convert", copied_model, tmp_path / "out", "--dtype", "fp16", says=[POOLER, "fp16"])
    assert not (tmp_path / "out").exists()
    convert(copied_model, tmp_path / "bf16", "--dtype", "bf16")
    tensors[POOLER][0, 1] = 65519.0
    save_file(tensors, copied_model / "model.safetensors")
    assert weights(convert(copied_model, tmp_path / "fp16", "--dtype", "fp16"))[POOLER][0, 1] == 65504.0


def test_double_becomes_single(tmp_path, copied_model):
    tensors = weights(copied_model)
    save_file({name: value.double() for name, value in tensors.items()}, copied_model / "model.safetensors")
    check_same(weights(convert(copied_model, tmp_path / "out")), tensors)


# Heads, ties, poolers


def with_mlm_head(model):
    tensors = weights(model)
    width, rows = tensors[POOLER].shape[0], tensors["bert.embeddings.word_embeddings.weight"].shape[0]
    head = {"transform.dense.weight": (width, width), "transform.dense.bias": (width,),
            "transform.LayerNorm.weight": (width,), "transform.LayerNorm.bias": (width,),
            "decoder.bias": (rows,)}
    torch.manual_seed(3)
    for name, shape in head.items():
        tensors["cls.predictions." + name] = torch.randn(shape)
    tensors["cls.seq_relationship.weight"] = torch.randn(2, width)
    tensors["cls.predictions.decoder.weight"] = tensors["bert.embeddings.word_embeddings.weight"].clone()
    return tensors


def test_heads_stay_and_ties_are_written_once(tmp_path, copied_model):
    tensors = with_mlm_head(copied_model)
    torch.save({"model." + name: value for name, value in tensors.items()}, copied_model / "pytorch_model.bin")
    (copied_model / "model.safetensors").unlink()
    expected = {name: value for name, value in tensors.items() if name != "cls.predictions.decoder.weight"}
    check_same(weights(convert(copied_model, tmp_path / "out")), expected)
    upstream = convert(copied_model, tmp_path / "upstream", "--names", "upstream")
    assert "cls.predictions.decoder.weight" in weights(upstream)
    assert config(upstream)["architectures"] == ["BertForMaskedLM"]


def test_without_a_head_no_decoder_is_made_up(tmp_path, model):
    upstream = weights(convert(model, tmp_path / "upstream", "--names", "upstream"))
    assert not [name for name in upstream if name.startswith("cls.")]


def test_untied_weights_are_refused(tmp_path, copied_model):
    tensors = with_mlm_head(copied_model)
    tensors["cls.predictions.decoder.weight"][5, 0] += 1
    save_file(tensors, copied_model / "model.safetensors")
    refuse(INPUT, "convert", copied_model, tmp_path / "out", says=["decoder.weight", "word_embeddings"])


def test_the_config_states_contract_and_pooling(tmp_path, copied_model):
    settings = config(copied_model)
    del settings["padding"]
    (copied_model / "config.json").write_text(json.dumps(settings))
    assert config(convert(copied_model, tmp_path / "silent"))["padding"] == "max_length"
    done = run("convert", copied_model, tmp_path / "none", "--padding", "none")
    assert done.returncode == 0 and b"padding contract" in done.stderr
    assert config(tmp_path / "none")["padding"] == "none"
    assert "pooling" not in config(tmp_path / "none")


def test_without_a_pooler_the_config_says_mean(tmp_path, model, copied_model):
    tensors = {name: value for name, value in weights(copied_model).items() if ".pooler." not in name}
    save_file(tensors, copied_model / "model.safetensors")
    out = convert(copied_model, tmp_path / "out")
    assert config(out)["pooling"] == "mean"
    # The converted model no longer warns.
    assert same_bits(vectors(out, *TEXTS), vectors(model, *TEXTS, "--pooling", "mean"))


# Folders


def test_the_vocabulary_from_elsewhere(tmp_path, copied_model):
    (copied_model / "vocab.txt").unlink()
    out = convert(copied_model, tmp_path / "out", "--tokenizer", VOCABULARY)
    assert (out / "vocab.txt").read_bytes() == VOCABULARY.read_bytes()
    bare = convert(copied_model, tmp_path / "bare")
    assert sorted(path.name for path in bare.iterdir()) == ["config.json", "model.safetensors"]


def test_a_yaml_config_becomes_json(tmp_path, model):
    settings = {key: value for key, value in config(model).items() if key != "padding"}
    path = tmp_path / "train.yaml"
    path.write_text(json.dumps({"model": {"name": "mosaic_bert", "model_config": settings}}))
    out = tmp_path / "out"
    succeed("convert", model / "model.safetensors", out, "--config", path, "--padding", "max_length")
    assert config(out) == config(convert(model, tmp_path / "plain", "--padding", "none")) | {"padding": "max_length"}


@pytest.mark.parametrize("name", ["model.safetensors", "config.json", "pytorch_model.bin", "x.pt"])
def test_a_folder_with_a_model_is_refused(tmp_path, model, name):
    out = tmp_path / "out"
    out.mkdir()
    (out / name).write_text("mine")
    refuse(USAGE, "convert", model, out, says=[out, name])
    assert (out / name).read_text() == "mine" and len(list(out.iterdir())) == 1
    refuse(USAGE, "convert", model, model, says="holds a model")


def test_a_file_in_the_way_stays(tmp_path, copied_model):
    """Deeper in the folder too, and when the conversion fails for another reason."""
    weights = copied_model / "0_Transformer"
    weights.mkdir()
    for name in ("model.safetensors", "config.json", "vocab.txt"):
        (copied_model / name).rename(weights / name)
    (copied_model / "modules.json").write_text(json.dumps(
        [{"idx": 0, "name": "0", "path": "0_Transformer", "type": "sentence_transformers.models.Transformer"},
         {"idx": 1, "name": "1", "path": "1_Pooling", "type": "sentence_transformers.models.Pooling"}]))
    (copied_model / "1_Pooling").mkdir()
    (copied_model / "1_Pooling/config.json").write_text(json.dumps(
        {"word_embedding_dimension": HIDDEN, "pooling_mode_mean_tokens": True}))
    kept = tmp_path / "out" / "0_Transformer" / "model.safetensors"
    kept.parent.mkdir(parents=True)
    kept.write_bytes(b"another's")
    refuse(USAGE, "convert", copied_model, tmp_path / "out", says=["model.safetensors", "new folder"])
    assert kept.read_bytes() == b"another's"


def test_a_folder_needs_a_name(model):
    refuse(USAGE, "convert", model, "", says="no name")


def test_a_wrong_source_is_one_line(tmp_path, copied_model):
    out = tmp_path / "out"
    refuse(INPUT, "convert", tmp_path / "nowhere", out, says="nowhere")
    refuse(INPUT, "convert", "no-such-org/model", out, says="hf download", env={"HF_HOME": str(tmp_path)})
    (copied_model / "model.safetensors").write_bytes(b"\0" * 100)
    refuse(INPUT, "convert", copied_model, out, says="safetensors")
    assert not out.exists()


def test_a_nan_is_refused(tmp_path, copied_model):
    tensors = weights(copied_model)
    tensors[POOLER][0, 0] = float("nan")
    save_file(tensors, copied_model / "model.safetensors")
    refuse(INPUT, "convert", copied_model, tmp_path / "out", says=[POOLER, "NaN"])
    assert not (tmp_path / "out").exists()


def limit_file_size():
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000))


def test_a_full_disk_leaves_no_model(tmp_path, model):
    out = tmp_path / "out"
    done = run("convert", model, out, preexec_fn=limit_file_size)
    check_refusal(done, FAILED, str(out))
    assert not out.exists()


def large_model(model):
    """The model with heads of 160 MB more, so that converting it takes a while."""
    tensors = weights(model)
    for i in range(40):
        tensors[f"cls.extra.{i}"] = torch.full((1000, 1000), 0.1)
    save_file(tensors, model / "model.safetensors")


def start_converting(model, out):
    """A running conversion whose new weights have been begun."""
    done = subprocess.Popen([PROGRAM, "convert", model, out, "--dtype", "bf16"], env=environment(),
                            stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    while done.poll() is None and not list(out.glob("*.part")):
        time.sleep(0.001)
    assert done.poll() is None
    return done


def test_an_interrupted_conversion_leaves_nothing(tmp_path, copied_model):
    large_model(copied_model)
    done = start_converting(copied_model, tmp_path / "out")
    done.send_signal(signal.SIGINT)
    stdout, stderr = done.communicate(timeout=60)
    assert (done.returncode, stdout) == (INTERRUPTED, b"") and stderr.count(b"\n") == 1
    assert not (tmp_path / "out").exists()


def test_a_killed_conversion_leaves_no_model_and_can_be_repeated(tmp_path, copied_model):
    large_model(copied_model)
    out = tmp_path / "out"
    done = start_converting(copied_model, out)
    done.kill()
    done.communicate(timeout=60)
    refuse(INPUT, "info", "--model-id", out)
    convert(copied_model, out)
    assert "cls.extra.39" in weights(out)
