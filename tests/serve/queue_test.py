"""Who is computed when, what a full queue says, and what ends with a deadline, a client or the server."""

import contextlib
import json
import signal
import threading

import numpy
import pytest
from m2_program import embed, init, same_bits, vectors
from safetensors.numpy import load_file, save_file
from server_calls import Server, decode, wait_until

pytestmark = [pytest.mark.asan, pytest.mark.tsan]

LONG = 4000  # tokens: takes tenths of a second


def letters(tokens):
    """A text of so many tokens, the special ones included."""
    return " ".join("abcdefgh"[i % 8] for i in range(tokens - 2))


@pytest.fixture(scope="module")
def slow_model(tmp_path_factory):
    folder = tmp_path_factory.mktemp("slow")
    config = {"hidden_size": 256, "intermediate_size": 1024, "num_hidden_layers": 12,
              "long_conv_l_max": 4096, "max_position_embeddings": 4096}
    return init(folder, folder / "slow", length=4096, config=config)


class Call(threading.Thread):
    """A request on a thread of its own."""

    def __init__(self, server, texts, headers=None):
        super().__init__()
        self.server, self.texts, self.headers = server, texts, headers
        self.status = None
        self.start()

    def run(self):
        body = {"input": self.texts, "encoding_format": "base64"}
        try:
            self.status, self.answer_headers, self.text = self.server.ask(
                "POST", "/v1/embeddings", body, self.headers)
        except OSError as error:
            self.status = error

    def vectors(self):
        assert self.status == 200, (self.status, self.text)
        return numpy.stack([decode(entry["embedding"]) for entry in json.loads(self.text)["data"]])


def queued(server):
    return server.metric("m2_queue_requests")


def test_a_full_queue_says_when_to_come_back(slow_model):
    with Server(slow_model, "--max-queue-tokens", LONG + 100) as server:
        first = Call(server, letters(LONG))
        wait_until(lambda: queued(server) == 1, "the request is in the queue")
        status, headers, text = server.ask("POST", "/v1/embeddings", {"input": letters(LONG)})
        assert status == 429, text
        assert json.loads(text)["error"]["code"] == "rate_limit_exceeded"
        assert int(headers["Retry-After"]) >= 1
        status, _, text = server.ask("POST", "/embed", {"inputs": letters(LONG)})
        assert status == 429 and json.loads(text)["error_type"] == "Overloaded"
        first.join()
        assert first.status == 200
        assert server.reached("queue_tokens") == 2
        assert server.metric("m2_queue_tokens") == 0


def test_large_requests_that_wait_keep_no_one_out(slow_model):
    with Server(slow_model, "--max-queue-tokens", 2 * LONG, "--max-backlog-tokens", 10 * LONG) as server:
        large = Call(server, [letters(LONG)] * 11)
        wait_until(lambda: queued(server) == 1, "the large request is in the queue")
        more = server.post("/v1/embeddings", {"input": [letters(LONG)] * 4}, status=429)
        assert "large requests" in more["error"]["message"]
        server.post("/v1/embeddings", {"input": "a short text"})
        assert large.status is None, "the short text waited for the large request"
        too_large = server.post("/v1/embeddings", {"input": [letters(LONG)] * 12}, status=400)
        assert too_large["error"]["code"] == "request_too_large"
        large.join()
        assert large.status == 200
        assert server.reached("backlog_tokens") == 1


def test_a_deadline_ends_a_request_and_its_work(slow_model):
    with Server(slow_model) as server:
        error = server.post("/v1/embeddings", {"input": [letters(LONG)] * 50}, status=504,
                            headers={"x-request-timeout": "0.3"})
        assert error["error"]["code"] == "timeout"
        wait_until(lambda: server.metric("m2_backlog_tokens") == 0, "the work was dropped")
        assert server.metric("m2_computed_texts_total") < 50
        assert server.reached("request_seconds") == 1
        for wrong in ("soon", "-1", "0", "1e", "nan"):
            server.post("/v1/embeddings", {"input": "a"}, status=400, headers={"x-request-timeout": wrong})
        # The server's own limit holds where a client asks for more.
        server.post("/v1/embeddings", {"input": "a"}, headers={"x-request-timeout": "1e9"})
    with Server(slow_model, "--request-timeout", "0.3") as server:
        server.post("/v1/embeddings", {"input": [letters(LONG)] * 50}, status=504,
                    headers={"x-request-timeout": "1000"})


def test_work_for_a_client_that_left_is_dropped(slow_model):
    with Server(slow_model) as server:
        body = json.dumps({"input": [letters(LONG)] * 50}).encode()
        with contextlib.closing(server.socket()) as client:
            client.sendall(b"POST /v1/embeddings HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
                           b"Content-Length: %d\r\n\r\n" % len(body) + body)
            wait_until(lambda: queued(server) == 1, "the request is in the queue")
        wait_until(lambda: queued(server) == 0, "the request was dropped")
        wait_until(lambda: server.metric("m2_backlog_tokens") == 0, "its room is back")
        assert server.metric("m2_computed_texts_total") < 50
        wait_until(lambda: [line for line in server.log if line.get("status") == 499], "499 in the log")


