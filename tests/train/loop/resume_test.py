"""A training that was stopped goes on to the same bits."""

import json
import random
import shutil
import signal

import pytest
from training import (
    INPUT,
    INTERRUPTED,
    TERMINATED,
    TEXTS,
    check_one_line,
    digest,
    flip_byte,
    losses,
    m2,
    metrics,
    needs_trainer,
    run,
    start,
    steps_saved,
    weights,
    write_config,
)

pytestmark = needs_trainer


def forty_steps(data, folder, threads):
    """40 steps in one go, with dropout, so that its masks are looked at too."""
    config, into = write_config(data, folder)
    m2("train", "mlm", config, threads=threads)
    return into


@pytest.fixture(scope="module")
def straight(data, tmp_path_factory):
    return forty_steps(data, tmp_path_factory.mktemp("straight"), 1)


@pytest.fixture
def halfway(data, tmp_path):
    """20 of the 40 steps."""
    config, into = write_config(data, tmp_path)
    m2("train", "mlm", config, "max_duration=20ba")
    shutil.rmtree(into / "model")
    return config, into


def go_on(config, *words):
    done = run("train", "mlm", config, "--resume", *words)
    assert done.returncode == 0, done.stderr
    return done.stderr


@pytest.mark.parametrize("threads", [1, 3])  # three do not divide the four blocks of a product
def test_killed_at_three_places(straight, data, tmp_path, tmp_path_factory, threads):
    if threads > 1:
        straight = forty_steps(data, tmp_path_factory.mktemp("straight"), threads)
    config, into = write_config(data, tmp_path)
    words = ("save_interval=3ba", "autoresume=true", "log_to_console=true")
    stops = sorted(random.Random(3).sample(range(5, 39), 3))
    for stop in stops:
        process = start(config, *words, threads=threads)
        for line in process.stderr:  # a step's line comes when it is done
            if line.startswith("step ") and int(line.split()[1].split("/")[0]) >= stop:
                break
        process.kill()
        process.communicate()
    done = run("train", "mlm", config, *words, threads=threads)
    assert done.returncode == 0
    # The newest checkpoint is of the last multiple of 3, or the one before where it was not whole yet.
    told = int(done.stderr.split("resumed from step ")[1].split()[0])
    assert told % 3 == 0 and stops[-1] - 5 <= told <= stops[-1] + 1
    assert weights(into) == weights(straight)
    assert digest(into / "checkpoints/step-40/optimizer.safetensors") == digest(
        straight / "checkpoints/step-40/optimizer.safetensors")
    assert losses(into) == losses(straight)  # each step once, though some were taken twice


@pytest.mark.parametrize("number, code", [
    (signal.SIGTERM, TERMINATED), (signal.SIGINT, INTERRUPTED), (signal.SIGHUP, 128 + signal.SIGHUP)])
def test_a_signal_saves_and_ends(straight, data, tmp_path, number, code):
    config, into = write_config(data, tmp_path)
    process = start(config, "log_to_console=true", "save_interval=1000ba", "eval_interval=1000ba")
    for line in process.stderr:
        if line.startswith("step 7/"):
            break
    process.send_signal(number)
    _, stderr = process.communicate()
    assert process.returncode == code
    (saved,) = steps_saved(into)
    assert 7 <= saved < 40
    last = stderr.splitlines()[-1]
    assert last.startswith("m2: ") and f"step-{saved}" in last and "autoresume=true" in last
    told = go_on(config, "save_interval=1000ba", "eval_interval=1000ba")
    assert told == f"m2: resumed from step {saved}\n"
    assert weights(into) == weights(straight)


def test_no_warning_where_nothing_differs(straight, halfway):
    config, into = halfway
    assert go_on(config) == "m2: resumed from step 20\n"
    assert weights(into) == weights(straight)


def test_other_threads_and_settings_are_told(halfway):
    config, _ = halfway
    told = go_on(config, "--threads=2", "optimizer.lr=1e-3", "max_duration=21ba").splitlines()
    assert len(told) == 3
    assert "threads 2 instead of 1" in told[0]
    assert "optimizer.lr" in told[1] and "seed" not in told[1]
    assert told[2] == "m2: resumed from step 20"


