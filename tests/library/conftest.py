"""The built tree installed under a temporary prefix, and the small model that the program's tests use."""

import os
import pathlib
import subprocess
import sys

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests/apps/m2"))

import m2_program  # noqa: E402

BUILD = ROOT / os.environ.get("M2_BUILD_DIR", "build/release")


@pytest.fixture(scope="session")
def prefix(tmp_path_factory):
    if not (BUILD / "libm2.so").exists():
        pytest.skip("the library is not built")
    folder = tmp_path_factory.mktemp("installed") / "first"
    subprocess.run(["cmake", "--install", BUILD, "--prefix", folder], check=True, capture_output=True)
    # What is installed may be moved.
    moved = folder.with_name("moved")
    folder.rename(moved)
    return moved


@pytest.fixture(scope="session")
def model(tmp_path_factory):
    folder = tmp_path_factory.mktemp("models")
    return m2_program.init(folder, folder / "none")
