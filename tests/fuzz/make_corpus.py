#!/usr/bin/env python3
"""Writes the fuzzers' seeds: one small sound file of each kind that the readers know; and their words.

    tests/fuzz/make_corpus.py [FOLDER]      default: the folder of this script

Seeds go to FOLDER/corpus, dictionaries to FOLDER/dictionary. The same bytes each time (but for zip64,
which releases of zipfile write differently); needs Python alone. Torch's classes are stand-ins of the
same names.
"""

import collections
import io
import json
import pickle
import struct
import sys
import types
import zipfile
import zlib
from pathlib import Path

import text_seeds


def safetensors(tensors, metadata=None):
    """A file of {name: (dtype, shape, data)}."""
    header, data = ({"__metadata__": metadata} if metadata else {}), b""
    for name, (dtype, shape, content) in tensors.items():
        offsets = [len(data), len(data) + len(content)]
        header[name] = {"dtype": dtype, "shape": shape, "data_offsets": offsets}
        data += content
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    return struct.pack("<Q", len(text)) + text + data


def npy(version, header, data):
    text = header.encode()
    length = struct.pack("<H" if version == 1 else "<I", len(text))
    return b"\x93NUMPY" + bytes([version, 0]) + length + text + data


class Storage:
    def __init__(self, kind, key, elements):
        self.id = ("storage", kind, key, "cpu", elements)


class Call:
    """Pickles as a call of `function`."""

    def __init__(self, function, *arguments):
        self.function, self.arguments = function, arguments

    def __reduce__(self):
        return self.function, self.arguments


def torch_names():
    """Stand-ins for the names that torch.save writes, importable under torch's own modules."""
    torch, utils = types.ModuleType("torch"), types.ModuleType("torch._utils")
    torch._utils = utils
    sys.modules.update({"torch": torch, "torch._utils": utils})
    for module, name in [
        (torch, "FloatStorage"),
        (torch, "LongStorage"),
        (torch, "Size"),
        (utils, "_rebuild_tensor_v2"),
        (utils, "_rebuild_parameter"),
    ]:
        stand_in = type(name, (), {"__module__": module.__name__})
        setattr(module, name, stand_in)
    return torch


class Pickler(pickle.Pickler):
    def persistent_id(self, value):
        return value.id if isinstance(value, Storage) else None


def dump(value, protocol=2):
    out = io.BytesIO()
    Pickler(out, protocol).dump(value)
    return out.getvalue()


def tensor(torch, storage, offset, shape, strides):
    rebuild = torch._utils._rebuild_tensor_v2
    hooks = collections.OrderedDict()
    return Call(rebuild, storage, offset, shape, strides, False, hooks)


def pickles(torch):
    storage = Storage(torch.FloatStorage, "0", 6)
    flat = collections.OrderedDict(
        a=tensor(torch, storage, 0, (2, 3), (3, 1)),
        transposed=tensor(torch, storage, 0, (3, 2), (1, 3)),
        tail=tensor(torch, storage, 4, (2,), (1,)),
    )
    parameter = Call(torch._utils._rebuild_parameter, flat["a"], True, collections.OrderedDict())
    composer = {
        "state": {"model": {"model.w": parameter, "odd": Call(print, "x")}, "step": 10**30},
        "rng": [1.5, b"bytes", {1, 2}, None, True, -1, 70000, "text"],
    }
    nested = {"state_dict": flat, "size": Call(torch.Size, (2, 3)), "frozen": frozenset([1])}
    return {
        "flat_2": dump(flat),
        "composer_2": dump(composer),
        "composer_1": dump(composer, 1),
        "nested_4": dump(nested, 4),
        "composer_5": dump(composer, 5),
    }


def archive(data_pickle, method=zipfile.ZIP_STORED, zip64=False):
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", method) as files:
        for name, content in [
            ("data.pkl", data_pickle),
            ("byteorder", b"little"),
            ("data/0", struct.pack("<6f", *range(6))),
        ]:
            entry = zipfile.ZipInfo("archive/" + name)
            entry.compress_type = method
            with files.open(entry, "w", force_zip64=zip64) as member:
                member.write(content)
    return out.getvalue()