def test_a_run_without_a_whole_checkpoint_is_left_as_it_is(straight, halfway):
    config, into = halfway
    for saved in (into / "checkpoints").glob("step-*"):
        flip_byte(saved / "model.safetensors")
    before = (into / "metrics.jsonl").read_text()
    check_one_line(run("train", "mlm", config, "--resume"), INPUT, [into / "checkpoints", "whole", "save_overwrite=true"])
    assert (into / "metrics.jsonl").read_text() == before and steps_saved(into) == [10, 20]


def test_another_vocabulary_is_refused(halfway, data, tmp_path):
    config, into = halfway
    other = tmp_path / "vocab.txt"
    words = (data / "tokenizer/vocab.txt").read_text().splitlines()
    other.write_text("\n".join([*words[:-2], words[-1], words[-2]]) + "\n")
    m2("data", "build", "--tokenizer", other, "--length", 32, "--output", tmp_path / "other", data / "text.jsonl")
    settings = f"tokenizer_name={other}", f"data_local={tmp_path}/other", "eval_loader="
    check_one_line(run("train", "mlm", config, "--resume", *settings), INPUT, ["step-20", "another vocabulary"])
    check_one_line(run("train", "mlm", config, *settings, f"load_path={into}/checkpoints/step-10/",
                       f"save_folder={tmp_path}/second", "load_weights_only=true"), INPUT, ["step-10", "another vocabulary"])


def test_other_data_are_told_and_another_place_is_not(straight, halfway, data, tmp_path):
    config, into = halfway
    place = tmp_path / "elsewhere"
    shutil.copytree(data / "shards", place)
    assert go_on(config, f"data_local={place}", "max_duration=21ba") == "m2: resumed from step 20\n"
    text = tmp_path / "text.jsonl"
    text.write_text("".join(TEXTS[1:]))
    m2("data", "build", "--tokenizer", data / "tokenizer", "--length", 32, "--output", tmp_path / "other", text)
    told = go_on(config, f"train_loader.dataset.local={tmp_path}/other", "max_duration=22ba").splitlines()
    assert len(told) == 2 and "step-21: was trained on other data" in told[0]


def test_a_damaged_checkpoint_is_named_and_the_one_before_taken(straight, halfway):
    config, into = halfway
    flip_byte(into / "checkpoints/step-20/optimizer.safetensors")
    told = go_on(config).splitlines()
    assert len(told) == 2
    assert "step-20" in told[0] and "optimizer.safetensors" in told[0]
    assert told[1] == "m2: resumed from step 10"
    assert weights(into) == weights(straight)


def test_a_damaged_newest_checkpoint_costs_no_whole_one(straight, halfway):
    """It counts for nothing until the run has got there and saves its own in that place."""
    config, into = halfway
    words = "save_num_checkpoints_to_keep=1", "save_best_checkpoints_to_keep=0"
    flip_byte(into / "checkpoints/step-20/optimizer.safetensors")
    go_on(config, "max_duration=12ba", "save_interval=11ba", "scheduler.t_max=40ba", *words)
    assert steps_saved(into) == [12, 20]
    assert "resumed from step 12" in go_on(config, *words)
    assert steps_saved(into) == [40]
    assert weights(into) == weights(straight)


def test_an_evaluation_that_a_stop_cut_is_made_up_for(straight, halfway):
    config, into = halfway
    state = into / "checkpoints/step-20/state.json"
    saved = json.loads(state.read_text())
    measured, saved["evaluation_loss"] = saved["evaluation_loss"], None
    state.write_text(json.dumps(saved))
    sums = into / "checkpoints/step-20/SHA256SUMS"
    lines = [line for line in sums.read_text().splitlines() if not line.endswith("state.json")]
    sums.write_text("\n".join([*lines, f"{digest(state)}  state.json"]) + "\n")
    kept = [line for line in (into / "metrics.jsonl").read_text().splitlines(keepends=True) if "evaluation" not in line]
    (into / "metrics.jsonl").write_text("".join(kept))
    go_on(config)
    assert weights(into) == weights(straight)
    evaluated = {line["step"]: line["evaluation/loss"] for line in metrics(into) if "evaluation/loss" in line}
    assert evaluated[20] == measured and set(evaluated) == {20, 40}
    assert json.loads(state.read_text())["evaluation_loss"] == measured


