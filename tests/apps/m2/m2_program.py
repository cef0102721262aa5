"""Runs the program as a user would and holds it to its promises: exit codes, one error line, a quiet stderr."""

import json
import os
import pathlib
import re
import subprocess

import numpy

ROOT = pathlib.Path(__file__).resolve().parents[3]
PROGRAM = ROOT / os.environ.get("M2_BUILD_DIR", "build/release") / "m2"
VOCABULARY = ROOT / "examples/demo/vocab.txt"
GOLDEN = ROOT / "tests/golden/m2_bert"
MAX_LENGTH = 128
HIDDEN = 40  # no multiple of a channel block

FAILED, USAGE, INPUT, INTERRUPTED = 1, 2, 3, 130

CONFIG = {
    "model_type": "bert",
    "monarch_mixer_sequence_mixing": True,
    "hidden_size": HIDDEN,
    "intermediate_size": 96,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "monarch_mlp_nblocks": 4,
    "hyena_w": 10,
    "hyena_emb_dim": 5,
    "hyena_filter_order": 16,
    "residual_long_conv": True,
    "bidirectional": True,
    "use_glu_mlp": True,
    "use_monarch_mlp": True,
    "use_positional_encodings": True,
    "long_conv_l_max": 512,
    "max_position_embeddings": 512,
}


# What would change the program's defaults or lead it elsewhere.
VARIABLES = re.compile(r"M2_(?!ISA$)|HF_|HUGGING|TRANSFORMERS_|XDG_CACHE_HOME|.*_proxy$", re.IGNORECASE)


def environment(extra=None):
    """This process's, without what would change the program's defaults; the network is out of reach unless asked for."""
    kept = {k: v for k, v in os.environ.items() if not VARIABLES.match(k)}
    return kept | {"HF_HUB_OFFLINE": "1"} | (extra or {})


def run(*words, stdin=b"", env=None, **options):
    if not {"stdin", "input"} & set(options):
        options["input"] = stdin
    words = [word if isinstance(word, bytes) else str(word) for word in words]
    options = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "timeout": 120} | options
    return subprocess.run([PROGRAM, *words], env=environment(env), **options)


def succeed(*words, **options):
    """Standard output of a run that must end well, with nothing on stderr."""
    done = run(*words, **options)
    assert done.returncode == 0, done.stderr.decode()
    assert done.stderr == b""
    return done.stdout


def check_refusal(done, code, says=()):
    """Exactly one line on stderr, that begins as errors do and holds every one of `says`; its code."""
    text = done.stderr.decode()
    assert done.returncode == code, (done.returncode, text)
    assert text.startswith("m2: error: ") and text.endswith("\n") and text.count("\n") == 1, text
    assert "\r" not in text
    for part in [says] if isinstance(says, str) else says:
        assert str(part) in text, text
    return text


def refuse(code, *words, says=(), **options):
    """A run that must fail, with nothing on standard output."""
    done = run(*words, **options)
    text = check_refusal(done, code, says)
    assert not done.stdout
    return text


def embed(model, *words, **options):
    """The JSON lines of `m2 embed`, each an object with an embedding as a float32 array."""
    lines = succeed("embed", "--model-id", model, *words, **options).splitlines()
    return [parse_line(line) for line in lines]


def parse_line(line):
    value = json.loads(line)
    value["embedding"] = numpy.array(value["embedding"], dtype=numpy.float32)
    return value


def vectors(model, *words, **options):
    return numpy.stack([line["embedding"] for line in embed(model, *words, **options)])


def ids_of(model, text):
    line = succeed("tokenize", "--model-id", model, stdin=text.encode() + b"\n")
    return json.loads(line)["ids"]


def save_ids(folder, rows, name="ids.npy"):
    path = folder / name
    numpy.save(path, numpy.array(rows, dtype=numpy.int64))
    return path


def same_bits(a, b):
    return a.shape == b.shape and a.astype(numpy.float32).tobytes() == b.astype(numpy.float32).tobytes()


def relative_error(found, expected):
    return numpy.linalg.norm(found.astype(float) - expected) / numpy.linalg.norm(expected)


def init(config_folder, out, *words, padding="none", seed=1, config=None, vocabulary=VOCABULARY,
         length=MAX_LENGTH):
    """A small model of random weights in the folder `out`."""
    path = config_folder / f"{out.name}-config.json"
    path.write_text(json.dumps(CONFIG | (config or {})))
    succeed("init", "--config", path, "--length", length, "--vocab", vocabulary, "--seed", seed,
            "--padding", padding, *words, out)
    return out
