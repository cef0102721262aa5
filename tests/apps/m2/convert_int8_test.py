"""`m2 convert --dtype int8`: weights of large products as integers with a scale an output, and the same vectors."""

import json
import shutil

import numpy
import pytest
import torch
from m2_program import INPUT, USAGE, embed, init, refuse, same_bits, succeed, vectors
from safetensors.torch import load_file, save_file

TEXTS = ["one gate", "the quiet river ran on", "a"]
MIXER = "bert.encoder.layer.0.attention."
LARGE = MIXER + "in_linear.weight"
SENSITIVE = MIXER + "out_linear.weight"
GATED = "bert.encoder.layer.1.mlp.gated_layers.weight"
FAMILIES = {
    "m2_bert": {},
    "mosaic_bert": {"monarch_mixer_sequence_mixing": False, "use_positional_encodings": False,
                    "use_monarch_mlp": False},
}


def convert(model, out, *words):
    succeed("convert", model, out, *words)
    return out


def weights(folder):
    return load_file(folder / "model.safetensors")


def file_bytes(folder):
    return (folder / "model.safetensors").read_bytes()


def widened(tensors, name):
    """Integers times their outputs' scales, in double: exact, and exact in float32 too."""
    integers = tensors[name].double()
    scales = tensors[name + "_scale"].double().reshape(*integers.shape[:-1], 1)
    return integers * scales


@pytest.fixture(scope="module")
def int8_model(model, tmp_path_factory):
    return convert(model, tmp_path_factory.mktemp("int8") / "model", "--dtype", "int8")


@pytest.fixture
def copied_int8(int8_model, tmp_path):
    folder = tmp_path / "copy"
    shutil.copytree(int8_model, folder)
    return folder


# What is stored


def test_what_becomes_int8_and_what_does_not(model, int8_model):
    before, stored = weights(model), weights(int8_model)
    integers = {name for name, value in stored.items() if value.dtype == torch.int8}
    assert integers == {name for name in before if name.endswith(
        ("in_linear.weight", "gated_layers.weight", "mlp.wo.weight"))}
    for name, value in before.items():
        assert stored[name].shape == value.shape, name
        if name.endswith("out_linear.weight"):
            assert torch.equal(stored[name], value.bfloat16()), name
        elif name not in integers:
            assert torch.equal(stored[name], value), name
    assert stored.keys() - before.keys() == {name + "_scale" for name in integers}