def token_shard(samples, vocabulary_size=1000):
    """docs/data.md has the format."""
    width = "H" if vocabulary_size <= 65536 else "I"
    tokens = b"".join(struct.pack(f"<{len(sample)}{width}", *sample) for sample in samples)
    offsets = [sum(map(len, samples[:count])) for count in range(len(samples) + 1)]
    tables = struct.pack(f"<{len(offsets)}I", *offsets) + struct.pack("<I", zlib.crc32(tokens))
    tables += b"\0" * (-(80 + len(tables)) % 64)
    header = struct.pack("<8sIIQQIIQ5iII", b"M2TOKENS", 1, struct.calcsize(width), len(samples), offsets[-1],
                         16, vocabulary_size, 7, 2, 3, 0, 4, 1, 65536, zlib.crc32(tables))
    return header + struct.pack("<I", zlib.crc32(header)) + tables + tokens


def mds_shard(texts):
    """What mds_fuzz takes: a column of four bytes, the texts' number, and a shard of them."""
    samples = [struct.pack("<I", len(text)) + b"four" + text for text in texts]
    ends = [4 * (len(texts) + 2) + sum(map(len, samples[:count])) for count in range(len(texts) + 1)]
    return bytes([1, len(texts)]) + struct.pack(f"<{len(ends) + 1}I", len(texts), *ends) + b"".join(samples)


def seeds():
    torch = torch_names()
    yield "token_shard_fuzz/narrow", token_shard([[2, 10, 11, 3], [2, 999, 3]])
    yield "token_shard_fuzz/wide", token_shard([[2, 99999, 3]], 100000)
    yield "mds_fuzz/two", mds_shard([b"a text", b""])
    floats = struct.pack("<6f", *range(6))
    trees = pickles(torch)
    yield "safetensors_fuzz/two", safetensors(
        {"a": ("F32", [2, 3], floats), "b.c": ("I64", [], b"\0" * 8)}, {"format": "pt"}
    )
    yield "safetensors_fuzz/empty", safetensors({"none": ("BF16", [0, 7], b""), "x": ("BOOL", [1], b"\1")})
    order = "'fortran_order': False"
    yield "npy_fuzz/version1", npy(1, f"{{'descr': '<f4', {order}, 'shape': (2, 3), }}  \n", floats)
    yield "npy_fuzz/version2", npy(2, f"{{'descr': '<i8', {order}, 'shape': (3,), }}\n", floats)
    yield "npy_fuzz/scalar", npy(3, f"{{'shape': (), {order}, 'descr': '|u1'}}\n", b"\7")
    for name, content in trees.items():
        yield f"pickle_fuzz/{name}", content
        yield f"torch_file_fuzz/{name}", archive(content)
    yield "torch_file_fuzz/deflated", archive(trees["flat_2"], zipfile.ZIP_DEFLATED)
    yield "torch_file_fuzz/zip64", archive(trees["flat_2"], zip64=True)
    yield "json_fuzz/index", json.dumps(
        {"metadata": {"total_size": 24}, "weight_map": {"a": "x.safetensors", "é\n": [1.5e3, None]}}
    ).encode()


def dictionary(words):
    """In libFuzzer's form, one quoted word a line."""
    def escape(byte):
        return chr(byte) if 32 <= byte < 127 and byte not in b'"\\' else f"\\x{byte:02x}"

    lines = ['"' + "".join(map(escape, word.encode())) + '"' for word in sorted(words) if word]
    return ("\n".join(lines) + "\n").encode()


def main():
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parent
    files = [(f"corpus/{name}", content) for name, content in [*seeds(), *text_seeds.seeds()]]
    files += [(f"dictionary/{name}", dictionary(words)) for name, words in text_seeds.dictionaries()]
    for name, content in files:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)


if __name__ == "__main__":
    main()
