"""The presets, made by `m2 init` with the published vocabulary, have the published numbers of parameters."""

import json
import shutil

import pytest
from m2_program import ROOT, succeed

VOCABULARY = ROOT.parent / "shared/data/vocab/bert-base-uncased-vocab.txt"
HIDDEN = {"m2-bert-80M": 768, "m2-bert-110M": 960, "m2-bert-260M": 1536, "m2-bert-341M": 1792}
slow = pytest.mark.slow  # writing these takes more than ten seconds


@pytest.mark.parametrize("preset, length, millions", [
    ("m2-bert-80M", 128, 79.6),
    ("m2-bert-80M", 32768, 104.7),
    ("m2-bert-110M", 128, 114.6),
    pytest.param("m2-bert-260M", 128, 256.7, marks=slow),
    pytest.param("m2-bert-341M", 128, 337.8, marks=slow),
])
def test_parameters(tmp_path, preset, length, millions):
    if not VOCABULARY.exists():
        pytest.skip(f"the published vocabulary is not here: {VOCABULARY.name}")
    folder = tmp_path / "model"
    succeed("init", "--preset", preset, "--length", length, "--vocab", VOCABULARY, "--seed", 1, folder,
            timeout=300)
    info = json.loads(succeed("info", "--model-id", folder, "--json"))
    shutil.rmtree(folder)  # up to 1.4 GB
    assert round(info["parameters"] / 1e6, 1) == millions
    assert info["max_length"] == length and info["padding"] == "none"
    assert info["num_hidden_layers"] == 12 and info["vocab_size"] == 30528
    assert info["hidden_size"] == HIDDEN[preset] and info["intermediate_size"] == 4 * HIDDEN[preset]
