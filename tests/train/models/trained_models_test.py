"""Training against `transformers`, and trained folders through the program `m2`.

Needs training_probe and m2 of the build directory (M2_BUILD_DIR, by default build/release).
"""

import json
import os
import pathlib
import subprocess

import numpy
import pytest
import safetensors.numpy
import torch
import transformers

ROOT = pathlib.Path(__file__).resolve().parents[3]
BUILD = ROOT / os.environ.get("M2_BUILD_DIR", "build/release")
PROBE = BUILD / "tests/train/models/training_probe"
VOCABULARY = ROOT / "examples/demo/vocab.txt"
WORDS = VOCABULARY.read_text().splitlines()
TEXT = "The [MASK] was open, and the old gate too."
TEXT_IDS = transformers.BertTokenizerFast(vocab=str(VOCABULARY))(TEXT)["input_ids"]
LENGTH, STEPS = 40, 6
LENGTHS = (40, len(TEXT_IDS), 1, 39)  # of the texts of a batch, so that there are pads
# eps is large beside the rounding of a gradient that is zero in exact numbers (BERT's key bias), which
# AdamW would make into steps of random sign.
PLAN = {"lr": 2e-3, "beta1": 0.9, "beta2": 0.98, "eps": 1e-4, "weight_decay": 0.05}

pytestmark = pytest.mark.skipif(not PROBE.exists(), reason="training is not built here")


def relative_error(found, expected):
    found, expected = numpy.asarray(found, numpy.float64), numpy.asarray(expected, numpy.float64)
    return numpy.linalg.norm(found - expected) / numpy.linalg.norm(expected)


def write_batches(folder, seed):
    """Random ids, masks and labels (-100: none) as training_probe reads them, and as a dict.

    The first batch's second text is TEXT, labelled at its [MASK] alone.
    """
    random = numpy.random.default_rng(seed)
    shape = (STEPS, len(LENGTHS), LENGTH)
    mask = numpy.broadcast_to(numpy.arange(LENGTH) < numpy.array(LENGTHS)[:, None], shape)
    ids = numpy.where(mask, random.integers(1, len(WORDS), shape), 0)
    labelled = mask & (random.random(shape) < 0.3)
    labels = numpy.where(labelled, random.integers(1, len(WORDS), shape), -100)
    ids[0, 1, :len(TEXT_IDS)] = TEXT_IDS
    labels[0, 1] = numpy.where(ids[0, 1] == WORDS.index("[MASK]"), WORDS.index("the"), -100)
    batches = {"input_ids": ids, "labels": labels, "attention_mask": mask.astype(numpy.int64)}
    for name, values in batches.items():
        numpy.save(folder / f"{name}.npy", values.astype(numpy.int64))
    return batches


def run_probe(folder, out, decoupled):
    (folder / "plan.json").write_text(json.dumps(PLAN | {"decoupled": decoupled}))
    (folder / "vocab.txt").write_bytes(VOCABULARY.read_bytes())
    out.mkdir()
    subprocess.run([PROBE, folder, out], check=True, env=os.environ | {"OMP_NUM_THREADS": "1"})


@pytest.fixture(scope="module")
def bert(tmp_path_factory):
    """A BERT of transformers trained by the probe: its folder, what the probe wrote, the batches."""
    folder = tmp_path_factory.mktemp("bert")
    torch.manual_seed(5)
    model = transformers.BertForMaskedLM(transformers.BertConfig(
        vocab_size=len(WORDS), hidden_size=60, num_hidden_layers=2, num_attention_heads=3, intermediate_size=100,
        max_position_embeddings=48, initializer_range=0.2, hidden_dropout_prob=0, attention_probs_dropout_prob=0))
    with torch.no_grad():  # biases of 0 and norms of 1 would not show where they are
        for name, value in model.named_parameters():
            if name.endswith("bias") or "LayerNorm" in name:
                value += 0.3 * torch.randn_like(value)
    model.save_pretrained(folder)
    batches = write_batches(folder, 1)
    run_probe(folder, folder / "out", decoupled=False)
    return folder, folder / "out", batches


def step_loss(model, batches, step):
    inputs = {name: torch.from_numpy(values[step]) for name, values in batches.items()}
    return model(**inputs)


def train_with_torch(folder, batches, weight_decay=PLAN["weight_decay"]):
    """In float64: the first batch's output and gradients, all losses, the model at last."""
    model = transformers.BertForMaskedLM.from_pretrained(folder).double().train()
    optimizer = torch.optim.AdamW(model.parameters(), lr=PLAN["lr"], betas=(PLAN["beta1"], PLAN["beta2"]),
                                  eps=PLAN["eps"], weight_decay=weight_decay)
    losses = []
    for step in range(STEPS):
        optimizer.zero_grad()
        output = step_loss(model, batches, step)
        output.loss.backward()
        losses.append(output.loss.item())
        if step == 0:
            logits = output.logits.detach().numpy()[batches["labels"][0] > 0]
            gradients = {name: value.grad.numpy().copy() for name, value in model.named_parameters()}
        optimizer.step()
    return logits, gradients, losses, model


