"""What cannot be trained: one clear line each, and nothing lost."""

import json
import resource
import shutil
import signal
import subprocess

import pytest
from training import (
    FAILED,
    INPUT,
    PROGRAM,
    USAGE,
    check_one_line,
    digest,
    environment,
    flip_byte,
    m2,
    needs_trainer,
    run,
    steps_saved,
    write_config,
)

pytestmark = needs_trainer


@pytest.fixture
def copied(data, tmp_path):
    """A copy of the data to damage."""
    folder = tmp_path / "data"
    shutil.copytree(data, folder)
    return folder


def refuse(code, says, *words):
    return check_one_line(run("train", "mlm", *words), code, says)


def test_missing_files(data, tmp_path):
    config, _ = write_config(data, tmp_path)
    refuse(INPUT, tmp_path / "no.yaml", tmp_path / "no.yaml")
    refuse(INPUT, tmp_path / "nothing", config, f"data_local={tmp_path}/nothing")
    refuse(INPUT, tmp_path / "no.txt", config, f"tokenizer_name={tmp_path}/no.txt")
    refuse(INPUT, tmp_path / "none", config, f"load_path={tmp_path}/none")


def test_an_unfinished_dataset(copied, tmp_path):
    config, into = write_config(copied, tmp_path)
    (copied / "shards/train/index.json").unlink()
    refuse(INPUT, copied / "shards/train", config)
    assert not into.exists()


def test_a_dataset_of_fewer_samples_than_a_batch(data, tmp_path):
    config, into = write_config(data, tmp_path)
    refuse(INPUT, ["samples", "global_train_batch_size"], config, "global_train_batch_size=100000")
    assert not into.exists()


def test_an_evaluation_without_a_token_to_tell(data, tmp_path):
    config, into = write_config(data, tmp_path)
    refuse(INPUT, ["eval_loader", "mlm_probability"], config, "eval_loader.dataset.mlm_probability=0.0001",
           "eval_subset_num_batches=1", "global_eval_batch_size=1")
    m2("train", "mlm", config, "max_duration=1ba")
    before = digest(into / "model/model.safetensors")
    refuse(INPUT, "eval_loader", config, "save_overwrite=true", "eval_loader.dataset.mlm_probability=0.0001",
           "eval_subset_num_batches=1", "global_eval_batch_size=1")
    assert digest(into / "model/model.safetensors") == before


def test_a_shard_with_a_flipped_byte(copied, tmp_path):
    config, _ = write_config(copied, tmp_path)
    shards = [path for path in (copied / "shards/train").iterdir() if path.suffix != ".json"]
    flip_byte(shards[0])
    refuse(INPUT, shards[0].name, config)


def test_vocabularies(data, tmp_path):
    config, _ = write_config(data, tmp_path)
    refuse(INPUT, ["vocab_size", "too small", 400], config, "model.model_config.vocab_size=128")
    small = tmp_path / "small.txt"
    words = (data / "tokenizer/vocab.txt").read_text().splitlines()
    small.write_text("\n".join(words[:200]) + "\n")
    refuse(INPUT, ["vocabulary"], config, f"tokenizer_name={small}")
    without = tmp_path / "without.txt"
    without.write_text("\n".join(word for word in words if word != "[MASK]") + "\n")
    refuse(INPUT, [without, "[MASK]"], config, f"tokenizer_name={without}")


def test_a_folder_that_holds_a_run(data, tmp_path):
    config, into = write_config(data, tmp_path)
    m2("train", "mlm", config, "max_duration=1ba")
    before = digest(into / "model/model.safetensors")
    refuse(USAGE, [into, "autoresume", "save_overwrite"], config)
    assert digest(into / "model/model.safetensors") == before
    # Data that cannot be read must not cost the run that was there.
    refuse(INPUT, "nothing", config, "save_overwrite=true", f"eval_loader.dataset.local={tmp_path}/nothing")
    assert digest(into / "model/model.safetensors") == before
    refuse(INPUT, "none", config, "save_overwrite=true", f"load_path={tmp_path}/none")
    assert digest(into / "model/model.safetensors") == before
    # It may begin with that run's own weights and vocabulary.
    m2("train", "mlm", config, "max_duration=2ba", "save_overwrite=true", f"load_path={into}/model",
       "load_weights_only=true", f"tokenizer_name={into}/model")
    assert steps_saved(into) == [2] and (into / "vocabulary/vocab.txt").exists()


def test_what_does_not_go_together(data, tmp_path):
    config, into = write_config(data, tmp_path)
    refuse(INPUT, ["load_weights_only", "load_path"], config, "load_weights_only=true")
    refuse(INPUT, ["samples_per_epoch", "proportion"], config, "train_loader.dataset.samples_per_epoch=16")
    refuse(INPUT, ["scheduler.t_warmup", "0.06dur"], config, "scheduler.t_warmup=0.06")
    refuse(USAGE, ["save_folder", "UTF-8"], config, b"save_folder=r\xe9")
    assert not into.exists()
    told = run("train", "mlm", config, "max_duration=1ba", "eval_loader.dataset.shuffle=true").stderr
    assert "eval_loader.dataset.shuffle has no effect" in told


