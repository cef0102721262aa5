"""The openai package of npm."""

import json
import pathlib
import shutil
import subprocess

import pytest
from client_calls import KEY, NAME, TEXTS, check_bits
from m2_program import ids_of

FOLDER = pathlib.Path(__file__).parent / "node"

if not (shutil.which("node") and (FOLDER / "node_modules/openai").is_dir()):
    pytest.skip("node or its openai package is missing: make client-packages", allow_module_level=True)


@pytest.fixture
def call(server):
    def call(key=KEY, **request):
        done = subprocess.run(["node", "embeddings.mjs", f"{server.url}/v1", key, json.dumps(request)], cwd=FOLDER,
                              stdin=subprocess.DEVNULL, capture_output=True, timeout=60)
        assert done.returncode == 0, done.stderr.decode()
        return json.loads(done.stdout)
    return call


@pytest.mark.parametrize("options", [{}, {"encoding_format": "float"}], ids=["as_it_asks_by_itself", "float"])
def test_vectors(call, model, expected, options):
    found = call(model=NAME, input=TEXTS, **options)
    check_bits([entry["embedding"] for entry in found["answer"]["data"]], expected)
    assert found["answer"]["usage"]["prompt_tokens"] == sum(len(ids_of(model, text)) for text in TEXTS)
    assert found["models"] == ["small", NAME]


def test_token_ids(call, model, expected):
    found = call(model=NAME, input=ids_of(model, TEXTS[2]))
    check_bits([found["answer"]["data"][0]["embedding"]], expected[2:3])


@pytest.mark.parametrize("request_, key, kind, code", [
    ({"model": NAME, "input": "a"}, "another", "AuthenticationError", "invalid_api_key"),
    ({"model": "another", "input": "a"}, KEY, "NotFoundError", "model_not_found"),
    ({"model": NAME, "input": "gate " * 200}, KEY, "BadRequestError", "context_length_exceeded")])
def test_errors(call, request_, key, kind, code):
    error = call(key=key, **request_)["error"]
    assert (error["kind"], error["code"]) == (kind, code)
