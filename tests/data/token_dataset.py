"""Reads what `m2 data build` writes by docs/data.md alone: numpy and zlib, none of the project's code."""

import json
import pathlib
import zlib

import numpy

HEADER = numpy.dtype([
    ("magic", "S8"), ("version", "<u4"), ("token_bytes", "<u4"), ("samples", "<u8"), ("tokens", "<u8"),
    ("length", "<u4"), ("vocabulary_size", "<u4"), ("vocabulary_hash", "<u8"),
    ("cls", "<i4"), ("sep", "<i4"), ("pad", "<i4"), ("mask", "<i4"), ("unk", "<i4"),
    ("block_bytes", "<u4"), ("tables_checksum", "<u4"), ("header_checksum", "<u4"),
])


def vocabulary_hash(tokens):
    """FNV-1a of 64 bits over the tokens, a newline after each."""
    value = 0xCBF29CE484222325
    for byte in "".join(token + "\n" for token in tokens).encode():
        value = (value ^ byte) * 0x100000001B3 % 2**64
    return value


def read_shard(path):
    """(header, samples as lists of ids), every checksum compared."""
    data = path.read_bytes()
    header = numpy.frombuffer(data, HEADER, 1)[0]
    assert header["magic"] == b"M2TOKENS" and header["version"] == 1
    assert HEADER.itemsize == 80 and zlib.crc32(data[:76]) == header["header_checksum"]
    samples, width = int(header["samples"]), int(header["token_bytes"])
    token_bytes = int(header["tokens"]) * width
    blocks = -(-token_bytes // int(header["block_bytes"]))
    start = -(-(80 + 4 * (samples + 1) + 4 * blocks) // 64) * 64
    assert len(data) == start + token_bytes
    assert zlib.crc32(data[80:start]) == header["tables_checksum"]
    offsets = numpy.frombuffer(data, "<u4", samples + 1, 80)
    sums = numpy.frombuffer(data, "<u4", blocks, 80 + 4 * (samples + 1))
    for block, expected in enumerate(sums):
        at = start + block * int(header["block_bytes"])
        assert zlib.crc32(data[at:at + int(header["block_bytes"])]) == expected
    ids = numpy.frombuffer(data, "<u2" if width == 2 else "<u4", int(header["tokens"]), start)
    return header, [ids[a:b].tolist() for a, b in zip(offsets, offsets[1:])]


def read_dataset(folder):
    """All samples of a split's folder."""
    folder = pathlib.Path(folder)
    index = json.loads((folder / "index.json").read_text())
    assert index["format"] == "m2-tokens" and index["version"] == 1
    samples = []
    for shard in index["shards"]:
        header, found = read_shard(folder / shard["file"])
        assert len(found) == shard["samples"] and sum(map(len, found)) == shard["tokens"]
        assert f"{int(header['vocabulary_hash']):016x}" == index["vocabulary_hash"]
        assert int(header["length"]) == index["length"]
        samples += found
    assert len(samples) == index["samples"]
    assert sum(map(len, samples)) == index["tokens"]
    return samples