def test_too_little_memory(data, tmp_path):
    config, _ = write_config(data, tmp_path)

    def limit_memory():
        resource.setrlimit(resource.RLIMIT_AS, (3 << 30, 3 << 30))

    sizes = [f"model.model_config.{key}=16384" for key in ("max_position_embeddings", "long_conv_l_max")]
    done = run("train", "mlm", config, "padding=max_length", "max_seq_len=16384", "model.model_config.hidden_size=4096",
               *sizes, preexec_fn=limit_memory)
    check_one_line(done, FAILED, ["not enough memory", "device_train_microbatch_size"])


def test_two_processes_in_one_folder(data, tmp_path):
    config, _ = write_config(data, tmp_path)
    first = subprocess.Popen([PROGRAM, "train", "mlm", config, "max_duration=100000ba", "log_to_console=true"],
                             env=environment(), stderr=subprocess.PIPE, text=True)
    try:
        for line in first.stderr:
            if line.startswith("step 1/"):
                break
        refuse(FAILED, "another process", config, "--resume")
    finally:
        first.kill()
        first.communicate()


@pytest.mark.parametrize("change, key", [
    ("model.model_config.hidden_size=64", "hidden_size is 32 there and 64 here"),
    ("model.model_config.num_hidden_layers=3", "num_hidden_layers"),
    ("model.model_config.residual_long_conv=false", "residual_long_conv"),
    ("padding=max_length", "padding"),
    ("model.model_config.monarch_mixer_sequence_mixing=false", "m2_bert there and mosaic_bert here"),
])
def test_a_checkpoint_of_another_architecture(data, tmp_path, change, key):
    config, into = write_config(data, tmp_path)
    m2("train", "mlm", config, "max_duration=1ba")
    refuse(INPUT, ["step-1", key], config, "--resume", change)
    assert steps_saved(into) == [1]


def limit_files(limit):
    def limit_here():
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))

    return limit_here


def test_a_full_disk_at_checkpoint_time(data, tmp_path):
    """A limit on files between the sizes of weights and moments stands in for a disk that is full."""
    config, into = write_config(data, tmp_path)
    m2("train", "mlm", config, "max_duration=10ba")
    saved = into / "checkpoints/step-10"
    before = {path.name: digest(path) for path in saved.iterdir()}
    limit = (saved / "model.safetensors").stat().st_size + 1000
    assert limit < (saved / "optimizer.safetensors").stat().st_size
    done = run("train", "mlm", config, "--resume", preexec_fn=limit_files(limit))
    line = check_one_line(done, FAILED, ["step-20", "optimizer.safetensors", "File too large", "autoresume=true", "step-10"])
    assert ".part" not in line.split(";")[1]
    assert steps_saved(into) == [10]
    assert {path.name: digest(path) for path in saved.iterdir()} == before
    assert run("train", "mlm", config, "--resume").returncode == 0


def test_a_loss_that_is_no_number(data, tmp_path):
    """Weights of 1e38 multiply to infinity."""
    from safetensors.numpy import load_file, save_file

    config, into = write_config(data, tmp_path)
    m2("train", "mlm", config, "max_duration=1ba")
    model = into / "model"
    values = load_file(model / "model.safetensors")
    values["cls.predictions.bias" if "cls.predictions.bias" in values else "cls.predictions.decoder.bias"][:] = 1e38
    values["cls.predictions.decoder.bias"][::2] = -1e38 if "cls.predictions.decoder.bias" in values else 0
    values["cls.predictions.transform.LayerNorm.weight"][:] = 1e38
    save_file(values, model / "model.safetensors", {"format": "pt"})
    folder = tmp_path / "second"
    folder.mkdir()
    config, into = write_config(data, folder)
    refuse(FAILED, ["step 1", "not finite"], config, f"load_path={model}", "load_weights_only=true")
    assert steps_saved(into) == [0]


def test_divergence_ends_it(data, tmp_path):
    config, into = write_config(data, tmp_path)
    refuse(FAILED, ["the loss has risen", "divergence_margin"], config, "max_duration=2000ba", "optimizer.lr=1",
           "scheduler.t_warmup=100ba", "scheduler.t_max=1dur", "divergence_margin=0.5",
           "save_num_checkpoints_to_keep=-1")
    told = [json.loads(line) for line in (into / "metrics.jsonl").read_text().splitlines()]
    assert steps_saved(into) and max(steps_saved(into)) < told[-1]["step"]


def test_usage(data, tmp_path):
    config, _ = write_config(data, tmp_path)
    assert run("train", "mlm").returncode == USAGE
    assert run("train", "other", config).returncode == USAGE
    assert run("train", "mlm", config, "nonsense").returncode == USAGE
    refuse(INPUT, ["max_durations", "max_duration"], config, "max_durations=3ba")
