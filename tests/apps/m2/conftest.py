"""Small models of random weights, made once by `m2 init`."""

import shutil

import pytest
from m2_program import init


@pytest.fixture(scope="session")
def model(tmp_path_factory):
    """A model with the padding contract `none`."""
    folder = tmp_path_factory.mktemp("models")
    return init(folder, folder / "none")


@pytest.fixture(scope="session")
def padded_model(tmp_path_factory):
    """The same weights with the contract `max_length`."""
    folder = tmp_path_factory.mktemp("models")
    return init(folder, folder / "padded", padding="max_length")


@pytest.fixture
def copied_model(model, tmp_path):
    """A copy to damage."""
    folder = tmp_path / "copy"
    shutil.copytree(model, folder)
    return folder
