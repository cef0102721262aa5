"""The checkpoint readers against torch, safetensors and numpy: the same names, dtypes, shapes, bytes.

Needs the program tests/checkpoint/checkpoint_probe of the build directory (M2_BUILD_DIR, by default
build/release).
"""

import collections
import datetime
import json
import os
import pathlib
import random
import subprocess
import zipfile

import numpy
import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file

ROOT = pathlib.Path(__file__).resolve().parents[2]
PROBE = ROOT / os.environ.get("M2_BUILD_DIR", "build/release") / "tests/checkpoint/checkpoint_probe"

DTYPES = {
    torch.float64: "fp64",
    torch.float32: "fp32",
    torch.float16: "fp16",
    torch.bfloat16: "bf16",
    torch.int64: "int64",
    torch.int32: "int32",
    torch.int16: "int16",
    torch.int8: "int8",
    torch.uint8: "uint8",
    torch.bool: "bool",
}


# Running both sides


def run(*words):
    return subprocess.run(
        [PROBE, *map(str, words)], capture_output=True, text=True, encoding="utf-8"
    )


def read(path, command="tensors"):
    """The probe's tensors, name to (dtype, shape, bytes), and the ignored classes."""
    done = run(command, path)
    assert done.returncode == 0, done.stderr
    tensors, ignored = {}, []
    for line in done.stdout.splitlines():
        name, *rest = line.split("\t")
        if len(rest) == 1:
            ignored.append(rest[0])
        else:
            tensors[name] = (rest[0], json.loads(rest[1]), bytes.fromhex(rest[2]))
    return tensors, ignored


def refusal(*words):
    done = run(*words)
    assert done.returncode == 3, (done.returncode, done.stderr)
    assert done.stderr.count("\n") == 1
    return done.stderr


def form(tensor):
    """A torch tensor in the probe's form."""
    flat = torch.zeros(tensor.numel(), dtype=tensor.dtype).copy_(tensor.detach().reshape(-1))
    return DTYPES[tensor.dtype], list(tensor.shape), flat.view(torch.uint8).numpy().tobytes()


def forms(tensors):
    return {name: form(tensor) for name, tensor in tensors.items()}


# What there is to save


def every_dtype():
    torch.manual_seed(1)
    values = torch.randn(3, 5) * 50
    return {str(dtype).split(".")[1]: values.to(dtype) for dtype in DTYPES}


def views():
    base = torch.arange(60, dtype=torch.float32)
    matrix = base[:42].view(6, 7)
    return {
        "whole": base,
        "offset": base[17:23],
        "transposed": matrix.t(),
        "column": matrix[:, 3],
        "stepped": matrix[::2, 1::3],
        "permuted": base.view(3, 4, 5).permute(2, 0, 1),
        "expanded": base[5:6].expand(4, 3),
        "scalar": base[9],
        "empty": base[:0].view(0, 3),
        "one": matrix[2:3, 4:5].t(),
        "parameter": torch.nn.Parameter(torch.randn(2, 3)),
        "frozen": torch.nn.Parameter(base[3:9].view(2, 3).t(), requires_grad=False),
        "half_view": torch.randn(4, 4).half().t(),
        "b16": torch.randn(5).bfloat16()[1:4],
        "unicode é 名": torch.ones(1),
    }


def trained_model():
    model = torch.nn.Sequential(torch.nn.Linear(3, 4), torch.nn.BatchNorm1d(4), torch.nn.Linear(4, 2))
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3)
    model(torch.randn(8, 3)).sum().backward()
    optimizer.step()
    return model, optimizer


class Clock:
    """Some class of a training run, pickled by name."""

    def __init__(self):
        self.started = datetime.datetime(2024, 1, 2, tzinfo=datetime.timezone.utc)


def composer_like(model, optimizer):
    return {
        "state": {
            "model": collections.OrderedDict(
                (f"model.{name}", value) for name, value in model.state_dict().items()
            ),
            "optimizers": {"AdamW": optimizer.state_dict()},
            "timestamp": {"Timestamp": {"total_wct": datetime.timedelta(seconds=3.5)}},
            "clock": Clock(),
            "metrics": {"loss": numpy.float32(0.5), "ids": numpy.arange(5), "best": numpy.int64(3)},
            "run_name": "run",
            "huge": 2**100,
        },
        "rng": [
            {
                "python": random.getstate(),
                "numpy": numpy.random.get_state(),
                "torch": torch.get_rng_state(),
            }
        ],
        "when": datetime.datetime.now(),
        "device": torch.device("cpu"),
        "dtype": torch.float32,
        "size": torch.Size([1, 2]),
        "set": {1, 2},
        "bytes": b"\0\1" * 300,
        "callable": print,
    }


