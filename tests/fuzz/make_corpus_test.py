"""The seeds and dictionaries in this folder are those that make_corpus.py writes, and each fuzzer has some."""

import re
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
# Releases of Python's zipfile write these records differently.
OF_ITS_TIME = "corpus/torch_file_fuzz/zip64"


def files_in(folder):
    return {path.relative_to(folder).as_posix(): path.read_bytes()
            for kind in ("corpus", "dictionary") for path in (folder / kind).rglob("*") if path.is_file()}


def test_the_folder_is_what_the_script_writes(tmp_path):
    subprocess.run([sys.executable, "-B", HERE / "make_corpus.py", tmp_path], check=True)
    found, expected = files_in(tmp_path), files_in(HERE)
    assert found.keys() == expected.keys()
    for name in expected.keys() - {OF_ITS_TIME}:
        assert found[name] == expected[name], name


def test_each_fuzzer_has_seeds():
    fuzzers = re.findall(r"^m2_fuzzer\((\w+) ", (HERE / "CMakeLists.txt").read_text(), re.MULTILINE)
    assert len(fuzzers) > 5
    assert {path.name for path in (HERE / "corpus").iterdir()} == {f"{name}_fuzz" for name in fuzzers}
