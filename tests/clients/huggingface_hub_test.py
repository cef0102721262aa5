"""The hub's client of text-embeddings-inference: it posts to "/"."""

import numpy
import pytest
from client_calls import KEY, TEXTS, check_bits
from huggingface_hub import InferenceClient
from huggingface_hub.errors import HfHubHTTPError
from m2_program import vectors


@pytest.fixture(scope="module")
def client(server):
    return InferenceClient(model=server.url, token=KEY)


@pytest.mark.parametrize("normalize", [None, True, False])
def test_vectors(client, model, normalize):
    scaled = "false" if normalize is False else "true"
    expected = vectors(model, "--normalize", scaled, *TEXTS)
    for text, vector in zip(TEXTS, expected):
        check_bits(client.feature_extraction(text, normalize=normalize), vector[None])
    check_bits(client.feature_extraction(TEXTS, normalize=normalize), expected)


def test_truncation(client, model):
    text = "gate " * 200
    with pytest.raises(HfHubHTTPError, match="413"):
        client.feature_extraction(text)
    for direction, side in (("right", "end"), ("left", "start")):
        found = client.feature_extraction("open " + text, truncate=True, truncation_direction=direction)
        check_bits(found, vectors(model, "open " + text, "--truncate", side, "--normalize", "true"))


def test_similarity(client, expected):
    found = client.sentence_similarity(TEXTS[0], other_sentences=TEXTS)
    scaled = expected.astype(float) / numpy.linalg.norm(expected.astype(float), axis=1, keepdims=True)
    assert numpy.allclose(found, scaled @ scaled[0], rtol=0, atol=1e-6)


def test_a_wrong_key(server):
    with pytest.raises(HfHubHTTPError, match="401"):
        InferenceClient(model=server.url, token="another").feature_extraction("a")
