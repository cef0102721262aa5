#!/usr/bin/env python3
"""One text, one vector, to the bit: embeds 17 texts of mixed lengths in eight ways and compares.

The ways are {1, 2 threads} x {each text alone, all in a batch, the batch reversed, the batch in
another process}. Prints a line for each instruction set and model: the SHA-256 that all eight ways
gave, or every way's own, and then fails. Standard library alone.

    tools/check_bits.py [--program build/release/m2] [--model-id MODEL [--dtype fp32|bf16|int8]]

Without --model-id, small models of random weights are made: M2-BERT under each padding contract and
in each number type, MosaicBERT and BERT.
"""
import argparse
import hashlib
import json
import os
import pathlib
import struct
import subprocess
import sys
import tempfile
from typing import NamedTuple

ROOT = pathlib.Path(__file__).resolve().parent.parent
TEXTS = ROOT / "examples/demo/texts"
VOCABULARY = ROOT / "examples/demo/vocab.txt"
ISAS = ("amx", "avx512", "avx2", "sse4", "scalar")
# Words a text: around the edges of tiles (16, 64), of chunks of keys (128) and of transform sizes.
WORDS = (1, 2, 3, 7, 11, 12, 13, 25, 50, 51, 100, 190, 200, 210, 400, 800, 1500)
SIZES = {"model_type": "bert", "hidden_size": 192, "intermediate_size": 768, "num_hidden_layers": 4}
M2_BERT = SIZES | {
    "monarch_mixer_sequence_mixing": True, "num_attention_heads": 4, "hyena_w": 10,
    "hyena_emb_dim": 5, "hyena_filter_order": 64, "residual_long_conv": True,
    "use_monarch_mlp": True, "use_positional_encodings": True, "long_conv_l_max": 4096,
}
# Heads of 16 channels, a whole channel block, and of 24, which is none.
MOSAIC_BERT = SIZES | {"num_attention_heads": 12, "alibi_starting_size": 512}
BERT = SIZES | {"num_attention_heads": 8}


class Kind(NamedTuple):
    """A model that is made: its configuration, longest text and padding contract; and its products."""
    config: dict
    length: int
    padding: str = "none"
    dtype: str = "fp32"


class Model(NamedTuple):
    """A model at hand, and the number type of its large products."""
    path: str
    dtype: str


MODELS = {
    "m2_bert, none": Kind(M2_BERT, 4096),
    "m2_bert, max_length": Kind(M2_BERT, 512, "max_length"),
    "m2_bert, bf16": Kind(M2_BERT | {"num_hidden_layers": 2}, 1024, dtype="bf16"),
    "m2_bert, int8": Kind(M2_BERT | {"num_hidden_layers": 2}, 1024, dtype="int8"),
    "mosaic_bert": Kind(MOSAIC_BERT, 4096),
    "bert": Kind(BERT, 4096),
}


def run(program, isa, arguments, **options):
    environment = dict(os.environ, M2_ISA=isa)
    return subprocess.run([program, *arguments], env=environment, capture_output=True, **options)


def embed(program, isa, model, threads, texts):
    """Vectors of the texts, each as its fp32 bytes."""
    lines = "".join(json.dumps({"text": text}) + "\n" for text in texts)
    done = run(program, isa, ["embed", "--model-id", model.path, "--dtype", model.dtype, "--truncate",
                              "end", "--threads", str(threads)], input=lines.encode())
    if done.returncode != 0:
        sys.exit(done.stderr.decode().strip())
    vectors = [json.loads(line)["embedding"] for line in done.stdout.splitlines()]
    return [struct.pack(f"<{len(vector)}f", *vector) for vector in vectors]


def eight_ways(program, isa, model, texts):
    """(name, hash) of each way."""
    def digest(vectors):
        return hashlib.sha256(b"".join(vectors)).hexdigest()

    for threads in (1, 2):
        alone = [embed(program, isa, model, threads, [text])[0] for text in texts]
        yield f"{threads} threads, alone", digest(alone)
        yield f"{threads} threads, batch", digest(embed(program, isa, model, threads, texts))
        backwards = embed(program, isa, model, threads, texts[::-1])
        yield f"{threads} threads, reversed", digest(backwards[::-1])
        yield f"{threads} threads, again", digest(embed(program, isa, model, threads, texts))


def make_model(program, folder, name):
    kind = MODELS[name]
    config = folder / f"{name}.json"
    config.write_text(json.dumps(kind.config))
    model = folder / name
    subprocess.run([program, "init", "--config", config, "--length", str(kind.length), "--vocab",
                    VOCABULARY, "--seed", "1", "--padding", kind.padding, model], check=True)
    return Model(model, kind.dtype)


def mixed_texts():
    words = " ".join(path.read_text() for path in sorted(TEXTS.glob("*.txt"))).split()
    texts, start = [], 0
    for count in WORDS:
        texts.append(" ".join(words[start:start + count]))
        start += count
    return texts


def check(program, models):
    agreed = True
    texts = mixed_texts()
    assert len(texts) == 17
    for isa in ISAS:
        probe = run(program, isa, ["info", "--model-id", next(iter(models.values())).path])
        if probe.returncode == 2 and b"is not to be had here" in probe.stderr:
            print(f"{isa:8} not on this machine")
            continue
        for name, model in models.items():
            ways = list(eight_ways(program, isa, model, texts))
            hashes = {found for _, found in ways}
            if len(hashes) == 1:
                print(f"{isa:8} {name:20} {hashes.pop()}", flush=True)
                continue
            agreed = False
            print(f"{isa:8} {name:20} DIFFERS")
            for way, found in ways:
                print(f"    {way:22} {found}", flush=True)
    return agreed


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--program", default=str(ROOT / "build/release/m2"))
    parser.add_argument("--model-id", help="check this model instead")
    parser.add_argument("--dtype", default="fp32", choices=("fp32", "bf16", "int8"),
                        help="number type of that model's large products")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        if arguments.model_id:
            models = {"as stated": Model(arguments.model_id, arguments.dtype)}
        else:
            models = {name: make_model(arguments.program, pathlib.Path(scratch), name)
                      for name in MODELS}
        sys.exit(0 if check(arguments.program, models) else 1)


if __name__ == "__main__":
    main()