# PyTorch files


@pytest.mark.parametrize("protocol", [1, 2, 3, 4, 5])
@pytest.mark.parametrize("make", [every_dtype, views])
def test_torch_state_dict(tmp_path, make, protocol):
    tensors = make()
    path = tmp_path / "w.bin"
    torch.save(tensors, path, pickle_protocol=protocol)
    found, ignored = read(path)
    assert found == forms(tensors)
    assert list(found) == list(tensors)
    assert ignored == []


@pytest.mark.parametrize("protocol", [1, 2, 4, 5])
def test_torch_composer_checkpoint(tmp_path, protocol):
    model, optimizer = trained_model()
    path = tmp_path / "ep1-ba4.pt"
    torch.save(composer_like(model, optimizer), path, pickle_protocol=protocol)
    found, ignored = read(path)
    assert found == forms({f"model.{k}": v for k, v in model.state_dict().items()})
    assert "datetime.timedelta" in ignored and any(name.endswith(".Clock") for name in ignored)
    assert any("numpy" in name for name in ignored)
    assert not any(name.startswith(("torch._utils.", "collections.")) for name in ignored)


@pytest.mark.parametrize("key", ["state_dict", "model"])
def test_torch_nested(tmp_path, key):
    model, optimizer = trained_model()
    path = tmp_path / "w.pt"
    torch.save({"epoch": 3, key: model.state_dict(), "optimizer": optimizer.state_dict()}, path)
    assert read(path)[0] == forms(model.state_dict())


def test_torch_placeholders_are_refused_only_when_wanted(tmp_path):
    path = tmp_path / "w.bin"
    sparse = torch.eye(3).to_sparse()
    values = {"a": torch.ones(2), "sparse": sparse, "array": numpy.ones(3), "c": torch.ones(2) * 1j}
    torch.save(values | {"unsigned": torch.ones(2, dtype=torch.uint16)}, path)
    found, ignored = read(path)
    assert found == forms({"a": torch.ones(2)})
    assert "_rebuild_sparse_tensor" in refusal("find", path, "sparse")
    assert "numpy" in refusal("find", path, "array")
    assert "ComplexFloatStorage" in refusal("find", path, "c")
    assert "_rebuild_tensor_v3" in refusal("find", path, "unsigned")


def test_torch_module_and_legacy_are_refused(tmp_path):
    torch.save(torch.nn.Linear(2, 2), tmp_path / "module.pt")
    assert "torch.nn.modules.linear.Linear" in refusal("tensors", tmp_path / "module.pt")
    torch.save(every_dtype(), tmp_path / "old.pt", _use_new_zipfile_serialization=False)
    assert "torch.save" in refusal("tensors", tmp_path / "old.pt")


def test_torch_compressed_archive(tmp_path):
    path, packed = tmp_path / "w.bin", tmp_path / "packed.bin"
    torch.save(views(), path)
    with zipfile.ZipFile(path) as plain, zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as out:
        for name in plain.namelist():
            out.writestr(name, plain.read(name))
    assert read(packed)[0].keys() == views().keys()
    assert read(packed)[0]["transposed"] == form(views()["transposed"])


def test_torch_code_does_not_run(tmp_path):
    class Attack:
        def __reduce__(self):
            return os.system, (f"touch '{tmp_path}/marker'",)

    path = tmp_path / "w.bin"
    torch.save({"a": torch.ones(2), "evil": Attack()}, path)
    found, ignored = read(path)
    assert found == forms({"a": torch.ones(2)})
    assert ignored in (["posix.system"], ["os.system"])
    assert not (tmp_path / "marker").exists()
    # The control: Python itself does run it.
    torch.load(path, weights_only=False)
    assert (tmp_path / "marker").exists()


# safetensors


@pytest.mark.parametrize("make", [every_dtype, views])
def test_safetensors(tmp_path, make):
    tensors = {name: value.detach().clone().contiguous() for name, value in make().items()}
    path, copied = tmp_path / "w.safetensors", tmp_path / "copy.safetensors"
    save_file(tensors, path, metadata={"format": "pt", "note": "é"})
    assert read(path)[0] == forms(tensors)
    assert run("copy", path, copied).returncode == 0
    assert forms(load_file(copied)) == forms(tensors)
    with safe_open(copied, "pt") as file:
        assert file.metadata() == {"format": "pt"}
    # What was written aligned lies so for any reader: the length and the data begin at 8 bytes.
    assert int.from_bytes(copied.read_bytes()[:8], "little") % 8 == 0