def stop_behind(process, begin):
    """SIGTERM once a line on stderr begins so; what was said last."""
    for line in process.stderr:
        if line.startswith(begin):
            break
    process.send_signal(signal.SIGTERM)
    _, stderr = process.communicate()
    assert process.returncode == TERMINATED
    return stderr.splitlines()[-1]


@pytest.mark.parametrize("interval", ["10ba", "1ba"])  # with 1ba each step is saved, and removed
def test_a_stop_saves_where_none_is_to_be_kept(data, tmp_path, interval):
    config, into = write_config(data, tmp_path)
    words = "save_num_checkpoints_to_keep=0", "save_best_checkpoints_to_keep=0", f"save_interval={interval}"
    last = stop_behind(start(config, "log_to_console=true", *words), "step 7/")
    (saved,) = steps_saved(into)
    assert f"step-{saved}" in last


def test_a_stop_at_once_saves_what_came_from_another_run(straight, halfway, data, tmp_path):
    _, before = halfway
    folder = tmp_path / "other"
    folder.mkdir()
    config, into = write_config(data, folder)
    last = stop_behind(start(config, f"load_path={before}", "log_to_console=true", "save_interval=1000ba"),
                       "m2: resumed from step 20")
    (saved,) = steps_saved(into)
    assert saved >= 20 and f"step-{saved}" in last
    go_on(config)
    assert weights(into) == weights(straight)


def test_a_run_that_begins_anew_from_itself_keeps_what_it_begins_with(straight, halfway):
    config, into = halfway
    last = stop_behind(start(config, f"load_path={into}", "save_overwrite=true", "log_to_console=true",
                             "save_interval=1000ba"), "m2: resumed from step 20")
    assert 20 in steps_saved(into) and f"step-{steps_saved(into)[-1]}" in last
    go_on(config)
    assert weights(into) == weights(straight)


def test_a_micro_batch_of_another_size_is_told(halfway):
    config, _ = halfway
    told = go_on(config, "device_train_microbatch_size=3", "max_duration=21ba", "tensorboard=true",
                 "activation_checkpointing=true").splitlines()
    assert told[0] == "m2: resumed from step 20" and len(told) == 2
    assert "device_train_microbatch_size: 3 instead of 4" in told[1]


@pytest.mark.parametrize("name", ["state.json", "config.json", "model.safetensors", "SHA256SUMS"])
def test_every_file_is_watched(halfway, name):
    config, into = halfway
    flip_byte(into / "checkpoints/step-20" / name, 20)
    assert "resumed from step 10" in go_on(config, "max_duration=11ba")


def test_what_a_killed_run_left_is_cleared(straight, halfway):
    config, into = halfway
    (into / "checkpoints/step-30.part").mkdir()
    (into / "checkpoints/step-30.part/model.safetensors").write_bytes(b"half")
    (into / "checkpoints/step-20").rename(into / "checkpoints/step-20.old")  # killed while replacing it
    (into / "checkpoints/step-10").rename(into / "checkpoints/step-10.gone")  # while removing it
    assert "resumed from step 20" in go_on(config)
    assert steps_saved(into) == [20, 30, 40]
    assert weights(into) == weights(straight)


def test_another_run_goes_on_from_a_checkpoint(straight, halfway, data, tmp_path):
    _, into = halfway
    folder = tmp_path / "other"
    folder.mkdir()
    config, other = write_config(data, folder)
    done = run("train", "mlm", config, f"load_path={into}/checkpoints/step-10")
    assert "resumed from step 10" in done.stderr, done.stderr
    assert weights(other) == weights(straight)


def test_a_whole_run_has_nothing_left_to_do(straight, data, tmp_path):
    shutil.copytree(straight, tmp_path / "run")
    config, into = write_config(data, tmp_path)
    before = weights(into)
    told = go_on(config).splitlines()
    assert told[0] == "m2: resumed from step 40" and "nothing is left to train" in told[1]
    assert weights(into) == before


def test_state_lists_what_bits_depend_on(straight):
    state = json.loads((straight / "checkpoints/step-40/state.json").read_text())
    assert set(state["surroundings"]) == {"version", "build", "libtorch", "processor", "isa", "threads"}
    assert all(state["surroundings"].values())
