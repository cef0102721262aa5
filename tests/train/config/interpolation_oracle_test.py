"""Training files resolved by OmegaConf, which the research code reads them with, and by ours: the same values."""

import os
import pathlib
import subprocess

import pytest
from omegaconf import OmegaConf

ROOT = pathlib.Path(__file__).resolve().parents[3]
PROBE = ROOT / os.environ.get("M2_BUILD_DIR", "build/release") / "tests/train/config/train_config_probe"

FILE = """
data_local: ./my-data
root: ${data_local}/deep
max_seq_len: 64
which: wide
sizes:
  wide: {hidden: 96, rates: [1e-3, 5.0e-4]}
  narrow: {hidden: 32, rates: [2e-3, 1.0e-4]}
decays: ${betas}
betas: [0.9, 0.95]
tokenizer_name: bert-base-uncased
run_name: run-${max_seq_len}-${sizes.${which}.hidden}
model:
  name: bert
  pretrained_model_name: ${tokenizer_name}
  tokenizer_name: ${model.pretrained_model_name}
  model_config:
    hidden_size: ${sizes.${which}.hidden}
    intermediate_size: 128
    num_hidden_layers: 2
    num_attention_heads: 4
    max_position_embeddings: ${max_seq_len}
    long_conv_l_max: ${max_seq_len}
    monarch_mixer_sequence_mixing: True
    hyena_w: 1e1
    hyena_emb_dim: 5
train_loader:
  dataset:
    local: ${root}
    shuffle: yes
    mlm_probability: 3e-1
    streams:
      a: {local: "${root}/a", proportion: .5}
      b: {local: '${root}/b', proportion: 1}
optimizer:
  lr: ${sizes.${which}.rates.1}
  betas: ${decays}
  eps: 1.0e-06
  weight_decay: 1.e-5
scheduler: {name: cosine_with_warmup, t_warmup: 0.06dur, alpha_f: 0}
max_duration: 1000sp
eval_interval: 2000ba
global_train_batch_size: 32
seed: 17
precision: amp_bf16
save_folder: ${root}/${run_name}/${seed}
"""
SAME = [
    "run_name", "seed", "tokenizer_name", "max_seq_len", "save_folder", "precision", "max_duration", "eval_interval",
    "global_train_batch_size", "model.name", "model.pretrained_model_name", "model.model_config.hidden_size",
    "model.model_config.max_position_embeddings", "model.model_config.hyena_w", "optimizer.lr", "optimizer.betas",
    "optimizer.eps", "optimizer.weight_decay", "scheduler.name", "scheduler.t_warmup", "scheduler.alpha_f",
    "train_loader.dataset.shuffle", "train_loader.dataset.mlm_probability", "train_loader.dataset.streams.a.local",
    "train_loader.dataset.streams.b.local", "train_loader.dataset.streams.a.proportion",
    "train_loader.dataset.streams.b.proportion",
]


def resolved(path, overrides):
    done = subprocess.run([PROBE, path, *overrides], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    return OmegaConf.create(done.stdout)


@pytest.mark.parametrize("overrides", [
    [],
    ["max_seq_len=128"],
    ["which=narrow", "data_local=/elsewhere"],
    ["sizes.wide.hidden=48", "optimizer.betas=[0.8, 0.9]", "optimizer.eps=1e-7"],
    ["betas=[0.5, 0.25]", "seed=3", "run_name=x${seed}", "model.model_config.hyena_w=2.5"],
    ["train_loader.dataset.streams.a.local=${data_local}", "train_loader.dataset.shuffle=False"],
])
def test_the_same_values(tmp_path, overrides):
    path = tmp_path / "train.yaml"
    path.write_text(FILE)
    theirs = OmegaConf.merge(OmegaConf.load(path), OmegaConf.from_cli(overrides))
    ours = resolved(path, overrides)
    for key in SAME:
        assert OmegaConf.select(ours, key) == OmegaConf.select(theirs, key), key


# What OmegaConf has and ours has not.
@pytest.mark.parametrize("line, says", [
    ("    split: ${.local}-train", "relative name"),
    ("    split: ${oc.env:HOME}", "resolver"),
])
def test_what_is_refused_by_design(tmp_path, line, says):
    path = tmp_path / "train.yaml"
    path.write_text(FILE.replace("    shuffle: yes", "    shuffle: yes\n" + line))
    done = subprocess.run([PROBE, path], capture_output=True, text=True, timeout=60)
    assert done.returncode == 3 and says in done.stderr


def test_presets_as_omegaconf_reads_them(tmp_path):
    files = sorted((ROOT / "configs").glob("*.yaml"))
    assert files
    for path in files:
        theirs, ours = OmegaConf.load(path), resolved(path, [])
        for key in SAME:
            stated = OmegaConf.select(theirs, key)
            if stated is not None:
                assert OmegaConf.select(ours, key) == stated, (path.name, key)
