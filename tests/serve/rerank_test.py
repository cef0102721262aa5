"""/rerank against BertForSequenceClassification of `transformers`: a random cross-encoder."""

import os

os.environ["HF_HUB_OFFLINE"] = "1"

import bert_folder
import numpy
import pytest
import torch
from server_calls import Server
from transformers import BertConfig, BertForSequenceClassification, BertTokenizerFast

BOUND = 2e-5  # of scores around 1, for sums in fp32 in another order; found is 1e-6
LONGEST = 130
QUERY = "Was the gate open?"
TEXTS = ["The gate was open.", "", "a", "She said: naïve CAFÉ, 東京!", "The house [SEP] and its garden", "gate " * 100]


def make(folder, labels):
    torch.manual_seed(3)
    config = BertConfig(vocab_size=8192, hidden_size=48, num_hidden_layers=2, num_attention_heads=3,
                        intermediate_size=96, max_position_embeddings=LONGEST, initializer_range=0.3, num_labels=labels)
    model = BertForSequenceClassification(config).eval()
    return bert_folder.save(model, folder)


@pytest.fixture(scope="module")
def judge(tmp_path_factory):
    folder = tmp_path_factory.mktemp("models") / "judge"
    return folder, make(folder, 1)


@pytest.fixture(scope="module")
def server(judge):
    with Server(judge[0]) as server:
        yield server


def logits(judge, query, texts, side="right"):
    folder, model = judge
    tokenizer = BertTokenizerFast.from_pretrained(folder, truncation_side=side)
    options = {"return_tensors": "pt", "truncation": "longest_first", "max_length": LONGEST}
    with torch.no_grad():  # a list of pairs: in a pair by itself an empty text would not count as one
        return numpy.array([model(**tokenizer([[query, text]], **options)).logits[0, 0] for text in texts])


def rank(server, texts, **fields):
    """Scores in the order of the texts; the answer must be in the order of the scores."""
    answer = server.post("/rerank", {"query": QUERY, "texts": texts} | fields)
    scores = [entry["score"] for entry in answer]
    assert scores == sorted(scores, reverse=True)
    assert sorted(entry["index"] for entry in answer) == list(range(len(texts)))
    for entry in answer:
        assert entry.get("text") == (texts[entry["index"]] if fields.get("return_text") else None)
    found = numpy.zeros(len(texts))
    found[[entry["index"] for entry in answer]] = scores
    return found


def test_scores(server, judge):
    expected = logits(judge, QUERY, TEXTS)
    assert numpy.ptp(expected) > 0.1
    assert numpy.allclose(rank(server, TEXTS, raw_scores=True), expected, rtol=0, atol=BOUND)
    assert numpy.allclose(rank(server, TEXTS), 1 / (1 + numpy.exp(-expected)), rtol=0, atol=BOUND)
    rank(server, TEXTS, return_text=True)
    assert server.json("GET", "/info")["model_type"].keys() == {"reranker"}


def test_another_query_gives_other_scores(server, judge):
    """The negative control: which of the two texts is which is heard."""
    found = rank(server, [TEXTS[0]], raw_scores=True)
    for query, text in (("Was the gate shut?", TEXTS[0]), (TEXTS[0], QUERY)):
        assert abs(logits(judge, query, [text]) - found) > 100 * BOUND


def test_equal_scores_keep_their_order(server):
    answer = server.post("/rerank", {"query": QUERY, "texts": ["a", "a", TEXTS[0], "a"]})
    assert [entry["index"] for entry in answer if entry["index"] != 2] == [0, 1, 3]


def test_pairs_that_are_too_long(server, judge):
    texts = ["gate " * 200 + "open"]
    error = server.post("/rerank", {"query": QUERY, "texts": ["a", *texts]}, status=413)["error"]
    assert error.startswith("texts[1]: ") and "130" in error
    for side in ("right", "left"):
        found = rank(server, texts, truncate=True, truncation_direction=side.capitalize(), raw_scores=True)
        assert numpy.allclose(found, logits(judge, QUERY, texts, side), rtol=0, atol=BOUND)
    assert abs(logits(judge, QUERY, texts, "left") - logits(judge, QUERY, texts)) > 100 * BOUND


@pytest.mark.parametrize("fields", [
    {}, {"query": "a"}, {"texts": ["a"]}, {"query": 3, "texts": ["a"]}, {"query": "a", "texts": []},
    {"query": "a", "texts": "a"}, {"query": "a", "texts": ["a", 3]}, {"query": "a", "texts": ["a"], "raw_scores": 1}])
def test_wrong_fields(server, fields):
    assert server.post("/rerank", fields, status=422)["error_type"] == "Validation"


@pytest.mark.parametrize("labels", [None, 3])
def test_models_that_do_not_rank_say_so(model, tmp_path, labels):
    folder = model
    if labels:
        folder = tmp_path / "judge"
        make(folder, labels)
    with Server(folder) as server:
        answer = server.post("/rerank", {"query": "a", "texts": ["a"]}, status=424)
        assert "no re-ranker" in answer["error"] and answer["error_type"] == "Backend"
        assert server.json("GET", "/info")["model_type"].keys() == {"embedding"}
