"""The openai package for Python."""

import numpy
import openai
import pytest
from client_calls import KEY, NAME, TEXTS, check_bits
from m2_program import HIDDEN, ids_of, vectors

LONG = "gate " * 200


@pytest.fixture(scope="module")
def client(server):
    return openai.OpenAI(base_url=f"{server.url}/v1", api_key=KEY, max_retries=0)


def embed(client, texts, **options):
    answer = client.embeddings.create(model=NAME, input=texts, **options)
    assert [entry.index for entry in answer.data] == list(range(len(answer.data)))
    return [entry.embedding for entry in answer.data]


@pytest.mark.parametrize("options", [{}, {"encoding_format": "float"}], ids=["as_it_asks_by_itself", "float"])
def test_vectors(client, expected, options):
    check_bits(embed(client, TEXTS, **options), expected)
    check_bits(embed(client, TEXTS[0], **options), expected[:1])


def test_base64_is_left_to_the_caller(client, expected):
    import base64
    for text, vector in zip(embed(client, TEXTS, encoding_format="base64"), expected):
        assert base64.b64decode(text, validate=True) == vector.astype("<f4").tobytes()


def test_what_is_said_beside_the_vectors(client, model):
    answer = client.embeddings.create(model=NAME, input=TEXTS, user="someone")
    tokens = sum(len(ids_of(model, text)) for text in TEXTS)
    assert (answer.model, answer.object) == (NAME, "list")
    assert (answer.usage.prompt_tokens, answer.usage.total_tokens) == (tokens, tokens)
    raw = client.embeddings.with_raw_response.create(model=NAME, input=TEXTS,
                                                     extra_headers={"x-request-id": "of-the-test"})
    assert raw.headers["x-compute-tokens"] == str(tokens)
    assert raw.parse()._request_id == "of-the-test"


def test_token_ids(client, model, expected):
    ids = [ids_of(model, text) for text in TEXTS]
    check_bits(embed(client, ids), expected)
    check_bits(embed(client, ids[2]), expected[2:3])


def test_many_inputs(client, model):
    texts = [f"{text} {number}" for number in range(80) for text in TEXTS[:3]]
    check_bits(embed(client, texts), vectors(model, *texts))


def test_dimensions_are_the_first_ones_normalised(client, expected):
    for dimensions in (1, 7, HIDDEN):
        cut = expected[:, :dimensions].astype(float)
        cut /= numpy.linalg.norm(cut, axis=1, keepdims=True)
        assert numpy.allclose(embed(client, TEXTS, dimensions=dimensions), cut, rtol=0, atol=1e-6)


def test_models(client):
    assert [model.id for model in client.models.list()] == ["small", NAME]


def test_concurrent_requests(server, expected):
    import asyncio

    async def ask():
        async with openai.AsyncOpenAI(base_url=f"{server.url}/v1", api_key=KEY, max_retries=0) as client:
            return await asyncio.gather(*(client.embeddings.create(model=NAME, input=text)
                                          for text in TEXTS * 8))

    found = [answer.data[0].embedding for answer in asyncio.run(ask())]
    check_bits(found, numpy.concatenate([expected] * 8))


def test_a_wrong_key(server):
    client = openai.OpenAI(base_url=f"{server.url}/v1", api_key=KEY + "x", max_retries=0)
    with pytest.raises(openai.AuthenticationError) as caught:
        embed(client, "a")
    assert caught.value.code == "invalid_api_key"


def test_another_model(client):
    with pytest.raises(openai.NotFoundError) as caught:
        client.embeddings.create(model="text-embedding-3-small", input="a")
    assert (caught.value.code, caught.value.param) == ("model_not_found", "model")
    assert NAME not in str(caught.value) and "small" in str(caught.value)


def test_a_long_text(client, model):
    with pytest.raises(openai.BadRequestError) as caught:
        embed(client, ["a", LONG])
    assert (caught.value.code, caught.value.param) == ("context_length_exceeded", "input[1]")
    assert "202" in str(caught.value) and "128" in str(caught.value)
    answer = client.embeddings.create(model=NAME, input=["a", LONG], extra_body={"truncate": True})
    check_bits([answer.data[1].embedding], vectors(model, LONG, "--truncate", "end"))
    assert answer.usage.truncated_inputs == 1 and answer.usage.truncated_tokens == 202 - 128


@pytest.mark.parametrize("given, param", [("", "input"), ([], "input"), (["a", ""], "input[1]"),
                                          ([5, 6], "input"), ([[2, 9, 3], [2, 10 ** 6, 3]], "input[1]")])
def test_bad_input(client, given, param):
    with pytest.raises(openai.BadRequestError) as caught:
        embed(client, given)
    assert caught.value.param == param
