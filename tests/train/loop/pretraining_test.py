"""A tiny pretraining from a text file to a model folder."""

import json
import math

import numpy
import pytest
from safetensors.numpy import load_file, save_file
from training import (
    TERMINATED,
    digest,
    losses,
    m2,
    metrics,
    needs_trainer,
    run,
    steps_saved,
    weights,
    write_config,
)

pytestmark = needs_trainer


@pytest.fixture(scope="module")
def trained(data, tmp_path_factory):
    """40 steps in one go."""
    folder = tmp_path_factory.mktemp("trained")
    config, into = write_config(data, folder)
    done = run("train", "mlm", config)
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    return config, into, done.stdout


def test_loss_falls(trained):
    _, into, _ = trained
    told = losses(into)
    assert list(told) == list(range(1, 41))
    # A model of random weights tells 400 words apart no better than by chance.
    assert abs(told[1] - math.log(400)) < 0.3
    assert told[40] < told[1] - 0.4


def test_metrics_of_a_step(trained):
    _, into, _ = trained
    first, last = [line for line in metrics(into) if line["step"] in (1, 40) and "loss" in line]
    assert first["learning_rate"] == 0
    assert first["samples"] == 8 and last["samples"] == 320
    assert 0 < first["tokens"] <= 8 * 32
    assert last["learning_rate"] == pytest.approx(1e-2 * (1 - 0.98 * 35 / 36))


def test_evaluations_are_told(trained):
    _, into, stdout = trained
    told = [line for line in metrics(into) if "evaluation/loss" in line]
    assert [line["step"] for line in told] == [20, 40]
    for line in told:
        assert line["evaluation/perplexity"] == pytest.approx(math.exp(line["evaluation/loss"]))
        assert 0 <= line["evaluation/masked_accuracy"] <= 1
    assert f"evaluation loss {told[1]['evaluation/loss']:.4f}" in stdout


def test_model_folder_embeds(trained):
    _, into, _ = trained
    model = into / "model"
    lines = m2("embed", "--model-id", model, "The old gate", "and a river").splitlines()
    assert len(lines) == 2 and len(json.loads(lines[0])["embedding"]) == 32
    assert m2("fill-mask", "--model-id", model, "The [MASK] gate")


def test_checkpoint_is_a_model_folder_and_hashed(trained):
    _, into, _ = trained
    assert steps_saved(into) == [10, 20, 30, 40]
    newest = into / "checkpoints/step-40"
    assert digest(newest / "model.safetensors") == weights(into)
    for line in (newest / "SHA256SUMS").read_text().splitlines():
        value, name = line.split("  ")
        assert digest(newest / name) == value
    state = json.loads((newest / "state.json").read_text())
    assert state["step"] == 40 and state["micro_batch"] == 4 and state["surroundings"]["threads"] == 1
    assert m2("embed", "--model-id", newest, "The old gate")


def test_same_run_twice_is_the_same_to_the_byte(trained, data, tmp_path):
    config, into = write_config(data, tmp_path)
    m2("train", "mlm", config)
    assert weights(into) == weights(trained[1])


@pytest.mark.parametrize("rows", [1, 3, 8])
def test_micro_batches_agree(trained, data, tmp_path, rows):
    config, into = write_config(data, tmp_path)
    m2("train", "mlm", config, "max_duration=6ba", f"device_train_microbatch_size={rows}")
    expected, found = losses(trained[1]), losses(into)
    # The same sums in another order: fp32's rounding, and what six small updates make of it.
    for step in range(1, 7):
        assert found[step] == pytest.approx(expected[step], rel=1e-6)


def test_dropout_masks_do_not_depend_on_the_cut(data, tmp_path):
    told = []
    for rows in (2, 8):
        config, into = write_config(data, tmp_path)
        m2("train", "mlm", config, "max_duration=4ba", "save_overwrite=true", f"device_train_microbatch_size={rows}",
           "model.model_config.hidden_dropout_prob=0.3")
        told.append(losses(into))
    for step in range(1, 5):
        assert told[0][step] == pytest.approx(told[1][step], rel=1e-6)


def test_automatic_micro_batch_is_remembered(data, tmp_path):
    config, into = write_config(data, tmp_path)
    words = ("train", "mlm", config, "device_train_microbatch_size=auto", "autoresume=true")
    m2(*words, "max_duration=2ba")
    state = json.loads((into / "checkpoints/step-2/state.json").read_text())
    assert state["micro_batch"] == 8  # so small a model fits whole
    m2(*words, "max_duration=4ba")
    assert json.loads((into / "checkpoints/step-4/state.json").read_text())["micro_batch"] == 8


