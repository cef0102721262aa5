"""/openapi.json says what the routes do: each documented request, and what comes of it."""

import contextlib
import json
import re
import socket

import pytest
from json_schema import Document
from m2_program import ROOT
from server_calls import Server

KEY = "a-key-of-the-tests"
BEARER = {"Authorization": f"Bearer {KEY}"}
SOURCE = json.loads((ROOT / "src/serve/openapi.json").read_text())
OPERATIONS = [(method.upper(), path) for path, item in SOURCE["paths"].items() for method in item]


@pytest.fixture(scope="module")
def server(model):
    with Server(model, "--api-key", KEY) as server:
        yield server


@pytest.fixture(scope="module")
def document(server):
    return Document(server.json("GET", "/openapi.json", headers=BEARER))


def operation_of(document, method, path):
    return document.document["paths"][path][method.lower()]


def examples_of(document, operation):
    """Bodies to send; None where there is none to be sent."""
    if "requestBody" not in operation:
        return [None]
    content = document.resolve(operation["requestBody"])["content"]["application/json"]
    examples = [example["value"] for example in content["examples"].values()]
    assert examples
    for example in examples:
        assert not document.faults(example, content["schema"])
    return examples


def check_answer(document, operation, answer):
    """The status is documented, and so are the headers and the body that come with it."""
    status, headers, text = answer
    said = document.resolve(operation["responses"][str(status)])
    for name, header in said["headers"].items():
        header = document.resolve(header)
        value = headers.get(name)
        assert value or not header.get("required"), name
        if value:
            value = int(value) if header["schema"].get("type") == "integer" else value
            assert not document.faults(value, header["schema"]), name
    (content_type, content), = said["content"].items()
    assert headers["Content-Type"].split(";")[0] == content_type
    if content_type == "application/json":
        assert not document.faults(json.loads(text), content["schema"])


def test_it_is_the_file_of_this_version(server, document):
    assert document.document == SOURCE
    version = server.json("GET", "/info", headers=BEARER)["version"]
    assert SOURCE["info"]["version"] == version


def test_it_has_the_paths_that_the_server_has():
    table = (ROOT / "src/serve/route_table.cpp").read_text()
    routes = re.findall(r'^    {"([A-Z]+)", "([^"]+)"', table, re.MULTILINE)
    assert sorted(OPERATIONS) == sorted(routes)


@pytest.mark.parametrize("path", SOURCE["paths"])
def test_other_methods_are_refused_with_a_list_of_those_there_are(server, path):
    documented = {method.upper() for method in SOURCE["paths"][path]}
    known = documented | ({"HEAD"} if "GET" in documented else set())
    for method in {"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE"} - known:
        status, headers, _ = server.ask(method, path, headers=BEARER)
        assert status == 405, method
        assert set(headers["Allow"].split(", ")) == known
    if "GET" in documented:
        status, headers, text = server.ask("HEAD", path, headers=BEARER)
        assert status == 200 and text == b"" and int(headers["Content-Length"]) > 0


@pytest.mark.parametrize("method, path", OPERATIONS)
def test_what_is_asked_as_documented_is_answered_as_documented(server, document, method, path):
    operation = operation_of(document, method, path)
    wanted = 424 if path == "/rerank" else 200  # the model is no cross-encoder
    for example in examples_of(document, operation):
        answer = server.ask(method, path, example, BEARER)
        assert answer[0] == wanted, answer
        check_answer(document, operation, answer)


@pytest.mark.parametrize("method, path", OPERATIONS)
def test_keys_are_asked_for_where_it_says_so(server, document, method, path):
    operation = operation_of(document, method, path)
    is_open = operation.get("security", document.document["security"]) == []
    body = examples_of(document, operation)[0]
    answer = server.ask(method, path, body)
    assert (answer[0] == 401) == (not is_open)
    check_answer(document, operation, answer)


@pytest.mark.parametrize("path", [path for method, path in OPERATIONS if method == "POST"])
def test_errors_are_as_documented(server, document, path):
    operation = operation_of(document, "POST", path)
    body = examples_of(document, operation)[0]
    content = document.resolve(operation["requestBody"])["content"]["application/json"]
    found = set()
    bad = [b"{", {}, {"input": 3, "inputs": 3, "query": 3}, body | {"model": "another"}, body | {"model": 3},
           body | {"truncate": "yes"}, json.loads(json.dumps(body).replace("gate", "gate " * 300))]
    for one in bad:
        answer = server.ask("POST", path, one, BEARER)
        check_answer(document, operation, answer)
        found.add(answer[0])
        if isinstance(one, dict) and answer[0] in (400, 422) and b"maximum context length" not in answer[2]:
            assert not document.fits(one, content["schema"]), one
    encoded = server.ask("POST", path, body, BEARER | {"Content-Encoding": "gzip"})
    check_answer(document, operation, encoded)
    timeout = server.ask("POST", path, body, BEARER | {"x-request-timeout": "soon"})
    check_answer(document, operation, timeout)
    assert found >= {404, 400 if "/v1/" in path else 422}
    assert (encoded[0], timeout[0]) == (415, 400 if "/v1/" in path else 422)


def test_a_server_that_is_not_ready_answers_as_documented(tmp_path):
    """Its model is to come from a hub that takes the call and says nothing."""
    with contextlib.closing(socket.create_server(("127.0.0.1", 0))) as hub:
        env = {"HF_ENDPOINT": f"http://127.0.0.1:{hub.getsockname()[1]}", "HF_HOME": str(tmp_path), "HF_HUB_OFFLINE": "0"}
        with Server("an-org/a-model", env=env, ready=False) as server:
            document = Document(SOURCE)
            for method, path in OPERATIONS:
                operation = operation_of(document, method, path)
                answer = server.ask(method, path, examples_of(document, operation)[0])
                waits = method == "POST" or path in ("/info", "/ready")
                assert answer[0] == (503 if waits else 200), path
                check_answer(document, operation, answer)
            server.process.kill()
            server.wait()


def test_words_that_are_not_checked_are_refused():
    with pytest.raises(AttributeError):
        Document({}).faults(1, {"multipleOf": 2})
    assert Document({}).faults([1, "a"], {"type": "array", "items": {"type": "integer"}}) == \
        ["[1]: 'a' is no ['integer']"]
