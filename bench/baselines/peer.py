#!/usr/bin/env python3
"""One peer of `m2 bench --against`: another program's forward pass, timed on request.

    bench/baselines/peer.py NAME --model MODEL_FOLDER [--threads N]

Example:
    echo '{"length": 512, "batch": 1}' | bench/baselines/peer.py bert-onnxruntime-fp32 --model my-model

Prints one JSON object a line. First, once it is ready:
    {"peer": NAME, "title": what runs, "dtype": "fp32", "family": "bert"}
or {"error": why not}, and exit code 1. Then, for each line {"length": L, "batch": B} that it reads,
    {"seconds": 0.123, "peak_bytes": 123456789}
or {"error": why not}: the time of one forward pass on random ids, mean pooling included, and the most
memory that the process had so far. The first request of a shape runs a pass before the one it times.
The end of the input ends it. Libraries' own output goes to standard error.
"""
import argparse
import importlib
import json
import os
import pathlib
import resource
import sys
import time

# The module of each peer, and the variant that its make(variant, threads, config, folder) is asked for.
PEERS = {
    "m2-pytorch-published": ("m2_bert_pytorch", "published"),
    "m2-pytorch-compiled": ("m2_bert_pytorch", "compiled"),
    "bert-pytorch-fp32": ("bert_pytorch", "fp32"),
    "bert-pytorch-bf16": ("bert_pytorch", "bf16"),
    "bert-onnxruntime-fp32": ("bert_onnxruntime", "fp32"),
    "bert-onnxruntime-int8": ("bert_onnxruntime", "int8"),
}


class Refusal(Exception):
    """What the peer will not do, in one line for the user."""


def load(name, threads, folder):
    """The peer `name`: title, dtype, family, vocabulary, max_length and vectors(ids [B][L]) -> [B][width]."""
    if name not in PEERS:
        raise Refusal(f"no peer is called '{name}'; there are {', '.join(PEERS)}")
    path = pathlib.Path(folder) / "config.json"
    try:
        config = json.loads(path.read_text())
    except (OSError, ValueError) as problem:
        raise Refusal(f"{path}: cannot be read: {problem}; make a model with m2 init") from problem
    module, variant = PEERS[name]
    try:
        return importlib.import_module(module).make(variant, threads, config, pathlib.Path(folder))
    except ModuleNotFoundError as problem:
        remedy = "run make bench-venv and use bench/.venv/bin/python"
        raise Refusal(f"Python has no {problem.name}; {remedy}") from problem


def parse_request(line, model):
    """(batch, length) of a request's line."""
    try:
        request = json.loads(line)
    except ValueError:
        raise Refusal(f"not a JSON object: {line.strip()[:80]}") from None
    shape = []
    for key in ("batch", "length"):
        value = request.get(key) if isinstance(request, dict) else None
        if type(value) is not int or value < 1:
            raise Refusal(f"a request has a positive whole {key}: {line.strip()[:80]}")
        shape.append(value)
    if shape[1] > model.max_length:
        raise Refusal(f"length {shape[1]} is above the model's {model.max_length}")
    return tuple(shape)


def time_forward(model, shape, seen):
    import numpy

    ids = numpy.random.default_rng(1).integers(0, model.vocabulary, shape)
    if shape not in seen:
        model.vectors(ids)
        seen.add(shape)
    start = time.perf_counter()
    model.vectors(ids)
    seconds = time.perf_counter() - start
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    return {"seconds": seconds, "peak_bytes": peak}


def in_one_line(problem):
    text = " ".join(str(problem).split())
    return text if isinstance(problem, Refusal) else f"{type(problem).__name__}: {text}"


def answer(line, model, seen):
    try:
        return time_forward(model, parse_request(line, model), seen)
    except Exception as problem:  # whatever a library raises is the request's answer
        return {"error": in_one_line(problem)}


def take_standard_output():
    """Standard output for this program alone; what libraries print goes to standard error."""
    ours = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    return ours


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("name", metavar="NAME", help=", ".join(PEERS))
    parser.add_argument("--model", required=True, metavar="MODEL_FOLDER",
                        help="a folder made by m2 init; BERT takes its sizes of vocabulary and text")
    parser.add_argument("--threads", type=int, default=len(os.sched_getaffinity(0)), metavar="N",
                        help="of the library; as many as there are processors by default")
    arguments = parser.parse_args()
    output = take_standard_output()

    def say(message):
        print(json.dumps(message), file=output, flush=True)

    try:
        if arguments.threads < 1:
            raise Refusal(f"--threads {arguments.threads}: a peer needs at least one")
        model = load(arguments.name, arguments.threads, arguments.model)
    except Exception as problem:
        say({"error": in_one_line(problem)})
        return 1
    say({"peer": arguments.name, "title": model.title, "dtype": model.dtype, "family": model.family})
    seen = set()
    for line in sys.stdin:
        say(answer(line, model, seen))
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except (KeyboardInterrupt, BrokenPipeError):
        os._exit(130)