def test_only_the_last_and_the_best_checkpoints_stay(data, tmp_path):
    config, into = write_config(data, tmp_path)
    m2("train", "mlm", config, "max_duration=12ba", "save_interval=2ba", "eval_interval=6ba",
       "save_num_checkpoints_to_keep=2", "save_best_checkpoints_to_keep=1", "optimizer.lr=0.2",
       "divergence_margin=0")  # it gets worse and worse
    told = {line["step"]: line["evaluation/loss"] for line in metrics(into) if "evaluation/loss" in line}
    assert told[6] < told[12]
    assert steps_saved(into) == [6, 10, 12]


def test_weights_of_a_model_are_trained_on(trained, data, tmp_path):
    """From a model folder, and from a composer checkpoint made of it."""
    import torch

    model = trained[1] / "model"
    values = load_file(model / "model.safetensors")
    composer = tmp_path / "composer.pt"
    torch.save({"state": {"model": {f"model.{name}": torch.from_numpy(value) for name, value in values.items()}}},
               composer)
    for source in (model, composer):
        folder = tmp_path / f"from-{source.name}"
        folder.mkdir()
        config, into = write_config(data, folder)
        m2("train", "mlm", config, f"load_path={source}", "load_weights_only=true", "max_duration=1ba")
        # Step 0 has rate 0: its loss is the loaded model's, its weights stay.
        assert losses(into)[1] < losses(trained[1])[1] - 0.5
        saved = load_file(into / "model/model.safetensors")
        assert all(numpy.array_equal(saved[name], value) for name, value in values.items())


def test_activation_checkpointing_changes_no_bit(trained, data, tmp_path):
    config, into = write_config(data, tmp_path)
    m2("train", "mlm", config, "activation_checkpointing=true")
    assert weights(into) == weights(trained[1])


def test_bf16_stays_near(trained, data, tmp_path):
    config, into = write_config(data, tmp_path)
    m2("train", "mlm", config, "max_duration=4ba", "precision=amp_bf16")
    expected, found = losses(trained[1]), losses(into)
    for step in range(1, 5):  # bf16 keeps 8 bits: some thousandths of a loss of 6
        assert found[step] == pytest.approx(expected[step], rel=5e-3)
        assert found[step] != expected[step]


def test_dump_config_reads_back(data, tmp_path):
    config, _ = write_config(data, tmp_path)
    dumped = m2("train", "mlm", config, "--dump-config", "optimizer.lr=0.5")
    assert "lr: 0.5" in dumped
    again = tmp_path / "again.yaml"
    again.write_text(dumped)
    assert m2("train", "mlm", again, "--dump-config") == dumped


def test_progress_lines(data, tmp_path):
    config, _ = write_config(data, tmp_path)
    done = run("train", "mlm", config, "max_duration=4ba", "log_to_console=true", "console_log_interval=2ba")
    lines = [line for line in done.stderr.splitlines() if line.startswith("step ")]
    assert [line.split()[1] for line in lines if "tokens/s" in line] == ["2/4", "4/4"], done.stderr


def test_monitors_report(data, tmp_path):
    config, into = write_config(data, tmp_path)
    m2("train", "mlm", config, "max_duration=10ba", "callbacks.speed_monitor.window_size=2", "callbacks.memory_monitor={}",
       "callbacks.optimizer_monitor={}", "callbacks.runtime_estimator={}", "tensorboard=true")
    last = [line for line in metrics(into) if line["step"] == 10 and "loss" in line][0]
    assert last["speed/tokens_per_second"] > 0 and 0 < last["speed/roofline_share"] < 1.5
    assert last["memory/peak_bytes"] > 1 << 20 and last["time/seconds_left"] == 0
    assert last["optimizer/parameter_norm"] > 0 and last["optimizer/second_moment_norm"] > 0
    assert list((into / "tensorboard").glob("events.out.tfevents.*"))


@pytest.mark.slow  # makes 80 M weights
def test_bench_train():
    told = json.loads(m2("bench", "train", "--preset", "m2-bert-80M", "--lengths", 16, "--batch", 1, "--repeats", 1,
                         "--threads", 1, "--json"))
    row = told["rows"][0]
    work = 3 * (16 * 99.1e6 + row["labelled"] * 48.1e6)  # of DESIGN's arithmetic
    assert row["flops"] == pytest.approx(work, rel=1e-3)
    seconds = row["forward_seconds"] + row["backward_seconds"] + row["update_seconds"]
    assert row["roofline_share"] == pytest.approx(row["flops"] / seconds / told["gemm_rate"])


def test_a_batch_without_a_token_to_tell_has_no_loss(data, tmp_path):
    config, into = write_config(data, tmp_path)
    m2("train", "mlm", config, "max_duration=30ba", "global_train_batch_size=1", "device_train_microbatch_size=1",
       "train_loader.dataset.mlm_probability=0.02", "eval_interval=30ba")
    told = [line["loss"] for line in metrics(into) if "loss" in line]
    assert len(told) == 30 and None in told and 0 not in told
