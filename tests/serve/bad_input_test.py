"""What clients get wrong, by accident or by intent: an answer or an end, and others are served on."""

import contextlib
import json
import random
import socket

import pytest
from server_calls import Server, wait_until

pytestmark = pytest.mark.asan

JSON = {"Content-Type": "application/json"}
ROUTES = ("/v1/embeddings", "/embed", "/embed_all", "/similarity", "/rerank", "/tokenize", "/")


@pytest.fixture(scope="module")
def server(model):
    words = ("--header-timeout", 2, "--body-timeout", 2, "--write-timeout", 2)
    with Server(model, *words) as server:
        yield server


@pytest.fixture(autouse=True)
def goes_on(server):
    """After each test the server still serves, and holds nothing of what was sent."""
    before = server.vectors(["a", "b"])
    yield
    assert server.vectors(["a", "b"]).tobytes() == before.tobytes()
    assert server.metric("m2_queue_requests") == 0


def refused(server, path, body, status=None):
    """The error's message; a 4xx in the shape of its route."""
    found, _, text = server.ask("POST", path, body, JSON)
    assert 400 <= found < 500 and (status is None or found == status), (found, text)
    answer = json.loads(text)
    if path.startswith("/v1"):
        assert set(answer["error"]) == {"message", "type", "param", "code"}
        return answer["error"]["message"]
    assert set(answer) == {"error", "error_type"}
    return answer["error"]


@pytest.mark.parametrize("body", [
    b"", b"{", b"[]", b"null", b"3", b'"text"', b"{]", b'{"input": "a"', b'{"input": "a"}x', b"\x00",
    b'{"input": "\xff"}', b'{"input": "\xed\xa0\x80"}', b'{"input": "a", "input": "b"}', b"{'input': 'a'}",
    b'{"input":' + b"[" * 100_000, b'{"input":' + b'{"a":' * 100_000, b"[" * 1_000_000, b'{"input": 1e999999}',
    b"\xef\xbb\xbf{", b'{"inputs": NaN}'])
def test_what_is_no_json_is_refused_everywhere(server, body):
    for path in ROUTES:
        refused(server, path, body)


@pytest.mark.parametrize("fields", [
    {}, {"input": None}, {"input": 3}, {"input": True}, {"input": {}}, {"input": []}, {"input": ""},
    {"input": " \n\t"}, {"input": [""]}, {"input": ["a", ""]}, {"input": ["a", 3]}, {"input": [[]]},
    {"input": ["a", ["b"]]}, {"input": [[1], "b"]}, {"input": [[["a"]]]}, {"input": [None]},
    {"input": [1.5]}, {"input": [-1]}, {"input": [10 ** 30]}, {"input": [18446744073709551615]},
    {"input": "a", "encoding_format": "hex"}, {"input": "a", "encoding_format": 1},
    {"input": "a", "dimensions": 0}, {"input": "a", "dimensions": -1}, {"input": "a", "dimensions": 41},
    {"input": "a", "dimensions": 1.5}, {"input": "a", "dimensions": "4"}, {"input": "a", "dimensions": 10 ** 40},
    {"input": "a", "user": 3}, {"input": "a", "truncate": "yes"}, {"input": "a", "model": 3},
    {"input": "a", "per_input_errors": 1}])
def test_wrong_fields_are_named(server, fields):
    message = refused(server, "/v1/embeddings", fields, 400)
    assert message
    found = server.post("/v1/embeddings", fields, status=400)["error"]["param"]
    assert found and found.split("[")[0] in ("input", "encoding_format", "dimensions", "user", "truncate",
                                             "model", "per_input_errors")


