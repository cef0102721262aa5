"""`m2 train` without the program that trains."""

import shutil
import subprocess

import pytest
from m2_program import FAILED, PROGRAM, check_refusal


@pytest.mark.parametrize("words", [("train",), ("train", "mlm", "x.yaml"), ("train", "--help"), ("bench", "train", "--json")])
def test_it_says_what_to_do(tmp_path, words):
    alone = tmp_path / "m2"
    shutil.copy(PROGRAM, alone)
    done = subprocess.run([alone, *words], capture_output=True, env={"PATH": "/usr/bin:/bin"})
    check_refusal(done, FAILED, says=["m2-train", "make train"])


def test_words_are_handed_over_as_they_are(tmp_path):
    alone = tmp_path / "m2"
    shutil.copy(PROGRAM, alone)
    trainer = tmp_path / "m2-train"
    trainer.write_text('#!/bin/sh\nprintf "%s|" "$@"\nexit 7\n')
    trainer.chmod(0o755)
    words = ["mlm", "a file.yaml", "key={a: b}", "--resume", "--help"]
    done = subprocess.run([alone, "train", *words], capture_output=True, text=True)
    assert done.returncode == 7
    assert done.stdout == "".join(f"{word}|" for word in words)
    done = subprocess.run([alone, "bench", "train", "--lengths", "16"], capture_output=True, text=True)
    assert done.stdout == "bench|--lengths|16|"
