"""Keys, origins, addresses, request ids and what the log says."""

import contextlib
import json
import socket

import pytest
from m2_program import USAGE, refuse
from server_calls import Server

pytestmark = [pytest.mark.asan, pytest.mark.tsan]

KEY = "a-key-that-nobody-guesses"
BEARER = {"Authorization": f"Bearer {KEY}"}


def test_a_key_guards_all_but_health_and_the_page(model):
    with Server(model, "--api-key", KEY, env={"M2_API_KEY": ""}) as server:
        for path in ("/health", "/ready", "/"):
            assert server.ask("GET", path)[0] == 200, path
        for path in ("/metrics", "/v1/models", "/info", "/openapi.json"):
            assert server.ask("GET", path)[0] == 401, path
            assert server.ask("GET", path, headers=BEARER)[0] == 200, path
        for path in ("/v1/embeddings", "/api/v1/embeddings"):
            status, headers, text = server.ask("POST", path, {"input": "a"})
            assert status == 401 and headers["WWW-Authenticate"] == "Bearer"
            assert json.loads(text)["error"]["code"] == "invalid_api_key"
            wrong = {"Authorization": f"Bearer {KEY}x"}
            server.post(path, {"input": "a"}, status=401, headers=wrong)
            server.post(path, {"input": "a"}, headers=BEARER)
        for path in ("/embed", "/embed_all", "/similarity", "/rerank", "/tokenize", "/"):
            assert server.ask("POST", path, {"inputs": "a"})[0] == 401, path
        assert KEY not in json.dumps(server.log)


def test_keys_come_from_a_file_and_the_environment_too(model, tmp_path):
    keys = tmp_path / "keys"
    keys.write_text(f"# of the tests\n{KEY}\nanother\n")
    with Server(model, "--api-key-file", keys) as server:
        server.json("GET", "/v1/models", status=401)
        for key in (KEY, "another"):
            server.json("GET", "/v1/models", headers={"Authorization": f"Bearer {key}"})
    with Server(model, env={"M2_API_KEY": KEY}) as server:
        server.json("GET", "/v1/models", status=401)
        server.json("GET", "/v1/models", headers=BEARER)


def test_other_machines_are_let_in_by_an_explicit_word_alone(model):
    refuse(USAGE, "serve", "--model-id", model, "--host", "0.0.0.0", "--port", 0,
           says=("--api-key", "--insecure"))
    for words in (("--insecure",), ("--api-key", KEY)):
        with Server(model, "--host", "0.0.0.0", *words) as server:
            assert server.port


def test_an_address_in_use_is_one_clear_line(model):
    with contextlib.closing(socket.socket()) as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        server = pytest.raises(AssertionError, Server, model, port=port, ready=False)
        assert str(port) in str(server.value) and "m2: error: " in str(server.value)


def test_only_named_origins_may_call_from_a_browser(model):
    named = "https://example.org"
    preflight = {"Origin": named, "Access-Control-Request-Method": "POST"}
    with Server(model, "--cors-allow-origin", named, "--api-key", KEY) as server:
        status, headers, _ = server.ask("OPTIONS", "/v1/embeddings", headers=preflight)
        assert status == 204 and headers["Access-Control-Allow-Origin"] == named
        assert "POST" in headers["Access-Control-Allow-Methods"]
        assert "authorization" in headers["Access-Control-Allow-Headers"]
        for status, bring in ((200, BEARER), (401, {})):
            found, headers, _ = server.ask("POST", "/embed", {"inputs": "a"}, {"Origin": named} | bring)
            assert found == status and headers["Access-Control-Allow-Origin"] == named
        _, headers, _ = server.ask("POST", "/embed", {"inputs": "a"},
                                   {"Origin": "https://example.com"} | BEARER)
        assert "Access-Control-Allow-Origin" not in headers
    with Server(model) as server:
        _, headers, _ = server.ask("POST", "/embed", {"inputs": "a"}, {"Origin": named})
        assert "Access-Control-Allow-Origin" not in headers


def test_a_request_is_found_again_by_its_id(model):
    trace = "4bf92f3577b34da6a3ce929d0e0e4736"
    parent = f"00-{trace}-00f067aa0ba902b7-01"
    with Server(model) as server:
        _, headers, _ = server.ask("POST", "/embed", {"inputs": "a secret text"},
                                   {"x-request-id": "my id\t<1>", "traceparent": parent})
        assert headers["x-request-id"] == "myid1"
        assert headers["traceparent"] == parent
        _, headers, _ = server.ask("GET", "/health", headers={"x-request-id": "x" * 1000})
        assert headers["x-request-id"] == "x" * 64
        first, second = (server.ask("GET", "/health")[1]["x-request-id"] for _ in range(2))
        assert first and first != second
    line = next(line for line in server.log if line.get("request_id") == "myid1")
    assert line["trace_id"] == trace and line["route"] == "/embed" and line["status"] == 200
    assert line["model"] == "none" and line["inputs"] == 1 and line["tokens"] > 3
    assert "secret" not in json.dumps(server.log)


def test_names_from_requests_are_no_labels(model):
    with Server(model) as server:
        server.ask("GET", "/a-path-that-is-not-there")
        server.post("/v1/embeddings", {"input": "a", "model": "a-model-that-is-not-there"}, status=404)
        text = server.ask("GET", "/metrics")[2].decode()
        assert "not-there" not in text
        assert server.metric("m2_requests_total", 'route="",status="404"') == 1


def test_a_unix_socket_takes_the_place_of_a_port(model, tmp_path):
    path = tmp_path / "socket"
    with Server(model, "--unix-socket", path) as server:
        with contextlib.closing(socket.socket(socket.AF_UNIX)) as client:
            client.connect(str(path))
            client.sendall(b"GET /health HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
            answer = b""
            while part := client.recv(4096):
                answer += part
            assert answer.startswith(b"HTTP/1.1 200 OK\r\n")
        assert server.stop() == 0
    assert not path.exists()