def test_bert_trains_as_in_transformers(bert):
    folder, out, batches = bert
    logits, gradients, losses, model = train_with_torch(folder, batches)
    first = safetensors.numpy.load_file(out / "first.safetensors")
    assert relative_error(first["logits"], logits) < 1e-5
    size = numpy.sqrt(sum(numpy.linalg.norm(value) ** 2 for value in gradients.values()))
    for name, expected in gradients.items():
        error = numpy.linalg.norm(first[name] - expected)
        # A key's bias changes nothing: what there is of its gradient is rounding.
        assert error < 2e-5 * max(numpy.linalg.norm(expected), 1e-3 * size), name
    assert json.loads((out / "losses.json").read_text()) == pytest.approx(losses, rel=2e-6)
    saved = safetensors.numpy.load_file(out / "model/model.safetensors")
    parameters = dict(model.named_parameters())
    assert saved.keys() == parameters.keys()
    for name, value in parameters.items():
        assert relative_error(saved[name], value.detach().numpy()) < 2e-5, name


def test_another_weight_decay_is_seen(bert):
    folder, out, batches = bert
    *_, model = train_with_torch(folder, batches, weight_decay=0.9 * PLAN["weight_decay"])
    saved = safetensors.numpy.load_file(out / "model/model.safetensors")
    name = "bert.encoder.layer.0.attention.self.query.weight"
    assert relative_error(saved[name], dict(model.named_parameters())[name].detach().numpy()) > 2e-5


M2_BERT = {
    "monarch_mixer_sequence_mixing": True, "hidden_size": 40, "intermediate_size": 96, "num_hidden_layers": 2,
    "num_attention_heads": 4, "monarch_mlp_nblocks": 4, "hyena_w": 10, "hyena_emb_dim": 5, "hyena_filter_order": 16,
    "residual_long_conv": True, "use_monarch_mlp": True, "use_positional_encodings": True, "long_conv_l_max": 48,
    "max_position_embeddings": 48, "hidden_dropout_prob": 0, "padding": "none",
}
MOSAIC_BERT = {
    "alibi_starting_size": 48, "use_glu_mlp": True, "hidden_size": 40, "intermediate_size": 96,
    "num_hidden_layers": 2, "num_attention_heads": 4, "max_position_embeddings": 48, "hidden_dropout_prob": 0,
}


def m2(*words):
    done = subprocess.run([BUILD / "m2", *map(str, words)], capture_output=True, check=True,
                          env=os.environ | {"HF_HUB_OFFLINE": "1"})
    return done.stdout


def made_by_init(folder, config):
    (folder / "own.json").write_text(json.dumps({"model_type": "bert", "vocab_size": len(WORDS)} | config))
    m2("init", "--config", folder / "own.json", "--length", 48, "--vocab", VOCABULARY, "--seed", 2, folder / "new")
    return folder / "new"


def add_head(folder):
    """An MLM head beside what m2 init made, and spread-out weights: new long convolutions are nearly zero."""
    weights = safetensors.numpy.load_file(folder / "model.safetensors")
    random = numpy.random.default_rng(4)
    width = weights["bert.embeddings.LayerNorm.weight"].size
    head = {"transform.dense.weight": (width, width), "transform.dense.bias": (width,),
            "transform.LayerNorm.weight": (width,), "transform.LayerNorm.bias": (width,),
            "decoder.bias": (weights["bert.embeddings.word_embeddings.weight"].shape[0],)}
    weights |= {f"cls.predictions.{name}": numpy.zeros(shape, numpy.float32) for name, shape in head.items()}
    for name, value in weights.items():
        if not name.endswith((".t", ".deltas")) and "pooler" not in name:
            value += 0.2 * random.standard_normal(value.shape, dtype=numpy.float32)
    kept = {name: value for name, value in weights.items() if "pooler" not in name}
    safetensors.numpy.save_file(kept, folder / "model.safetensors")


@pytest.mark.parametrize("config", [M2_BERT, MOSAIC_BERT], ids=["m2_bert", "mosaic_bert"])
def test_trained_weights_give_the_same_in_the_engine(tmp_path, config):
    folder = made_by_init(tmp_path, config)
    add_head(folder)
    write_batches(folder, 2)
    run_probe(folder, tmp_path / "out", decoupled=True)
    check_engine(folder, tmp_path / "out")


def test_trained_bert_gives_the_same_in_the_engine(bert):
    folder, out, _ = bert
    check_engine(folder, out)


def check_engine(folder, out):
    """The trained folder through m2: hidden states and the probabilities of a masked text."""
    last = safetensors.numpy.load_file(out / "last.safetensors")
    before = safetensors.numpy.load_file(out / "first.safetensors")
    for text, length in enumerate(LENGTHS):
        ids = numpy.load(folder / "input_ids.npy")[0, text:text + 1, :length]
        numpy.save(out / "ids.npy", ids)
        m2("embed", "--model-id", out / "model", "--input-ids", out / "ids.npy", "--pooling", "none", "--normalize",
           "false", "-o", out / f"hidden{text}.npy")
        found = numpy.load(out / f"hidden{text}.npy").reshape(length, -1)
        assert relative_error(found, last["hidden"][text, :length]) < 1e-5
        assert relative_error(found, before["hidden"][text, :length]) > 1e-3  # training moved them
    labels = numpy.load(folder / "labels.npy")[0]
    logits = last["logits"][(labels[0] > 0).sum()].astype(numpy.float64)
    expected = numpy.exp(logits - logits.max()) / numpy.exp(logits - logits.max()).sum()
    answer = json.loads(m2("fill-mask", "--model-id", out / "model", "--json", "--top", 20, TEXT))
    guesses = answer["masks"][0]["guesses"]
    assert [guess["id"] for guess in guesses] == list(numpy.argsort(-expected)[:20])
    # An error of 1e-5 of a logit, whose size is a few units, is one of the probability, relatively.
    assert [guess["probability"] for guess in guesses] == pytest.approx(
        [expected[guess["id"]] for guess in guesses], rel=1e-5 * numpy.abs(logits).max())
