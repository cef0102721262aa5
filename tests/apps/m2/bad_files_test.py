"""Damaged, hostile and mismatched model files: each ends in one clear line and exit code 3."""

import io
import json
import os
import pickle
import resource
import struct
import subprocess
import sys
import zipfile

import numpy
import pytest
import torch
from m2_program import (
    GOLDEN,
    INPUT,
    PROGRAM,
    check_refusal,
    environment,
    refuse,
    run,
    succeed,
)
from safetensors.numpy import load_file, save_file

pytestmark = pytest.mark.asan

SANITIZED = "asan" in str(PROGRAM.parent)
WEIGHT = "bert.encoder.layer.0.mlp.wo.weight"
ABSENT = "bert.encoder.layer.1.attention.out_linear.bias"


def refuse_model(model, says=()):
    """Both commands that read weights refuse alike."""
    text = refuse(INPUT, "embed", "--model-id", model, "one gate", says=says)
    refuse(INPUT, "info", "--model-id", model, says=says)
    return text


def weights_of(model):
    return model / "model.safetensors"


def change(model, edit):
    """Rewrites the weights after edit(tensors)."""
    tensors = load_file(weights_of(model))
    edit(tensors)
    save_file(tensors, weights_of(model))


def split_header(path):
    data = path.read_bytes()
    length = struct.unpack("<Q", data[:8])[0]
    return json.loads(data[8 : 8 + length]), data[8 + length :]


def write_header(path, header, data):
    text = json.dumps(header).encode()
    path.write_bytes(struct.pack("<Q", len(text)) + text + data)


# Missing files


def test_missing_model(tmp_path):
    refuse_model(tmp_path / "nowhere", says="nowhere")


def test_missing_weights(copied_model):
    weights_of(copied_model).unlink()
    refuse_model(copied_model, says=[copied_model, "model.safetensors"])


def test_missing_config(copied_model):
    (copied_model / "config.json").unlink()
    refuse_model(copied_model, says="config.json")


def test_missing_vocabulary(copied_model):
    (copied_model / "vocab.txt").unlink()
    refuse(INPUT, "embed", "--model-id", copied_model, "one", says=["vocab.txt", "--tokenizer"])
    succeed("info", "--model-id", copied_model)


# Damaged safetensors


def test_empty_safetensors(copied_model):
    weights_of(copied_model).write_bytes(b"")
    refuse_model(copied_model, says="model.safetensors")


@pytest.mark.parametrize("kept", [1, 7, 8, 9, 500, -4096, -1])
def test_cut_safetensors(copied_model, kept):
    data = weights_of(copied_model).read_bytes()
    weights_of(copied_model).write_bytes(data[:kept])
    refuse_model(copied_model, says=["model.safetensors", "cut short" if kept != 1 else ""])


@pytest.mark.parametrize("length", [2**63, 2**40, 100_000_001, 99_999_999])
def test_oversized_header(copied_model, length):
    data = weights_of(copied_model).read_bytes()
    weights_of(copied_model).write_bytes(struct.pack("<Q", length) + data[8:])
    refuse_model(copied_model, says=["model.safetensors", str(length)])


