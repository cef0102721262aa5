"""Many requests, and many more than can be computed: answers of the right kind, and no memory that grows."""

import concurrent.futures
import json
import random
import threading
import time

import pytest
from m2_program import init
from server_calls import Server

REQUESTS = 20_000
WARM_UP = 10_000
CLIENTS = 8


def mixed_requests(count):
    """Paths and bodies of all kinds, bad ones among them."""
    chance = random.Random(7)
    for _ in range(count):
        text = " ".join(chance.choices("abcdefgh", k=chance.choice((1, 5, 20, 60, 126))))
        texts = [text] * chance.choice((1, 1, 1, 2, 7))
        yield chance.choice((
            ("/v1/embeddings", {"input": texts, "encoding_format": "base64"}),
            ("/v1/embeddings", {"input": text}),
            ("/v1/embeddings", {"input": text + " a" * 200}),  # too long
            ("/v1/embeddings", {"input": 3}),
            ("/embed", {"inputs": texts, "truncate": True}),
            ("/embed_all", {"inputs": text}),
            ("/similarity", {"inputs": {"source_sentence": "a", "sentences": texts}}),
            ("/tokenize", {"inputs": texts}),
            ("/not-there", {})))


def send_all(server, requests):
    """How many answers of each status; `CLIENTS` connections at once."""
    statuses, lock, requests = {}, threading.Lock(), iter(requests)

    def client():
        connection = server.connect()
        while True:
            with lock:
                request = next(requests, None)
            if request is None:
                return connection.close()
            path, body = request
            connection.request("POST", path, json.dumps(body), {"Content-Type": "application/json"})
            answer = connection.getresponse()
            answer.read()
            with lock:
                statuses[answer.status] = statuses.get(answer.status, 0) + 1

    with concurrent.futures.ThreadPoolExecutor(CLIENTS) as pool:
        for done in [pool.submit(client) for _ in range(CLIENTS)]:
            done.result()
    return statuses


@pytest.mark.slow
def test_twenty_thousand_requests_leave_memory_as_it_was(model):
    with Server(model) as server:
        send_all(server, mixed_requests(WARM_UP))
        before = server.resident()
        statuses = send_all(server, mixed_requests(REQUESTS))
        after = server.resident()
        print(f"RssAnon {before} {after} {after / before - 1:+.3%}, {statuses}")
        assert sum(statuses.values()) == REQUESTS
        assert set(statuses) <= {200, 400, 404, 413}
        assert after < 1.02 * before


@pytest.mark.slow
def test_an_overload_gives_answers_and_refusals_alone(tmp_path):
    """Many clients who ask again at once, whatever they are told."""
    config = {"hidden_size": 128, "intermediate_size": 512, "num_hidden_layers": 4}
    model = init(tmp_path, tmp_path / "model", config=config)
    text = " ".join("abcdefgh"[i % 8] for i in range(126))
    clients, limit, seconds = 64, 128 * 16, 20
    statuses, lock = {}, threading.Lock()
    with Server(model, "--max-queue-tokens", limit) as server:
        end = time.monotonic() + seconds

        def client():
            connection = server.connect()
            while time.monotonic() < end:
                connection.request("POST", "/embed", json.dumps({"inputs": text}),
                                   {"Content-Type": "application/json"})
                answer = connection.getresponse()
                answer.read()
                with lock:
                    statuses[answer.status] = statuses.get(answer.status, 0) + 1
            connection.close()

        with concurrent.futures.ThreadPoolExecutor(clients) as pool:
            for done in [pool.submit(client) for _ in range(clients)]:
                done.result()
        assert set(statuses) == {200, 429}, statuses
        assert server.metric("m2_queue_tokens") == 0