@pytest.mark.parametrize("path, fields", [
    ("/embed", {"inputs": ["a", 1]}), ("/embed", {"inputs": "a", "normalize": "no"}),
    ("/embed", {"inputs": "a", "prompt_name": "none such"}), ("/embed", {"inputs": {"a": 1}}),
    ("/embed", {"inputs": "a", "truncation_direction": "Up"}), ("/embed_all", {"inputs": [[1]]}),
    ("/similarity", {"inputs": "a"}), ("/similarity", {"inputs": {"source_sentence": "a"}}),
    ("/similarity", {"inputs": {"source_sentence": "a", "sentences": "b"}}),
    ("/similarity", {"inputs": {"source_sentence": "a", "sentences": []}}),
    ("/similarity", {"inputs": {"source_sentence": "", "sentences": ["b"]}}),
    ("/similarity", {"inputs": {"source_sentence": "a", "sentences": ["b"]}, "parameters": 3}),
    ("/tokenize", {"inputs": 3}), ("/tokenize", {"inputs": []}), ("/tokenize", {"inputs": [3]}),
    ("/tokenize", {"inputs": "a", "add_special_tokens": 1}), ("/rerank", {"query": "a", "texts": ["b"]}),
    ("/", {"inputs": {"sentences": ["b"]}})])
def test_wrong_fields_of_the_other_routes(server, path, fields):
    assert refused(server, path, fields)


def test_more_inputs_than_are_taken_at_once(server):
    assert "2049" in refused(server, "/v1/embeddings", {"input": ["a"] * 2049}, 400)
    assert "2049" in refused(server, "/v1/embeddings", {"input": [[101, 102]] * 2049}, 400)
    assert "2049" in refused(server, "/embed", {"inputs": ["a"] * 2049}, 413)
    assert "2049" in refused(server, "/tokenize", {"inputs": ["a"] * 2049}, 413)
    assert server.reached("inputs") == 4
    assert len(server.post("/v1/embeddings", {"input": ["a"] * 2048})["data"]) == 2048


def test_an_answer_longer_than_is_sent_is_refused_before_it_is_made(model):
    with Server(model, "--max-response-bytes", "20kB") as small:
        assert small.ask("POST", "/tokenize", {"inputs": "a " * 100})[0] == 200
        assert "20.0 kB" in refused(small, "/tokenize", {"inputs": "a " * 1000}, 413)
        assert "20.0 kB" in refused(small, "/embed_all", {"inputs": "a " * 100}, 413)
        assert "20.0 kB" in refused(small, "/v1/embeddings", {"input": ["a"] * 100}, 400)
        assert small.reached("response_bytes") == 3


def test_a_text_longer_than_the_model_names_both_lengths(server):
    text = "a " * 300
    for path, field, status in (("/v1/embeddings", "input", 400), ("/embed", "inputs", 413)):
        message = refused(server, path, {field: ["b", text]}, status)
        assert "302" in message and "128" in message
    error = server.post("/v1/embeddings", {"input": ["b", text]}, status=400)["error"]
    assert error["code"] == "context_length_exceeded" and error["param"] == "input[1]"
    assert server.reached("input_tokens") == 3


def test_foreign_token_ids_name_the_flag_that_sends_them(server):
    for ids in ([5, 6, 7], [101, 5], [5, 102], [10 ** 6], [101, 30523, 102]):
        assert "check_embedding_ctx_length" in refused(server, "/v1/embeddings", {"input": ids}, 400)
        assert "check_embedding_ctx_length" in refused(server, "/v1/embeddings", {"input": [ids]}, 400)


def test_a_body_over_the_limit_is_refused_before_it_is_read(server):
    size = 100 << 20
    with contextlib.closing(server.socket()) as client:
        client.sendall(b"POST /v1/embeddings HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
                       b"Content-Length: %d\r\n\r\n" % size)
        with contextlib.suppress(OSError):
            for _ in range(size >> 20):
                client.sendall(b"x" * (1 << 20))
        assert client.recv(100).startswith(b"HTTP/1.1 413 ")
    assert server.resident() < (512 << 20)
    assert server.reached("body_bytes") == 1


def exchange(server, sent):
    """All that comes back until the server closes, or says no more."""
    with contextlib.closing(server.socket()) as client:
        client.sendall(sent)
        client.settimeout(10)
        answer = b""
        with contextlib.suppress(OSError):
            while part := client.recv(65536):
                answer += part
        return answer


