"""A model in a stand-in hub, a cache of its own for each test, and what the tests of downloading ask of both."""

import json

import pytest
from m2_program import succeed
from stand_in_hub import COMMIT, StandInHub, files_of

NAME = "an-org/Small_m2.80M"
WEIGHTS = "model.safetensors"


@pytest.fixture
def hub(model):
    with StandInHub() as server:
        # What a repository has beside what is read.
        server.add(NAME, files_of(model) | {"README.md": b"# A model\n", "onnx/model.onnx": b"x", "tf_model.h5": b"x",
                                            "pytorch_model.bin": b"the same weights", ".gitattributes": b""})
        yield server


@pytest.fixture
def env(hub, tmp_path):
    return {"HF_HOME": str(tmp_path / "hf"), "HF_ENDPOINT": hub.url, "HF_HUB_OFFLINE": "0"}


@pytest.fixture
def cache(tmp_path):
    """The model's folder in it."""
    return tmp_path / "hf/hub/models--an-org--Small_m2.80M"


def files_read(env, name=NAME, *words):
    """The files of weights that a command takes; it must end well, and say nothing."""
    return json.loads(succeed("info", "--json", "--model-id", name, *words, env=env))["files"]


def weights_blob(cache):
    return (cache / "snapshots" / COMMIT / WEIGHTS).resolve()


def nothing_is_there(cache):
    """Neither a file of a snapshot nor a revision."""
    return not list(cache.glob("snapshots/**/*")) and not list(cache.glob("refs/*"))