def test_bit_flipped_header(copied_model):
    path = weights_of(copied_model)
    data = bytearray(path.read_bytes())
    end = 8 + struct.unpack("<Q", data[:8])[0]
    refused = 0
    for place in [*range(8), *range(8, end, max(1, (end - 8) // 40))]:
        flipped = bytearray(data)
        flipped[place] ^= 1 << place % 8
        path.write_bytes(flipped)
        done = run("info", "--model-id", copied_model, "--json")
        if done.returncode != 0:
            check_refusal(done, INPUT)
            refused += 1
    assert refused > 40  # nearly all: a flip within the metadata or padding harms nothing


@pytest.mark.parametrize("damage, says", [
    (lambda a, b: a.update(data_offsets=b["data_offsets"]), "inside another"),
    (lambda a, b: a.update(data_offsets=a["data_offsets"][::-1]), "outside"),
    (lambda a, b: a.update(shape=[2**62, 2**62]), "impossible shape"),
    (lambda a, b: a.update(shape=[1]), "bytes"),
    (lambda a, b: a.update(dtype="F16"), "bytes"),
    (lambda a, b: a.update(dtype="F4"), "F4"),
])
def test_lying_header(copied_model, damage, says):
    header, data = split_header(weights_of(copied_model))
    twins = [value for key, value in header.items() if key.endswith("out_linear.weight")]
    twins.sort(key=lambda entry: entry["data_offsets"], reverse=True)
    damage(*twins)
    write_header(weights_of(copied_model), header, data)
    refuse_model(copied_model, says=["model.safetensors", says])


# PyTorch files


@pytest.fixture
def torch_model(tmp_path):
    """A copy of the golden model with a .bin, and its tensors."""
    folder = tmp_path / "torch"
    folder.mkdir()
    for name in ("config.json", "pytorch_model.bin"):
        (folder / name).write_bytes((GOLDEN / name).read_bytes())
    return folder, torch.load(folder / "pytorch_model.bin", weights_only=True)


def embed_ids(model):
    return ["embed", "--model-id", model, "--input-ids", GOLDEN / "input_ids.npy"]


def test_bit_flipped_data_of_a_bin(torch_model):
    folder, tensors = torch_model
    path = folder / "pytorch_model.bin"
    data = bytearray(path.read_bytes())
    place = data.find(tensors[WEIGHT].numpy().tobytes())
    assert place > 0
    data[place + 100] ^= 1
    path.write_bytes(data)
    refuse(INPUT, *embed_ids(folder), says=["pytorch_model.bin", "checksum"])


def test_cut_bin(torch_model):
    folder, _ = torch_model
    data = (folder / "pytorch_model.bin").read_bytes()
    for kept in (0, 3, 1000, len(data) // 2, len(data) - 1):
        (folder / "pytorch_model.bin").write_bytes(data[:kept])
        refuse(INPUT, *embed_ids(folder), says="pytorch_model.bin")


@pytest.mark.parametrize("part, says", [("data.pkl", "expand"), ("data/0", "268435456 bytes")])
def test_zip_bomb(torch_model, part, says):
    folder, _ = torch_model
    whole = (folder / "pytorch_model.bin").read_bytes()
    with zipfile.ZipFile(io.BytesIO(whole)) as source, \
            zipfile.ZipFile(folder / "pytorch_model.bin", "w", zipfile.ZIP_DEFLATED) as bomb:
        for name in source.namelist():
            zeros = bytes(1 << 28) if name.endswith("/" + part) else source.read(name)
            bomb.writestr(name, zeros)
    assert (folder / "pytorch_model.bin").stat().st_size < 1 << 20
    words = [str(word) for word in (PROGRAM, *embed_ids(folder))]
    limits = {} if SANITIZED else {"preexec_fn": lambda: resource.setrlimit(resource.RLIMIT_DATA, (1 << 27,) * 2)}
    done = subprocess.run(words, capture_output=True, timeout=20, env=environment(), **limits)
    check_refusal(done, INPUT, says=["pytorch_model.bin", says])


class RunsACommand:
    def __init__(self, marker):
        self.marker = marker

    def __reduce__(self):
        return os.system, (f"touch {self.marker}",)


def test_a_pickle_that_calls_os_system(torch_model, tmp_path):
    folder, tensors = torch_model
    marker = tmp_path / "marker"
    payload = pickle.dumps(RunsACommand(marker))
    subprocess.run([sys.executable, "-c", "import pickle, sys; pickle.load(sys.stdin.buffer)"],
                   input=payload, check=True)
    assert marker.exists()  # the payload works on who executes it
    marker.unlink()
    # Beside the weights it is left alone, and named to who asks.
    torch.save({**tensors, "extra": RunsACommand(marker)}, folder / "pytorch_model.bin")
    succeed(*embed_ids(folder))
    done = run("--verbose", *embed_ids(folder))
    assert done.returncode == 0 and b"posix.system" in done.stderr
    assert not marker.exists()
    # In a weight's place, or as the whole file, it is refused.
    torch.save({**tensors, WEIGHT: RunsACommand(marker)}, folder / "pytorch_model.bin")
    refuse(INPUT, *embed_ids(folder), says=WEIGHT)
    torch.save(RunsACommand(marker), folder / "pytorch_model.bin")
    refuse(INPUT, *embed_ids(folder), says="pytorch_model.bin")
    (folder / "pytorch_model.bin").write_bytes(payload)
    refuse(INPUT, *embed_ids(folder), says="pytorch_model.bin")
    assert not marker.exists()


# Weights that do not fit


@pytest.mark.parametrize("lie, says", [
    ({"hidden_size": 48}, "shape"),
    ({"intermediate_size": 100}, "shape"),
    ({"vocab_size": 8200}, "shape"),
    ({"long_conv_l_max": 256, "max_position_embeddings": 256}, "shape"),
    ({"num_hidden_layers": 3}, "layer.2"),
    ({"num_hidden_layers": 1}, "layer.1"),
    ({"bidirectional": False}, "implicit_filter_rev"),
    ({"hidden_size": 0}, "hidden_size"),
    ({"hidden_size": 2**40}, "hidden_size"),
])
def test_a_config_that_lies(copied_model, lie, says):
    config = json.loads((copied_model / "config.json").read_text())
    (copied_model / "config.json").write_text(json.dumps(config | lie))
    refuse_model(copied_model, says=[says, copied_model / "config.json"])


@pytest.mark.parametrize("text", ["", "{", "[1]", "null", '{"hidden_size": "x"}', "\xff"])
def test_a_config_that_is_none(copied_model, text):
    (copied_model / "config.json").write_text(text, encoding="latin-1")
    refuse_model(copied_model, says="config.json")


def test_a_missing_weight(copied_model):
    change(copied_model, lambda tensors: tensors.pop(ABSENT))
    refuse_model(copied_model, says=ABSENT)


def test_a_surplus_weight(copied_model):
    name = "bert.encoder.layer.0.attention.third_filter.weight"
    change(copied_model, lambda tensors: tensors.update({name: numpy.ones(3, numpy.float32)}))
    refuse_model(copied_model, says=name)


@pytest.mark.parametrize("value", [numpy.nan, numpy.inf, -numpy.inf])
def test_nan_in_the_weights(copied_model, value):
    def damage(tensors):
        tensors[WEIGHT].reshape(-1)[17] = value

    change(copied_model, damage)
    refuse(INPUT, "embed", "--model-id", copied_model, "one", says=[WEIGHT, "NaN"])


def test_integer_weights(copied_model):
    change(copied_model, lambda tensors: tensors.update({WEIGHT: tensors[WEIGHT].astype(numpy.int32)}))
    refuse_model(copied_model, says=[WEIGHT, "int32"])


def test_weights_that_overflow(copied_model):
    """Finite weights whose vector is not: the work fails, and no vector is written."""
    def damage(tensors):
        tensors["bert.pooler.dense.weight"][:] = 1
        for name in ("weight", "bias"):
            tensors[f"bert.encoder.layer.1.mlp.layernorm.{name}"][:] = 3e38

    change(copied_model, damage)
    refuse(1, "embed", "--model-id", copied_model, "--pooling", "cls", "one", says=["NaN", "overflow"])


# Vocabularies that do not fit


@pytest.mark.parametrize("words", [8193, 8000])
def test_a_vocabulary_of_the_wrong_size(copied_model, words):
    pieces = (copied_model / "vocab.txt").read_text().splitlines()
    pieces = (pieces + [f"extra{i}" for i in range(words)])[:words]
    (copied_model / "vocab.txt").write_text("\n".join(pieces) + "\n")
    refuse(INPUT, "embed", "--model-id", copied_model, "one", says=[copied_model, words, 8192])
    refuse(INPUT, "tokenize", "--model-id", copied_model, stdin=b"one\n", says=[words, 8192])


@pytest.mark.parametrize("text", [b"", b"\xff\n", b"one\ntwo\n"])
def test_a_vocabulary_that_is_none(copied_model, text):
    (copied_model / "vocab.txt").write_bytes(text)
    refuse(INPUT, "embed", "--model-id", copied_model, "one", says="vocab.txt")


@pytest.mark.parametrize("text", ["", "{", "[]", '{"model": {"type": "BPE"}}'])
def test_a_tokenizer_that_is_none(copied_model, text):
    (copied_model / "tokenizer.json").write_text(text)
    refuse(INPUT, "embed", "--model-id", copied_model, "one", says="tokenizer.json")


# Sizes that only a folder can be wrong about


def test_an_index_that_leaves_the_folder(copied_model):
    weights_of(copied_model).rename(copied_model.parent / "outside.safetensors")
    names = list(load_file(copied_model.parent / "outside.safetensors"))
    index = {"weight_map": {name: "../outside.safetensors" for name in names}}
    (copied_model / "model.safetensors.index.json").write_text(json.dumps(index))
    refuse_model(copied_model, says="same folder")


def test_a_folder_in_a_files_place(copied_model):
    weights_of(copied_model).unlink()
    weights_of(copied_model).mkdir()
    refuse_model(copied_model, says="model.safetensors")
