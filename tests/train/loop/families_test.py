"""BERT, MosaicBERT and a padded M2-BERT learn, and go on to the same bytes where they were stopped."""

import signal

import pytest
from training import TERMINATED, digest, losses, m2, metrics, needs_trainer, run, start, weights, write_config

pytestmark = needs_trainer

STEPS, BATCH, EPOCH = 40, 8, 60  # each epoch ends in a batch of four
COMMON = ("train_loader.drop_last=false", f"train_loader.dataset.streams={{part: {{samples: {EPOCH}}}}}",
          "device_train_microbatch_size=3")
ATTENTION_DROPOUT = "model.model_config.attention_probs_dropout_prob=0.1"

# family: (words, keys of the common configuration that are not its own, signal that stops it)
MIXER_KEYS = ("monarch_mixer_sequence_mixing", "long_conv_l_max", "hyena_w", "hyena_emb_dim", "hyena_filter_order",
              "residual_long_conv", "use_monarch_mlp", "use_positional_encodings")
FAMILIES = {
    "bert": (("model.name=hf_bert", ATTENTION_DROPOUT), (*MIXER_KEYS, "use_glu_mlp"), signal.SIGTERM),
    "mosaic_bert": ((ATTENTION_DROPOUT,), MIXER_KEYS, signal.SIGKILL),
    "m2_bert": (("padding=max_length",), (), signal.SIGKILL),
}


def write_family(name, data, folder):
    """The configuration, its words and the run's folder."""
    words, foreign_keys, _ = FAMILIES[name]
    config, into = write_config(data, folder)
    lines = config.read_text().splitlines(keepends=True)
    config.write_text("".join(line for line in lines if line.split(":")[0].strip() not in foreign_keys))
    return [config, *COMMON, *words], into


@pytest.fixture(scope="module", params=FAMILIES)
def straight(request, data, tmp_path_factory):
    """A family's name and its run without a stop."""
    words, into = write_family(request.param, data, tmp_path_factory.mktemp(request.param))
    m2("train", "mlm", *words)
    return request.param, into


def test_it_is_that_family(straight):
    name, into = straight
    assert m2("info", "--model-id", into / "model").splitlines()[0].split() == ["family", name]


def test_losses_go_down(straight):
    told = losses(straight[1])
    assert list(told) == list(range(1, STEPS + 1))
    first, last = ([told[step] for step in steps] for steps in (range(1, 6), range(STEPS - 4, STEPS + 1)))
    assert sum(last) / 5 < sum(first) / 5 - 0.4
    first, last = (line["evaluation/loss"] for line in metrics(straight[1]) if "evaluation/loss" in line)
    assert last < first


def test_each_epoch_ends_in_a_smaller_batch(straight):
    samples = [0, *(line["samples"] for line in metrics(straight[1]) if "loss" in line)]
    taken = [after - before for before, after in zip(samples, samples[1:])]
    assert taken == [EPOCH % BATCH if step % 8 == 0 else BATCH for step in range(1, STEPS + 1)]


def test_stopped_and_resumed_is_the_same_to_the_byte(straight, data, tmp_path):
    name, whole = straight
    number = FAMILIES[name][2]
    words, into = write_family(name, data, tmp_path)
    process = start(*words, "log_to_console=true")
    for line in process.stderr:
        if line.startswith("step 12/"):  # in the second epoch of five
            break
    process.send_signal(number)
    process.communicate()
    assert process.returncode == (TERMINATED if number == signal.SIGTERM else -number)
    # A kill may leave a checkpoint that is not whole, under another name.
    saved = max(int(path.name[5:]) for path in (into / "checkpoints").glob("step-*") if path.name[5:].isdigit())
    assert (saved >= 12 if number == signal.SIGTERM else saved % 10 == 0) and saved < STEPS
    done = run("train", "mlm", *words, "--resume")
    assert done.returncode == 0 and done.stderr == f"m2: resumed from step {saved}\n"
    assert weights(into) == weights(whole)
    moments = f"checkpoints/step-{STEPS}/optimizer.safetensors"
    assert digest(into / moments) == digest(whole / moments)
    assert losses(into) == losses(whole)
