#!/usr/bin/env python3
"""One text, one vector, to the bit: embeds 17 texts of mixed lengths in eight ways and compares.

The ways are {1, 2 threads} x {each text alone, all in a batch, the batch reversed, the batch in
another process}. Prints a line for each instruction set and padding contract: the SHA-256 that all
eight ways gave, or every way's own, and then fails. Standard library alone.

    tools/check_bits.py [--program build/release/m2] [--model-id MODEL]

Without --model-id, two small models of random weights are made, one for each contract.
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

ROOT = pathlib.Path(__file__).resolve().parent.parent
TEXTS = ROOT / "examples/demo/texts"
VOCABULARY = ROOT / "examples/demo/vocab.txt"
ISAS = ("avx512", "avx2", "sse4", "scalar")
# Words a text: around the edges of tiles (16, 64), of the switch between them (256) and of
# transform sizes.
WORDS = (1, 2, 3, 7, 11, 12, 13, 25, 50, 51, 100, 190, 200, 210, 400, 800, 1500)
CONFIG = {
    "model_type": "bert", "monarch_mixer_sequence_mixing": True, "hidden_size": 192,
    "intermediate_size": 768, "num_hidden_layers": 4, "num_attention_heads": 4, "hyena_w": 10,
    "hyena_emb_dim": 5, "hyena_filter_order": 64, "residual_long_conv": True,
    "use_monarch_mlp": True, "use_positional_encodings": True, "long_conv_l_max": 4096,
    "max_position_embeddings": 4096,
}
LENGTHS = {"none": 4096, "max_length": 512}


def run(program, isa, arguments, **options):
    environment = dict(os.environ, M2_ISA=isa)
    return subprocess.run([program, *arguments], env=environment, capture_output=True, **options)


def embed(program, isa, model, threads, texts):
    """Vectors of the texts, each as its fp32 bytes."""
    lines = "".join(json.dumps({"text": text}) + "\n" for text in texts)
    done = run(program, isa, ["embed", "--model-id", model, "--truncate", "end", "--threads",
                              str(threads)], input=lines.encode())
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


def make_model(program, folder, contract):
    config = folder / "config.json"
    config.write_text(json.dumps(CONFIG))
    model = folder / contract
    subprocess.run([program, "init", "--config", config, "--length", str(LENGTHS[contract]),
                    "--vocab", VOCABULARY, "--seed", "1", "--padding", contract, model],
                   check=True)
    return model


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
        probe = run(program, isa, ["info", "--model-id", next(iter(models.values()))])
        if probe.returncode == 2 and b"is not to be had here" in probe.stderr:
            print(f"{isa:8} not on this machine")
            continue
        for contract, model in models.items():
            ways = list(eight_ways(program, isa, model, texts))
            hashes = {found for _, found in ways}
            if len(hashes) == 1:
                print(f"{isa:8} {contract:12} {hashes.pop()}", flush=True)
                continue
            agreed = False
            print(f"{isa:8} {contract:12} DIFFERS")
            for name, found in ways:
                print(f"    {name:22} {found}", flush=True)
    return agreed


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--program", default=str(ROOT / "build/release/m2"))
    parser.add_argument("--model-id", help="check this model instead")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        if arguments.model_id:
            models = {"as stated": arguments.model_id}
        else:
            models = {contract: make_model(arguments.program, pathlib.Path(scratch), contract)
                      for contract in LENGTHS}
        sys.exit(0 if check(arguments.program, models) else 1)


if __name__ == "__main__":
    main()