def test_requests_computed_together_have_the_bits_of_each_alone(slow_model):
    texts = [letters(n) for n in (3, 17, 64, 65, 130, 700, 1500)]
    expected = vectors(slow_model, *texts)
    with Server(slow_model) as server:
        calls = [Call(server, [text, texts[0]]) for text in texts * 3]
        for call in calls:
            call.join()
        for i, call in enumerate(calls):
            assert same_bits(call.vectors(), expected[[i % len(texts), 0]])
        # Some were: fewer batches than texts.
        assert server.metric("m2_batch_tokens_count") < server.metric("m2_computed_texts_total")


def test_one_text_that_fails_spoils_no_other(model, tmp_path):
    folder = tmp_path / "overflowing"
    folder.mkdir()
    for file in model.iterdir():
        (folder / file.name).write_bytes(file.read_bytes())
    weights = load_file(folder / "model.safetensors")
    name = next(key for key in weights if key.endswith("word_embeddings.weight"))
    vocabulary = (folder / "vocab.txt").read_text().split("\n")
    weights[name][vocabulary.index("q")] = 3e38
    save_file(weights, folder / "model.safetensors")
    good = vectors(folder, "a", "b c")
    with Server(folder) as server:
        error = server.post("/v1/embeddings", {"input": ["a", "q", "b c"]}, status=500)["error"]
        assert error["param"] == "input[1]" and "NaN" in error["message"]
        assert server.post("/embed", {"inputs": ["a", "q"]}, status=424)["error_type"] == "Backend"
        data = server.post("/v1/embeddings", {"input": ["a", "q", "b c"], "encoding_format": "base64",
                                              "per_input_errors": True})["data"]
        assert [entry["object"] for entry in data] == ["embedding", "error", "embedding"]
        assert "NaN" in data[1]["error"]["message"]
        assert same_bits(numpy.stack([decode(data[i]["embedding"]) for i in (0, 2)]), good)


def test_sigterm_loses_no_request_that_was_taken(slow_model):
    expected = embed(slow_model, letters(500))[0]["embedding"]
    with Server(slow_model, "--shutdown-timeout", 60) as server:
        calls = [Call(server, [letters(500)] * 4) for _ in range(12)]
        wait_until(lambda: queued(server) == 12, "all are in the queue")
        assert server.stop() == 0
        for call in calls:
            call.join()
            assert all(same_bits(vector, expected) for vector in call.vectors())


def test_the_shutdown_timeout_ends_what_takes_longer(slow_model):
    with Server(slow_model, "--shutdown-timeout", 0.2) as server:
        call = Call(server, [letters(LONG)] * 60)
        wait_until(lambda: queued(server) == 1, "it is in the queue")
        assert server.stop() == 0
        call.join()
        assert call.status == 503


def test_a_killed_server_starts_again_at_its_place(model):
    with Server(model) as server:
        port = server.port
        server.process.send_signal(signal.SIGKILL)
        assert server.wait() == -signal.SIGKILL
    with Server(model, port=port) as server:
        assert server.port == port
        server.post("/v1/embeddings", {"input": "a"})


def test_before_the_model_is_there_requests_are_sent_away(tmp_path):
    config = {"hidden_size": 256, "intermediate_size": 1024, "num_hidden_layers": 12,
              "long_conv_l_max": 16384, "max_position_embeddings": 16384}
    padded = init(tmp_path, tmp_path / "padded", length=16384, padding="max_length", config=config)
    with Server(padded, ready=False) as server:
        assert server.ask("GET", "/health")[0] == 200
        status, headers, text = server.ask("GET", "/ready")
        assert (status, json.loads(text)) == (503, {"status": "loading"}) and headers["Retry-After"]
        error = server.post("/v1/embeddings", {"input": "a"}, status=503)["error"]
        assert error["code"] == "not_ready"
        assert server.post("/embed", {"inputs": "a"}, status=503)["error_type"] == "Unhealthy"
        assert not server.json("GET", "/v1/models")["data"][0]["ready"]
        server.wait_for("ready: ")
        assert server.ask("GET", "/ready")[0] == 200
        assert any("weights read in" in line for line in server.messages())
        assert any("filters included" in line for line in server.messages())


def test_a_model_that_cannot_be_loaded_ends_the_server(model, tmp_path):
    folder = tmp_path / "broken"
    folder.mkdir()
    (folder / "config.json").write_bytes((model / "config.json").read_bytes())
    (folder / "model.safetensors").write_bytes(b"no weights")
    server = Server(folder, ready=False)
    assert server.wait() == 3
    assert server.messages()[-1].startswith("m2: error: ")
