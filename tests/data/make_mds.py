#!/usr/bin/env python3
"""Writes shards with MosaicML streaming's own MDSWriter: the MDS reader's oracle.

    tests/data/make_mds.py FOLDER

Makes FOLDER/plain, FOLDER/zstd and FOLDER/gz of the texts in mds_texts(). Needs the packages of
tests/requirements-streaming.txt, installed with `pip install --no-deps` beside torch and transformers:
streaming asks for older ones, and for the clients of every cloud, which nothing here calls.
"""

import pathlib
import sys
import types


def mds_texts():
    """Short, long, empty and awkward texts, in more than one shard."""
    texts = ["a first text", "", "Zürich 中文 \U0001F600 x\u0301\r\n\0 end", " ".join(map(str, range(3000)))]
    return texts + [f"text number {i} of many" * (i % 7) for i in range(60)]


def import_writer():
    import transformers.feature_extraction_utils  # noqa: F401 (before it can see the stand-in below)
    import transformers.tokenization_utils_base  # noqa: F401

    # What streaming's image part takes from a package of its own.
    torchvision = types.ModuleType("torchvision")
    torchvision.transforms = types.ModuleType("torchvision.transforms")
    torchvision.transforms.functional = types.ModuleType("torchvision.transforms.functional")
    torchvision.transforms.functional.to_tensor = None
    torchvision.datasets = types.ModuleType("torchvision.datasets")
    torchvision.datasets.VisionDataset = object
    for module in (torchvision, torchvision.transforms, torchvision.transforms.functional, torchvision.datasets):
        sys.modules.setdefault(module.__name__, module)
    from streaming import MDSWriter

    return MDSWriter


def write(folder, compression):
    columns = {"id": "int", "text": "str", "source": "str"}
    writer = import_writer()(out=str(folder), columns=columns, compression=compression, hashes=["sha1"],
                             size_limit=8000)
    with writer as out:
        for i, text in enumerate(mds_texts()):
            out.write({"id": i, "text": text, "source": f"made {i}"})


def main():
    for name, compression in [("plain", None), ("zstd", "zstd:3"), ("gz", "gz:9")]:
        write(pathlib.Path(sys.argv[1]) / name, compression)


if __name__ == "__main__":
    main()
