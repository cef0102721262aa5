"""Every route against `m2 embed`, to the bit: models, names, prompts, cuts, and what is said of them."""

import json
import shutil

import numpy
import pytest
from m2_program import HIDDEN, MAX_LENGTH, VOCABULARY, ids_of, init, same_bits, save_ids, vectors
from server_calls import Server, decode
from tokenizers import BertWordPieceTokenizer

TEXTS = ["The gate was open.", "a", "She said: naïve CAFÉ, 東京!", "The house [SEP] and its garden", "gate " * 90]
LONG = "open " + "gate " * 150 + "garden"
LONG_TOKENS = 154
PROMPTS = {"query": "query: ", "passage": "Represent the passage: "}


@pytest.fixture(scope="module")
def padded(tmp_path_factory):
    """Other weights, under the contract `max_length`."""
    folder = tmp_path_factory.mktemp("models")
    return init(folder, folder / "padded", padding="max_length", seed=2)


@pytest.fixture(scope="module")
def prompted(model, tmp_path_factory):
    """A model in the sentence-transformers layout, with prompts."""
    folder = tmp_path_factory.mktemp("models") / "prompted"
    shutil.copytree(model, folder)
    modules = [{"idx": 0, "name": "0", "path": "", "type": "sentence_transformers.models.Transformer"},
               {"idx": 1, "name": "1", "path": "1_Pooling", "type": "sentence_transformers.models.Pooling"}]
    (folder / "modules.json").write_text(json.dumps(modules))
    (folder / "1_Pooling").mkdir()
    (folder / "1_Pooling/config.json").write_text(json.dumps(
        {"word_embedding_dimension": HIDDEN, "pooling_mode_mean_tokens": True, "pooling_mode_cls_token": False}))
    (folder / "config_sentence_transformers.json").write_text(json.dumps(
        {"prompts": PROMPTS, "default_prompt_name": "query"}))
    return folder


@pytest.fixture(scope="module")
def server(model, padded, prompted):
    with Server(model, "--model-id", padded, "--model-id", prompted, "--alias", "of-the-first",
                "--alias", f"an-org/of-the-second={padded}") as server:
        yield server


@pytest.fixture(scope="module", params=["none", "padded", "prompted"])
def served(request, model, padded, prompted):
    """A model's folder and its name."""
    return {"none": model, "padded": padded, "prompted": prompted}[request.param], request.param


def numbers(rows):
    return numpy.array(rows, dtype=numpy.float32)


def embed(server, texts, path="/embed", **fields):
    return numbers(server.post(path, {"inputs": texts} | fields))


# Vectors


def test_vectors_of_the_openai_routes(server, served):
    folder, name = served
    expected = vectors(folder, *TEXTS)
    for path in ("/v1/embeddings", "/api/v1/embeddings"):
        for form, read in (("float", numbers), ("base64", decode), (None, numbers)):
            answer = server.post(path, {"model": name, "input": TEXTS, "encoding_format": form})
            assert [entry["index"] for entry in answer["data"]] == list(range(len(TEXTS)))
            assert same_bits(numpy.stack([read(entry["embedding"]) for entry in answer["data"]]), expected)
        answer = server.post(path, {"model": name, "input": TEXTS[2]})
        assert same_bits(numbers([answer["data"][0]["embedding"]]), expected[2:3])


def test_vectors_of_the_inference_routes(server, served):
    folder, name = served
    for scale, words in ((None, "true"), (True, "true"), (False, "false")):
        expected = vectors(folder, "--normalize", words, *TEXTS)
        for path in ("/embed", "/"):
            assert same_bits(embed(server, TEXTS, path, model=name, normalize=scale), expected)
            assert same_bits(embed(server, TEXTS[1], path, model=name, normalize=scale), expected[1:2])


def test_vectors_of_each_token(server, model):
    for scale, words in ((None, "false"), (True, "true"), (False, "false")):
        found = server.post("/embed_all", {"inputs": TEXTS[:4], "normalize": scale})
        for text, rows in zip(TEXTS, found):
            assert same_bits(numbers(rows), vectors(model, "--pooling", "none", "--normalize", words, text)[0])


def test_fewer_dimensions_of_each_token(server, model):
    found = server.post("/embed_all", {"inputs": TEXTS[:1], "dimensions": 7})
    assert same_bits(numbers(found[0]), vectors(model, "--pooling", "none", "--normalize", "false", TEXTS[0])[0][:, :7])


