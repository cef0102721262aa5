"""The small model that the program's tests use, for tests of a running server."""

import pathlib
import sys

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "apps/m2"))

import m2_program  # noqa: E402


@pytest.fixture(scope="session")
def model(tmp_path_factory):
    """A model with the padding contract `none`, called `none`."""
    folder = tmp_path_factory.mktemp("models")
    return m2_program.init(folder, folder / "none")
