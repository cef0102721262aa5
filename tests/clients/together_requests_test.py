"""The call to the hosted API as its users write it with requests."""

import pytest
import requests
from client_calls import KEY, NAME, TEXTS, check_bits


def generate_embeddings(url, key, text):
    headers = {"accept": "application/json", "content-type": "application/json", "Authorization": f"Bearer {key}"}
    response = requests.post(f"{url}/api/v1/embeddings", headers=headers, json={"input": text, "model": NAME})
    response.raise_for_status()
    return response.json()["data"][0]["embedding"]


def test_vectors(server, expected):
    check_bits([generate_embeddings(server.url, KEY, text) for text in TEXTS], expected)


def test_errors(server):
    with pytest.raises(requests.HTTPError, match="401"):
        generate_embeddings(server.url, "another", "a")
    with pytest.raises(requests.HTTPError, match="400"):
        generate_embeddings(server.url, KEY, "gate " * 200)
