"""A server with a small model behind a key, under the name that users of the hosted API ask for."""

import importlib.util
import os
import pathlib
import sys

import pytest

TESTS = pathlib.Path(__file__).resolve().parents[1]
sys.path[:0] = [str(TESTS / "apps/m2"), str(TESTS / "serve")]

import client_calls  # noqa: E402
import m2_program  # noqa: E402
import server_calls  # noqa: E402

# The clients are in an environment of their own (requirements-clients.txt); other runs pass these tests by.
collect_ignore_glob = [] if importlib.util.find_spec("openai") else ["*_test.py"]


@pytest.fixture(scope="session", autouse=True)
def straight_to_the_server():
    """Nothing of this machine's settings leads a client elsewhere, or gives it another key."""
    for name in list(os.environ):
        if m2_program.VARIABLES.match(name) or name.startswith(("OPENAI_", "TOGETHER_")):
            del os.environ[name]


@pytest.fixture(scope="session")
def model(tmp_path_factory):
    folder = tmp_path_factory.mktemp("models")
    return m2_program.init(folder, folder / "small")


@pytest.fixture(scope="session")
def server(model):
    with server_calls.Server(model, "--alias", client_calls.NAME, "--api-key", client_calls.KEY) as server:
        yield server


@pytest.fixture(scope="session")
def expected(model):
    """What `m2 embed` gives for the texts."""
    return m2_program.vectors(model, *client_calls.TEXTS)