def test_safetensors_refuses_other_dtypes(tmp_path):
    save_file({"a": torch.ones(4).to(torch.float8_e4m3fn)}, tmp_path / "w.safetensors")
    assert "F8_E4M3" in refusal("tensors", tmp_path / "w.safetensors")


@pytest.mark.parametrize("kind", ["safetensors", "bin"])
def test_shards(tmp_path, kind):
    model, _ = trained_model()
    shards = collections.defaultdict(dict)
    weight_map = {}
    stem = "model" if kind == "safetensors" else "pytorch_model"
    for i, (name, value) in enumerate(model.state_dict().items()):
        weight_map[name] = f"{stem}-{i % 3 + 1:05}-of-00003.{kind}"
        shards[weight_map[name]][name] = value
    for name, tensors in shards.items():
        (save_file if kind == "safetensors" else torch.save)(tensors, tmp_path / name)
    index = tmp_path / f"{stem}.{kind}.index.json"
    index.write_text(json.dumps({"metadata": {"total_size": 1}, "weight_map": weight_map}))
    assert read(tmp_path)[0] == forms(model.state_dict())
    index.write_text(json.dumps({"weight_map": dict.fromkeys(weight_map, f"../{tmp_path.name}/x")}))
    assert "same folder" in refusal("tensors", tmp_path)


# .npy

NPY = [
    numpy.arange(24, dtype="<i8").reshape(2, 3, 4),
    numpy.linspace(-3, 3, 7, dtype="<f4"),
    numpy.linspace(-3, 3, 6).reshape(6, 1),
    numpy.arange(5, dtype="<f2"),
    numpy.arange(-4, 4, dtype="<i4"),
    numpy.arange(-4, 4, dtype="<i2"),
    numpy.arange(-4, 4, dtype="i1"),
    numpy.arange(250, 256, dtype="u1"),
    numpy.array([True, False, True]),
    numpy.zeros((0, 3), "<f4"),
]
NPY_NAMES = {"f8": "fp64", "f4": "fp32", "f2": "fp16", "i8": "int64", "i4": "int32", "i2": "int16"}
NPY_NAMES |= {"i1": "int8", "u1": "uint8", "b1": "bool"}


def npy_form(array):
    return NPY_NAMES[array.dtype.str[1:]], list(array.shape), array.tobytes()


@pytest.mark.parametrize("array", NPY + [numpy.float32(2.5)], ids=lambda a: f"{a.dtype}{a.shape}")
@pytest.mark.parametrize("version", [(1, 0), (2, 0), (3, 0)])
def test_npy(tmp_path, array, version):
    path = tmp_path / "a.npy"
    with open(path, "wb") as file:
        numpy.lib.format.write_array(file, numpy.asarray(array), version=version)
    assert read(path, "npy")[0][""] == npy_form(numpy.asarray(array))


@pytest.mark.parametrize("array", NPY, ids=lambda a: f"{a.dtype}{a.shape}")
def test_npy_copy(tmp_path, array):
    if 0 in array.shape[1:]:
        pytest.skip("rows of nothing cannot be counted")
    numpy.save(tmp_path / "a.npy", array)
    assert run("npy-copy", tmp_path / "a.npy", tmp_path / "b.npy").returncode == 0
    copied = numpy.load(tmp_path / "b.npy")
    assert copied.dtype == array.dtype and copied.shape == array.shape
    assert copied.tobytes() == array.tobytes()


def test_npy_refusals(tmp_path):
    path = tmp_path / "a.npy"
    for array, word in [
        (numpy.asfortranarray(numpy.ones((2, 3))), "Fortran"),
        (numpy.ones(2, ">f4"), "big-endian"),
        (numpy.ones(2, "<c8"), "<c8"),
        (numpy.array(["ab"]), "<U2"),
        (numpy.ones(2, "<u4"), "<u4"),
        (numpy.zeros(2, [("a", "<f4"), ("b", "<i8")]), "structures"),
        (numpy.array([{}], dtype=object), "|O"),
    ]:
        numpy.save(path, array, allow_pickle=True)
        assert word in refusal("npy", path)


# The negative control: what the comparisons above rest on


def test_a_changed_bit_is_seen(tmp_path):
    tensors = {name: value.detach().clone().contiguous() for name, value in views().items()}
    path = tmp_path / "w.safetensors"
    save_file(tensors, path)
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)
    found = read(path)[0]
    want = forms(tensors)
    assert [name for name in want if found[name] != want[name]] != []
    assert form(views()["transposed"]) != form(views()["transposed"].t())
