"""Checkpoints as Composer saves them: the weights under state.model, among whatever a training run keeps beside."""

import collections
import datetime
import json
import pathlib
import random
import shutil

import numpy
import pytest
import torch
from m2_program import INPUT, refuse, run, same_bits, succeed, vectors
from safetensors.torch import load_file

TEXTS = ["one gate", "the quiet river ran on", "a"]
WORDS = "bert.embeddings.word_embeddings.weight"
WO = "bert.encoder.layer.0.mlp.wo.weight"
OUT = "bert.encoder.layer.1.attention.out_linear.weight"


class Time:
    """Stands for composer.core.time.Time, pickled by its name."""

    def __init__(self, value, unit):
        self.value, self.unit = value, unit


def in_shared_storage(tensors):
    """The same values as views of one storage: with offsets, transposed, and with gaps between elements."""
    kept = {}
    flat = torch.cat([value.reshape(-1) for value in tensors.values()])
    at = 0
    for name, value in tensors.items():
        kept[name] = flat[at : at + value.numel()].view(value.shape)
        at += value.numel()
    kept[OUT] = tensors[OUT].t().contiguous().t()
    spread = torch.zeros(*tensors[WORDS].shape, 3)
    spread[..., 1] = tensors[WORDS]
    kept[WORDS] = spread[..., 1]
    assert not kept[OUT].is_contiguous() and not kept[WORDS].is_contiguous()
    assert kept[WO].storage_offset() > 0
    return kept


def optimiser_of(tensors):
    parameters = [torch.nn.Parameter(value.clone()) for value in tensors.values()]
    optimiser = torch.optim.AdamW(parameters, lr=1e-3)
    for parameter in parameters:
        parameter.grad = torch.ones_like(parameter)
    optimiser.step()
    return optimiser.state_dict()


def composer_state(weights):
    """What Composer's trainer hands to torch.save, weights in the middle."""
    return {
        "state": {
            "model": collections.OrderedDict(
                (f"model.{name}", value) for name, value in weights.items()),
            "optimizers": {"DecoupledAdamW": optimiser_of(weights)},
            "schedulers": {"LinearWithWarmupScheduler": {"base_lrs": [1e-3], "last_epoch": 500}},
            "timestamp": {"Timestamp": {"iteration": 0, "batch": Time(500, "ba"),
                                        "total_wct": datetime.timedelta(seconds=3.5)}},
            "train_metrics": {"LanguageCrossEntropy": {"sum_loss": torch.tensor(2.5), "count": numpy.int64(9)}},
            "dataset_state": {"train": None, "ids": numpy.arange(5), "loss": numpy.float32(0.5)},
            "scaler": None,
            "run_name": "a-run",
            "callbacks": [],
            "huge": 2**100,
            "folder": pathlib.PurePosixPath("/runs/a"),
        },
        "rng": [{"python": random.getstate(), "numpy": numpy.random.get_state(), "torch": torch.get_rng_state(),
                 "cuda": []}],
        "integrations": {"when": datetime.datetime(2024, 1, 2, tzinfo=datetime.timezone.utc),
                         "device": torch.device("cpu"), "dtype": torch.bfloat16, "size": torch.Size([1, 2])},
    }


@pytest.fixture
def composer_model(model, tmp_path):
    """A folder of the same model whose weights write(change) saves as Composer does."""
    folder = tmp_path / "composer"
    folder.mkdir()
    for name in ["config.json", "vocab.txt"]:
        shutil.copy(model / name, folder)

    def write(change=lambda tensors: tensors, protocol=2):
        state = composer_state(load_file(model / "model.safetensors"))
        weights = {name.removeprefix("model."): value for name, value in state["state"]["model"].items()}
        state["state"]["model"] = collections.OrderedDict(
            (f"model.{name}", value) for name, value in change(weights).items())
        torch.save(state, folder / "ep0-ba500-rank0.pt", pickle_protocol=protocol)
        return folder

    return write


@pytest.mark.parametrize("protocol", [2, 4, 5])
def test_the_vectors_are_those_of_the_same_weights(composer_model, model, protocol):
    folder = composer_model(in_shared_storage, protocol)
    assert same_bits(vectors(folder, *TEXTS), vectors(model, *TEXTS))
    info = json.loads(succeed("info", "--json", "--model-id", folder))
    assert info["format"] == "PyTorch" and info["files"] == [str(folder / "ep0-ba500-rank0.pt")]
    assert info["parameters"] == json.loads(succeed("info", "--json", "--model-id", model))["parameters"]


def test_other_weights_give_other_vectors(composer_model, model):
    """The control: the file's values are what is read."""
    folder = composer_model(lambda tensors: tensors | {WO: -tensors[WO]})
    assert not same_bits(vectors(folder, *TEXTS), vectors(model, *TEXTS))


def test_a_file_inside_a_wrapper(composer_model, model):
    """Saved from a model in DistributedDataParallel."""
    folder = composer_model(lambda tensors: {f"module.{name}": value for name, value in tensors.items()})
    assert same_bits(vectors(folder, *TEXTS), vectors(model, *TEXTS))


def test_what_was_passed_over_is_shown_when_asked(composer_model):
    done = run("info", "--verbose", "--model-id", composer_model())
    assert done.returncode == 0
    for name in ["datetime.timedelta", "numpy", "PosixPath", ".Time"]:
        assert name in done.stderr.decode(), name


@pytest.mark.parametrize("value, says", [
    (numpy.ones((2, 2), numpy.float32), "numpy"),
    (datetime.timedelta(seconds=1), "datetime.timedelta"),
    ("text", "a str"),
    (None, "None"),
    (torch.eye(3).to_sparse(), "_rebuild_sparse_tensor"),
], ids=["numpy", "timedelta", "str", "None", "sparse"])
def test_what_lies_in_a_weight_s_place_is_named(composer_model, value, says):
    folder = composer_model(lambda tensors: tensors | {WO: value})
    for command in [["info"], ["embed", "one gate"]]:
        text = refuse(INPUT, *command, "--model-id", folder, says=[WO, says])
        assert "lacks" not in text


def test_what_lies_beside_the_weights_is_no_matter(composer_model, model):
    folder = composer_model(lambda tensors: tensors | {"_extra_state": datetime.timedelta(seconds=1)})
    assert same_bits(vectors(folder, *TEXTS), vectors(model, *TEXTS))
    (folder / "ep0-ba500-rank0.pt").unlink()
    refuse(INPUT, "info", "--model-id", folder, says="no weights")


def test_a_missing_weight_is_still_missing(composer_model):
    folder = composer_model(lambda tensors: {name: value for name, value in tensors.items() if name != WO})
    refuse(INPUT, "info", "--model-id", folder, says=["lacks", WO])