def test_fewer_dimensions(server, model):
    raw = vectors(model, *TEXTS)
    whole = vectors(model, "--normalize", "true", *TEXTS)
    for kept in (1, 7, HIDDEN):
        assert same_bits(embed(server, TEXTS, dimensions=kept, normalize=False), raw[:, :kept])
        scaled = raw[:, :kept] / numpy.linalg.norm(raw[:, :kept].astype(float), axis=1, keepdims=True)
        for found in (server.vectors(TEXTS, dimensions=kept), embed(server, TEXTS, dimensions=kept)):
            assert numpy.allclose(found, scaled, rtol=0, atol=1e-6)
    assert same_bits(server.vectors(TEXTS, dimensions=HIDDEN), whole)
    assert same_bits(server.vectors(TEXTS), raw)


def test_similarity(server, model):
    whole = vectors(model, *TEXTS).astype(float)
    whole /= numpy.linalg.norm(whole, axis=1, keepdims=True)
    body = {"inputs": {"source_sentence": TEXTS[2], "sentences": TEXTS}}
    for path in ("/similarity", "/"):
        found = server.post(path, body)
        assert numpy.allclose(found, whole @ whole[2], rtol=0, atol=1e-6)
        assert abs(found[2] - 1) < 1e-6


# What is said beside the vectors


def test_pads_are_computed_and_not_charged(server, served):
    folder, name = served
    prompt = PROMPTS["query"] if name == "prompted" else ""
    tokens = [len(ids_of(folder, prompt + text)) for text in TEXTS]
    computed = MAX_LENGTH * len(TEXTS) if name == "padded" else sum(tokens)
    status, headers, text = server.ask("POST", "/v1/embeddings", {"model": name, "input": TEXTS})
    assert status == 200
    assert json.loads(text)["usage"] == {"prompt_tokens": sum(tokens), "total_tokens": sum(tokens)}
    assert headers["x-compute-tokens"] == str(computed)
    assert headers["x-compute-characters"] == str(sum(map(len, TEXTS)))
    assert "x-truncated-inputs" not in headers
    for name in ("compute", "total", "tokenization", "queue", "inference"):
        assert int(headers[f"x-{name}-time"]) >= 0


def test_names(server, model, padded):
    first, second = vectors(model, TEXTS[0]), vectors(padded, TEXTS[0])
    assert not same_bits(first, second)
    for name, expected in (("none", first), ("of-the-first", first), (None, first), ("padded", second),
                           ("an-org/of-the-second", second)):
        answer = server.post("/v1/embeddings", {"model": name, "input": TEXTS[0]})
        assert answer["model"] == (name or "none")
        assert same_bits(numbers([answer["data"][0]["embedding"]]), expected)
    listed = server.json("GET", "/v1/models")
    assert [entry["id"] for entry in listed["data"]] == \
        ["none", "of-the-first", "padded", "an-org/of-the-second", "prompted"]
    assert listed == server.json("GET", "/api/v1/models")
    error = server.post("/v1/embeddings", {"model": "None", "input": "a"}, status=404)["error"]
    assert (error["code"], error["param"]) == ("model_not_found", "model")
    assert "none, padded, prompted" in error["message"]
    info = server.json("GET", "/info")
    assert (info["model_id"], info["padding"], info["max_input_length"], info["dimensions"]) == \
        ("none", "none", MAX_LENGTH, HIDDEN)


# Prompts and cuts


def test_prompts(server, prompted):
    texts = TEXTS[:3]
    for name in (None, "query", "passage"):
        words = ["--prompt-name", name] if name else []
        expected = vectors(prompted, "--normalize", "true", *words, *texts)
        assert same_bits(embed(server, texts, model="prompted", prompt_name=name), expected)
    assert not same_bits(embed(server, texts, model="prompted", prompt_name="passage"),
                         embed(server, texts, model="prompted"))
    assert same_bits(server.vectors(texts, model="prompted"), vectors(prompted, *texts))
    error = server.post("/embed", {"inputs": "a", "model": "prompted", "prompt_name": "none"}, status=422)["error"]
    assert "passage" in error and "query" in error


def test_a_default_prompt_that_cannot_be_served_is_the_requests_error(prompted, tmp_path):
    folder = tmp_path / "pools-without-prompt"
    shutil.copytree(prompted, folder)
    pooling = folder / "1_Pooling/config.json"
    pooling.write_text(json.dumps(json.loads(pooling.read_text()) | {"include_prompt": False}))
    with Server(folder) as server:
        answer = server.post("/v1/embeddings", {"input": "a"}, status=400)
        assert "include_prompt" in answer["error"]["message"]


