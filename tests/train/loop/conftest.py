"""A small vocabulary and a small dataset, made once."""

import pytest
from training import TEXTS, TRAINER, m2, needs_trainer  # noqa: F401


@pytest.fixture(scope="session")
def data(tmp_path_factory):
    """A folder with `tokenizer` (400 tokens) and `shards` (samples of 32 tokens)."""
    if not TRAINER.exists():
        pytest.skip("m2-train is not built (make train)")
    folder = tmp_path_factory.mktemp("data")
    text = folder / "text.jsonl"
    text.write_text("".join(TEXTS))
    m2("tokenizer", "train", "--vocab-size", 400, "--output", folder / "tokenizer", text)
    m2("data", "build", "--tokenizer", folder / "tokenizer", "--length", 32, "--valid-fraction", 0.1,
       "--output", folder / "shards", text)
    return folder
