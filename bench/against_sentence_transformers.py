#!/usr/bin/env python3
"""Times `m2 embed` against sentence-transformers on one model folder, interleaved, same threads.

    bench/against_sentence_transformers.py MODEL_FOLDER [--threads 2] [--rounds 5]
        [--program build/release/m2]

100 texts of 1 to 300 words, cut where the model ends. Both sides are timed without loading the
model; sentence-transformers runs in a process whose malloc keeps its memory, at several batch sizes,
in fp32. Prints texts a second of each round and the median ratios: to its default batch of 32, and
to the best batch size of each round. Run it with a Python that has tests/requirements.txt.
"""
import argparse
import os
import pathlib
import random
import re
import statistics
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parent.parent
BATCH_SIZES = (8, 16, 32, 64)
DEFAULT_BATCH = 32
REPEATS = 3  # of the texts, for the program: long enough to time

# Answers each batch size on its standard input with texts a second.
PEER = """
import sys, time
import torch
from sentence_transformers import SentenceTransformer
torch.set_num_threads(int(sys.argv[2]))
model = SentenceTransformer(sys.argv[1], device="cpu")
texts = open(sys.argv[3]).read().splitlines()
model.encode(texts)
for line in sys.stdin:
    start = time.perf_counter()
    model.encode(texts, batch_size=int(line))
    print(len(texts) / (time.perf_counter() - start), flush=True)
"""
# glibc's malloc told to keep its memory: where page faults are dear this is worth a factor.
KEEP_MEMORY = {"MALLOC_MMAP_MAX_": "0", "MALLOC_TRIM_THRESHOLD_": "100000000000",
               "MALLOC_TOP_PAD_": "500000000"}


def make_texts():
    words = " ".join(path.read_text() for path in sorted((ROOT / "examples/demo/texts").glob("*.txt"))).split()
    chance = random.Random(0)
    texts = []
    for i in range(100):
        count = 1 + i * 299 // 99
        start = chance.randrange(len(words) - count)
        texts.append(" ".join(words[start:start + count]))
    chance.shuffle(texts)
    return texts


def start_peer(arguments, texts_file):
    environment = os.environ | KEEP_MEMORY | {"OMP_NUM_THREADS": str(arguments.threads), "HF_HUB_OFFLINE": "1"}
    return subprocess.Popen(
        [sys.executable, "-c", PEER, arguments.model, str(arguments.threads), texts_file],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, env=environment)


def ask_peer(peer, batch_size):
    print(batch_size, file=peer.stdin, flush=True)
    return float(peer.stdout.readline())


def time_program(arguments, texts_file):
    lines = pathlib.Path(texts_file).read_text() * REPEATS
    with tempfile.NamedTemporaryFile(suffix=".npy") as output:
        done = subprocess.run(
            [arguments.program, "--verbose", "embed", "--threads", str(arguments.threads), "--truncate", "end",
             "--model-id", arguments.model, "--output", output.name],
            input=lines, capture_output=True, text=True)
    if done.returncode != 0:
        sys.exit(done.stderr)
    texts, seconds = re.search(r"(\d+) texts, \d+ tokens in ([\d.]+) s", done.stderr).groups()
    return int(texts) / float(seconds)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("model")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--program", default=str(ROOT / "build/release/m2"))
    arguments = parser.parse_args()
    to_default, to_best = [], []
    with tempfile.NamedTemporaryFile("w", suffix=".txt") as texts:
        texts.write("\n".join(make_texts()) + "\n")
        texts.flush()
        peer = start_peer(arguments, texts.name)
        ask_peer(peer, DEFAULT_BATCH)
        print("texts/s, fp32,", arguments.threads, "threads")
        print(f"{'m2':>8}" + "".join(f"{f'batch {size}':>12}" for size in BATCH_SIZES))
        for _ in range(arguments.rounds):
            ours = time_program(arguments, texts.name)
            theirs = {size: ask_peer(peer, size) for size in BATCH_SIZES}
            print(f"{ours:8.1f}" + "".join(f"{theirs[size]:12.1f}" for size in BATCH_SIZES), flush=True)
            to_default.append(ours / theirs[DEFAULT_BATCH])
            to_best.append(ours / max(theirs.values()))
        peer.stdin.close()
    print(f"median ratio {statistics.median(to_default):.2f} to its default batch of {DEFAULT_BATCH}, "
          f"{statistics.median(to_best):.2f} to its best of each round")


if __name__ == "__main__":
    main()