def post(body, extra=b"", length=None, path=b"/embed"):
    length = len(body) if length is None else length
    return (b"POST " + path + b" HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n" + extra +
            b"Content-Length: %d\r\n\r\n" % length + body)


def test_pipelined_requests_are_answered_in_their_order(server):
    bodies = [json.dumps({"inputs": "a " * n}).encode() for n in (90, 1, 40)]
    expected = [server.ask("POST", "/embed", body, JSON)[2] for body in bodies]
    sent = b"".join(post(body) for body in bodies[:2]) + post(bodies[2], b"Connection: close\r\n")
    answer = exchange(server, sent)
    places = [answer.find(text) for text in expected]
    assert answer.count(b"HTTP/1.1 200 OK") == 3 and -1 not in places and places == sorted(places)


@pytest.mark.parametrize("head", [
    b"Content-Length: 15\r\nTransfer-Encoding: chunked\r\n", b"Content-Length: 5\r\nContent-Length: 15\r\n",
    b"Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n", b"Transfer-Encoding: xchunked\r\n",
    b"Transfer-Encoding : chunked\r\n", b"Content-Length: +15\r\n", b"Content-Length: 15\r\n Folded: x\r\n"])
def test_a_request_with_two_meanings_is_none(server, head):
    hidden = b"GET /v1/models HTTP/1.1\r\nHost: x\r\n\r\n"
    answer = exchange(server, b"POST /embed HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n" + head +
                      b"\r\n" + b'0\r\n\r\n' + hidden)
    assert answer.startswith((b"HTTP/1.1 400 ", b"HTTP/1.1 501 ")), answer
    assert answer.count(b"HTTP/1.1") == 1 and b'"object":"list"' not in answer


def test_slow_heads_and_bodies_end_after_their_time(server):
    timeouts = server.metric("m2_connection_timeouts_total")
    for limit, begun in (("header_seconds", b"POST /embed HT"), ("body_seconds", post(b'{"inputs"', length=100))):
        reached = server.reached(limit)
        answer = exchange(server, begun)
        assert answer == b"" or answer.startswith(b"HTTP/1.1 408 "), answer
        assert server.reached(limit) == reached + 1
    assert server.metric("m2_connection_timeouts_total") == timeouts + 2


def test_a_client_that_never_reads_is_left(server):
    # Answers of several MB, more than the system's own buffers take.
    body = json.dumps({"inputs": ["a b c d e f g h i j"] * 2000}).encode()
    with contextlib.closing(server.socket()) as client:
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        timeouts = server.metric("m2_connection_timeouts_total")
        for _ in range(3):
            client.sendall(post(body, path=b"/embed_all"))
        wait_until(lambda: server.metric("m2_connection_timeouts_total") > timeouts, "it was left")
        wait_until(lambda: server.metric("m2_held_bytes") == 0, "its bodies are gone")
        assert server.reached("write_seconds") == 1


def test_a_client_that_closes_half_way_through_a_body(server):
    for cut in (10, 150, 200):
        with contextlib.closing(server.socket()) as client:
            client.sendall(post(b'{"inputs": "' + b"a " * 100 + b'"}')[:cut])
            client.shutdown(socket.SHUT_WR)
            client.settimeout(10)
            answer = client.recv(65536)
            assert answer == b"" or answer.startswith(b"HTTP/1.1 4"), answer


def test_random_bytes_and_random_cuts(server):
    chance = random.Random(5)
    valid = post(b'{"inputs": ["a b", "c"]}')
    for _ in range(150):
        sent = bytearray(valid)
        for _ in range(chance.randrange(1, 6)):
            place = chance.randrange(len(sent))
            sent[place:place + chance.randrange(3)] = chance.randbytes(chance.randrange(4))
        with contextlib.closing(server.socket()) as client, contextlib.suppress(OSError):
            client.sendall(bytes(sent))
            client.shutdown(socket.SHUT_WR)
            client.recv(1000)