def test_cuts_are_asked_for_and_told(server, model, prompted):
    expected = vectors(model, "--truncate", "end", TEXTS[0], LONG)
    status, headers, text = server.ask("POST", "/v1/embeddings", {"input": [TEXTS[0], LONG], "truncate": True})
    answer = json.loads(text)
    assert status == 200 and headers["x-truncated-inputs"] == "1"
    assert answer["usage"] == {"prompt_tokens": len(ids_of(model, TEXTS[0])) + MAX_LENGTH,
                               "total_tokens": len(ids_of(model, TEXTS[0])) + MAX_LENGTH,
                               "truncated_inputs": 1, "truncated_tokens": LONG_TOKENS - MAX_LENGTH}
    assert same_bits(numbers([entry["embedding"] for entry in answer["data"]]), expected)
    for side, words in ((None, "end"), ("Right", "end"), ("Left", "start"), ("left", "start")):
        for folder, name in ((model, "none"), (prompted, "prompted")):
            found = embed(server, LONG, model=name, truncate=True, truncation_direction=side)
            assert same_bits(found, vectors(folder, "--normalize", "true", "--truncate", words, LONG))


def test_without_being_asked_nothing_is_cut(server, model):
    error = server.post("/v1/embeddings", {"input": ["a", LONG]}, status=400)["error"]
    assert (error["code"], error["param"]) == ("context_length_exceeded", "input[1]")
    assert str(LONG_TOKENS) in error["message"] and str(MAX_LENGTH) in error["message"]
    error = server.post("/embed", {"inputs": LONG, "truncate": False}, status=413)
    assert error["error_type"] == "Validation" and str(LONG_TOKENS) in error["error"]
    with Server(model, "--auto-truncate", "--max-input-tokens", 100) as cutting:
        status, headers, _ = cutting.ask("POST", "/embed", {"inputs": [LONG, LONG, "a"]})
        assert status == 200 and headers["x-truncated-inputs"] == "2"
        assert headers["x-compute-tokens"] == str(100 + 100 + 3)
        error = cutting.post("/embed", {"inputs": LONG, "truncate": False}, status=413)["error"]
        assert str(LONG_TOKENS) in error and "100" in error


# Token ids


def of_ids(model, folder, *rows):
    return numpy.concatenate([vectors(model, "--input-ids", save_ids(folder, [row])) for row in rows])


def test_token_ids(server, model, tmp_path):
    rows = [ids_of(model, text) for text in TEXTS]
    assert same_bits(server.vectors(rows), vectors(model, *TEXTS))
    assert same_bits(server.vectors(rows[2]), vectors(model, TEXTS[2]))
    first, last = rows[0][0], rows[0][-1]
    cut = [first, *range(10, 10 + MAX_LENGTH - 2), last]
    long = [*cut[:-1], 500, 501, last]
    error = server.post("/v1/embeddings", {"input": long}, status=400)["error"]
    assert error["code"] == "context_length_exceeded" and "130" in error["message"]
    assert same_bits(server.vectors(long, truncate=True), of_ids(model, tmp_path, cut))


def test_ids_without_special_tokens_are_taken_where_the_server_was_told_so(server, model, tmp_path):
    first, *own, last = ids_of(model, TEXTS[0])
    bare = [own, [first, *own], [*own, last], [own[0]]]
    for ids in bare:
        for given in (ids, [[first, last], ids]):
            error = server.post("/v1/embeddings", {"input": given}, status=400)["error"]
            assert "check_embedding_ctx_length=False" in error["message"]
    with Server(model, "--allow-bare-ids") as lax:
        assert same_bits(lax.vectors(bare), of_ids(model, tmp_path, *bare))
        for ids in ([8192], [-1], [2.5]):
            error = lax.post("/v1/embeddings", {"input": ids}, status=400)["error"]
            assert "8192" in error["message"]
        assert same_bits(lax.vectors([float(own[0])]), of_ids(model, tmp_path, [own[0]]))


# Tokens


@pytest.mark.parametrize("special", [None, True, False])
def test_tokens(server, special):
    oracle = BertWordPieceTokenizer(str(VOCABULARY), lowercase=True)
    texts = [*TEXTS, "", "  ", "unbelievablyodd", LONG]
    found = server.post("/tokenize", {"inputs": texts, "add_special_tokens": special})
    for text, tokens in zip(texts, found):
        encoding = oracle.encode(text, add_special_tokens=special is not False)
        assert [token["id"] for token in tokens] == encoding.ids
        assert [token["text"] for token in tokens] == encoding.tokens
        assert [token["special"] for token in tokens] == [mask == 1 for mask in encoding.special_tokens_mask]
        spans = [(token["start"], token["stop"]) for token in tokens]
        assert spans == [(None, None) if mask else span
                         for span, mask in zip(encoding.offsets, encoding.special_tokens_mask)]


def test_tokens_behind_a_prompt(server):
    def ids(model, **fields):
        return [token["id"] for token in server.post("/tokenize", {"inputs": "a gate", "model": model} | fields)[0]]

    assert ids("prompted") == ids("prompted", prompt_name="query") != ids("none")
    whole = server.post("/tokenize", {"inputs": PROMPTS["passage"] + "a gate", "model": "none"})[0]
    assert ids("prompted", prompt_name="passage") == [token["id"] for token in whole]