def test_integers_are_nearest_under_a_scale_that_no_output_outgrows(model, int8_model):
    before, stored = weights(model), weights(int8_model)
    for name in (LARGE, GATED):
        scales = stored[name + "_scale"]
        assert scales.dtype == torch.float32 and scales.shape == (before[name].numel() // before[name].shape[-1],)
        assert not (scales.numpy().view(numpy.uint32) & 0xFF).any()  # what makes integer times scale exact
        largest = before[name].double().abs().flatten(0, -2).amax(1)
        assert ((scales.double() >= largest / 127 * (1 - 1e-7)) & (scales.double() < largest / 127 * (1 + 2**-14))).all()
        rows = scales.double().reshape(*before[name].shape[:-1], 1)
        assert ((widened(stored, name) - before[name]).abs() <= rows * 0.5001).all()
        assert torch.equal(widened(stored, name).float().double(), widened(stored, name))


def test_an_output_of_zeros_has_scale_zero(tmp_path, copied_model):
    tensors = weights(copied_model)
    tensors[LARGE][3] = 0
    save_file(tensors, copied_model / "model.safetensors")
    stored = weights(convert(copied_model, tmp_path / "out", "--dtype", "int8"))
    assert stored[LARGE + "_scale"][3] == 0 and not stored[LARGE][3].any() and stored[LARGE + "_scale"][2] > 0


# The same model


@pytest.mark.parametrize("family", FAMILIES)
def test_vectors_are_those_of_int8_products(tmp_path, family):
    model = init(tmp_path, tmp_path / family, config=FAMILIES[family])
    stored = convert(model, tmp_path / "int8", "--dtype", "int8")
    expected = vectors(model, *TEXTS, "--dtype", "int8")
    assert same_bits(vectors(stored, *TEXTS), expected)
    assert same_bits(vectors(stored, *TEXTS, "--dtype", "int8"), expected)
    # The comparison would see it if nothing were rounded.
    assert not same_bits(vectors(model, *TEXTS), expected)
    assert numpy.abs(vectors(model, *TEXTS) - expected).max() < 0.1


def test_a_round_trip_is_the_identity(tmp_path, model, int8_model):
    stored = file_bytes(int8_model)
    assert file_bytes(convert(int8_model, tmp_path / "kept")) == stored
    assert file_bytes(convert(int8_model, tmp_path / "again", "--dtype", "int8")) == stored
    wide = convert(int8_model, tmp_path / "wide", "--dtype", "fp32")
    found = weights(wide)
    assert found.keys() == weights(model).keys()
    assert all(value.dtype == torch.float32 for value in found.values())
    assert torch.equal(found[GATED].double(), widened(weights(int8_model), GATED))
    assert file_bytes(convert(wide, tmp_path / "back", "--dtype", "int8")) == stored
    assert same_bits(vectors(wide, *TEXTS, "--dtype", "fp32"), vectors(int8_model, *TEXTS, "--dtype", "fp32"))


def test_from_int8_to_bf16_rounds_what_was_widened(tmp_path, int8_model):
    found = weights(convert(int8_model, tmp_path / "out", "--dtype", "bf16"))
    assert torch.equal(found[LARGE], widened(weights(int8_model), LARGE).bfloat16())
    assert all(value.dtype == torch.bfloat16 for value in found.values())


def test_info_names_what_is_stored(int8_model):
    info = json.loads(succeed("info", "--json", "--model-id", int8_model))
    assert info["dtype"] == "bf16, fp32, int8"


# Refusals


def test_no_other_program_reads_int8(tmp_path, model, int8_model):
    out = tmp_path / "out"
    refuse(USAGE, "convert", model, out, "--dtype", "int8", "--names", "upstream", says=["int8", "upstream"])
    refuse(USAGE, "convert", int8_model, out, "--names", "upstream", says=["int8", "upstream"])
    assert not out.exists()
    convert(int8_model, out, "--names", "upstream", "--dtype", "fp32")


def test_a_value_beyond_int8_is_refused(tmp_path, copied_model):
    tensors = weights(copied_model)
    tensors[LARGE][0, 1] = torch.finfo(torch.float32).max
    save_file(tensors, copied_model / "model.safetensors")
    refuse(INPUT, "convert", copied_model, tmp_path / "out", "--dtype", "int8", says=[LARGE, "int8", "fp32"])
    assert not (tmp_path / "out").exists()


def drop_scales(tensors):
    del tensors[LARGE + "_scale"]
    return LARGE


def drop_integers(tensors):
    tensors[GATED] = tensors[GATED].float()
    return GATED


def one_scale_too_few(tensors):
    tensors[GATED + "_scale"] = tensors[GATED + "_scale"][1:].clone()
    return GATED + "_scale"


def negative_scale(tensors):
    tensors[LARGE + "_scale"][5] *= -1
    return LARGE + "_scale"


def nan_scale(tensors):
    tensors[LARGE + "_scale"][5] = float("nan")
    return LARGE + "_scale"


def half_scale(tensors):
    tensors[LARGE + "_scale"] = tensors[LARGE + "_scale"].half()
    return LARGE + "_scale"


def sensitive_integers(tensors):
    tensors[SENSITIVE] = tensors[SENSITIVE].to(torch.int8)
    return SENSITIVE


def scales_of_a_bias(tensors):
    tensors[MIXER + "in_linear.bias_scale"] = torch.ones(1)
    return MIXER + "in_linear.bias_scale"


@pytest.mark.parametrize("damage", [drop_scales, drop_integers, one_scale_too_few, negative_scale, nan_scale,
                                    half_scale, sensitive_integers, scales_of_a_bias])
def test_a_broken_file_is_one_line_that_names_the_weight(tmp_path, copied_int8, damage):
    tensors = weights(copied_int8)
    name = damage(tensors)
    save_file(tensors, copied_int8 / "model.safetensors")
    refuse(INPUT, "embed", "--model-id", copied_int8, "one gate", says=name)
    refuse(INPUT, "convert", copied_int8, tmp_path / "out", says=name)
    assert not (tmp_path / "out").exists()


# Runs that go on


@pytest.mark.parametrize("earlier, later", [([], ["--dtype", "bf16"]), (["--dtype", "int8"], [])])
def test_a_run_does_not_go_on_in_another_number_type(tmp_path, model, earlier, later):
    out = tmp_path / "out.jsonl"
    command = ["embed", "--model-id", model, "--output", out, *TEXTS]
    succeed(*command, *earlier)
    whole = out.read_bytes()
    refuse(INPUT, *command, *later, "--resume", says=[out, "flags"])
    assert out.read_bytes() == whole
    assert len(embed(model, *TEXTS, *earlier)) == len(whole.splitlines())
