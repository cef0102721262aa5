"""Runs `m2 train mlm` on a tiny model as a user would."""

import hashlib
import json
import os
import pathlib
import re
import subprocess

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[3]
BUILD = ROOT / os.environ.get("M2_BUILD_DIR", "build/release")
PROGRAM, TRAINER = BUILD / "m2", BUILD / "m2-train"
FAILED, USAGE, INPUT, INTERRUPTED, TERMINATED = 1, 2, 3, 130, 143

needs_trainer = pytest.mark.skipif(not TRAINER.exists(), reason="m2-train is not built (make train)")


def paragraphs():
    """Documents of a few dozen words, as JSON lines, from the demo's first novel."""
    novel = sorted((ROOT / "examples/demo/texts").glob("*.txt"))[0].read_text()
    blocks = [" ".join(block.split()) for block in novel.split("\n\n")]
    return [json.dumps({"text": block}) + "\n" for block in blocks if len(block) > 80][:300]


TEXTS = paragraphs()

CONFIG = """
run_name: tiny
seed: 5
tokenizer_name: {tokenizer}
data_local: {shards}
max_seq_len: 32
padding: none
model:
  name: bert
  model_config:
    hidden_size: 32
    intermediate_size: 64
    num_hidden_layers: 2
    num_attention_heads: 2
    max_position_embeddings: 32
    monarch_mixer_sequence_mixing: true
    long_conv_l_max: 32
    hyena_w: 10
    hyena_emb_dim: 5
    hyena_filter_order: 16
    residual_long_conv: true
    use_glu_mlp: true
    use_monarch_mlp: true
    use_positional_encodings: true
train_loader:
  dataset:
    shuffle: true
    mlm_probability: 0.30
eval_loader:
  dataset:
    mlm_probability: 0.15
optimizer:
  name: decoupled_adamw
  lr: 1.0e-2
scheduler:
  name: linear_decay_with_warmup
  t_warmup: 4ba
  t_max: 40ba
algorithms:
  gradient_clipping:
    clipping_type: norm
    clipping_threshold: 1.0
max_duration: 40ba
eval_interval: 20ba
eval_subset_num_batches: 2
global_train_batch_size: 8
device_train_microbatch_size: 4
save_interval: 10ba
save_folder: {run}
tensorboard: false
"""


def environment(threads=1):
    kept = {k: v for k, v in os.environ.items() if not k.startswith("M2_") or k == "M2_ISA"}
    return kept | {"M2_THREADS": str(threads)}


def run(*words, threads=1, **options):
    words = [word if isinstance(word, bytes) else str(word) for word in words]
    options = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "timeout": 240, "text": True} | options
    return subprocess.run([PROGRAM, *words], env=environment(threads), **options)


def start(*words, threads=1):
    """`m2 train mlm`, in the background."""
    return subprocess.Popen([PROGRAM, "train", "mlm", *words], env=environment(threads), stdout=subprocess.PIPE,
                            stderr=subprocess.PIPE, text=True)


def m2(*words, **options):
    done = run(*words, **options)
    assert done.returncode == 0, done.stderr
    return done.stdout


def write_config(data, folder):
    """CONFIG.yaml for a run in folder/run; returns both paths."""
    config, into = folder / "config.yaml", folder / "run"
    config.write_text(CONFIG.format(tokenizer=data / "tokenizer", shards=data / "shards", run=into))
    return config, into


def check_one_line(done, code, says):
    """One error line, that begins as errors do and holds every one of `says`."""
    assert done.returncode == code, (done.returncode, done.stderr)
    errors = [line for line in done.stderr.splitlines() if line.startswith("m2: error: ")]
    assert len(errors) == 1, done.stderr
    for part in says if isinstance(says, list) else [says]:
        assert str(part) in errors[0], done.stderr
    return errors[0]


def metrics(into):
    return [json.loads(line) for line in (into / "metrics.jsonl").read_text().splitlines()]


def losses(into):
    return {line["step"]: line["loss"] for line in metrics(into) if "loss" in line}


def digest(path):
    return hashlib.sha256(path.read_bytes()).hexdigest()


def weights(into):
    return digest(into / "model/model.safetensors")


def steps_saved(into):
    names = [path.name for path in (into / "checkpoints").glob("*")]
    assert all(re.fullmatch(r"step-\d+", name) for name in names), names
    return sorted(int(name[5:]) for name in names)


def flip_byte(path, place=-100):
    data = bytearray(path.read_bytes())
    data[place] ^= 1
    path.write_bytes(data)
