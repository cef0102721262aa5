"""The library of operators, for tests that load it into PyTorch."""

import os
import pathlib

import pytest


@pytest.fixture(scope="session")
def operators():
    library = pathlib.Path(os.environ["M2_BUILD_DIR"]) / "libm2_torch_ops.so"
    if not library.exists():
        pytest.skip("built without training: no libm2_torch_ops.so")
    import torch
    torch.ops.load_library(library)
    return torch.ops.m2
