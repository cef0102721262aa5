"""Texts that cannot be embedded, outputs that cannot be written, work that is interrupted."""

import json
import os
import resource
import signal
import subprocess
import time

import pytest
from m2_program import (
    FAILED,
    INPUT,
    INTERRUPTED,
    MAX_LENGTH,
    PROGRAM,
    check_refusal,
    environment,
    ids_of,
    parse_line,
    refuse,
    run,
    succeed,
)

LONG = "the old gate " * 100
SUFFIXES = ["jsonl", "npy", "txt"]


# Texts


@pytest.mark.asan
@pytest.mark.parametrize("bad", [b"a\xffb", b"\xc0\x80", b"\xed\xa0\x80", b"cut \xe2\x82"])
def test_invalid_utf8(model, tmp_path, bad):
    words = ("embed", "--model-id", model)
    refuse(INPUT, *words, "good", bad, says=["text 2", "UTF-8"])
    refuse(INPUT, *words, stdin=b"good\n" + bad + b"\n", says=["line 2", "UTF-8"])
    path = tmp_path / "bad.txt"
    path.write_bytes(bad)
    refuse(INPUT, *words, "-f", path, says=["bad.txt", "UTF-8"])
    refuse(INPUT, *words, stdin=b'{"text": "good"}\n{"text": "' + bad + b'"}\n', says="line 2")
    check_refusal(run("tokenize", "--model-id", model, stdin=b"good\n" + bad), INPUT, says=["line 2", "UTF-8"])


@pytest.mark.asan
@pytest.mark.parametrize("blank", [b"", b" ", b"\t \t"])
def test_empty_text(model, tmp_path, blank):
    words = ("embed", "--model-id", model)
    refuse(INPUT, *words, "good", blank, says=["text 2", "empty"])
    refuse(INPUT, *words, stdin=b"good\n" + blank + b"\nmore\n", says=["line 2", "empty"])
    path = tmp_path / "blank.txt"
    path.write_bytes(blank)
    refuse(INPUT, *words, "-f", path, says=["blank.txt", "empty"])
    refuse(INPUT, *words, stdin=b'{"text": ""}\n', says=["line 1", "empty"])
    refuse(INPUT, *words, stdin=b"", says="no text")


def test_text_too_long(model, tmp_path):
    tokens = len(ids_of(model, LONG))
    words = ("embed", "--model-id", model)
    says = ["text 2", tokens, MAX_LENGTH, "--truncate"]
    refuse(INPUT, *words, "good", LONG, says=says)
    refuse(INPUT, *words, "--truncate", "error", "good", LONG, says=says)
    path = tmp_path / "long.txt"
    path.write_text(LONG)
    refuse(INPUT, *words, "-f", path, says=["long.txt", tokens, MAX_LENGTH])


def test_missing_text_files(model, tmp_path):
    refuse(INPUT, "embed", "--model-id", model, "-f", tmp_path / "no.txt", says="no.txt")
    refuse(INPUT, "embed", "--model-id", model, "-f", tmp_path, says=[tmp_path, "folder"])


@pytest.mark.asan
@pytest.mark.parametrize("line", [
    b"plain", b"{", b'{"text": 5}', b'{"txt": "a"}', b'{"text": "a", "id": null}', b'{"text": "a"} x',
    b'{"text": "a", "id": {"b": 1}}', b'{"text": "\\ud800"}', b"[" * 100000,
    b'{"text": "a", "b": ' + b"[" * 100 + b"]" * 100 + b"}",
])
def test_bad_json_lines(model, line):
    refuse(INPUT, "embed", "--model-id", model, stdin=b'{"text": "good"}\n' + line + b"\n", says="line 2")


def test_a_failed_run_leaves_the_output_alone(model, tmp_path):
    for suffix in SUFFIXES:
        path = tmp_path / f"v.{suffix}"
        path.write_text("old")
        refuse(INPUT, "embed", "--model-id", model, "-o", path, "", says="empty")
        refuse(INPUT, "embed", "--model-id", tmp_path / "nowhere", "-o", path, "one", says="nowhere")
        assert path.read_text() == "old"
    assert sorted(os.listdir(tmp_path)) == ["v.jsonl", "v.npy", "v.txt"]  # and nothing half-written


# Outputs


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_no_space_on_a_device(model, suffix):
    if not os.path.exists("/dev/full"):
        pytest.skip("this machine has no /dev/full")
    refuse(FAILED, "embed", "--model-id", model, "-o", "/dev/full", "--format", suffix, "one",
           says=["/dev/full", "No space left"])
    with open("/dev/full", "wb") as full:
        done = run("embed", "--model-id", model, "--format", suffix, "one", stdout=full)
        check_refusal(done, FAILED, says=["standard output", "No space left"])
    assert not os.path.exists("/dev/full.part")


def limit_file_size():
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (20000, 20000))


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_no_space_for_a_file(model, tmp_path, suffix):
    """A limit on the file's size stands for a full disk: the same failed write, another reason."""
    path = tmp_path / f"v.{suffix}"
    refuse(FAILED, "embed", "--model-id", model, "-o", path, stdin=b"one gate\n" * 2000,
           preexec_fn=limit_file_size, says=[path, "File too large"])
    # Whole lines are worth keeping; a part of an array or a table is not.
    assert os.listdir(tmp_path) == (["v.jsonl.part"] if suffix == "jsonl" else [])
    if suffix == "jsonl":
        lines = (tmp_path / "v.jsonl.part").read_bytes().splitlines()
        assert [parse_line(line)["index"] for line in lines[:-1]] == list(range(len(lines) - 1))


def test_no_space_on_a_small_disk(model, tmp_path):
    mount = ["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", str(tmp_path)]
    if os.geteuid() != 0 or subprocess.run(mount, capture_output=True).returncode != 0:
        pytest.skip("mounting needs a privileged user")
    try:
        for suffix in ("npy", "txt", "jsonl"):
            path = tmp_path / f"v.{suffix}"
            refuse(FAILED, "embed", "--model-id", model, "-o", path, stdin=b"one gate\n" * 2000,
                   says=[path, "No space left"])
            assert os.listdir(tmp_path) == ([f"{path.name}.part"] if suffix == "jsonl" else [])
    finally:
        subprocess.run(["umount", str(tmp_path)], check=True)


def test_no_space_for_a_model(model, tmp_path):
    config = tmp_path / "config.json"
    config.write_bytes((model / "config.json").read_bytes())
    refuse(FAILED, "init", "--config", config, "--length", MAX_LENGTH, "--vocab", model / "vocab.txt",
           tmp_path / "out", preexec_fn=limit_file_size, says=["out", "File too large"])
    assert os.listdir(tmp_path / "out") == []


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_outputs_that_cannot_be_made(model, tmp_path, suffix):
    words = ("embed", "--model-id", model, "one", "-o")
    refuse(FAILED, *words, tmp_path / "no" / f"v.{suffix}", says=[tmp_path / "no" / f"v.{suffix}", "No such"])
    (tmp_path / f"folder.{suffix}").mkdir()
    refuse(FAILED, *words, tmp_path / f"folder.{suffix}", says=[f"folder.{suffix}", "directory"])


def test_nothing_under_the_name_until_it_is_whole(model, tmp_path):
    path = tmp_path / "v.jsonl"
    with started(model, path, stdin=subprocess.PIPE) as process:
        process.stdin.write(b"the old gate\n" * 64)
        process.stdin.flush()
        wait_for_lines(process, tmp_path / "v.jsonl.part")
        assert os.listdir(tmp_path) == ["v.jsonl.part"]
        process.stdin.close()
        process.stdin = None
        assert process.wait(timeout=30) == 0
    assert os.listdir(tmp_path) == ["v.jsonl"]


# Interruption


def started(model, output, stdin):
    return subprocess.Popen([PROGRAM, "embed", "--model-id", model, "-o", output], stdin=stdin,
                            stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment())


def wait_for_lines(process, path):
    deadline = time.monotonic() + 15
    while not path.exists() or path.stat().st_size == 0:
        assert process.poll() is None and time.monotonic() < deadline
        time.sleep(0.01)


def interrupt(process):
    """Sends SIGINT; the finished process as subprocess.run gives one."""
    process.send_signal(signal.SIGINT)
    out, error = process.communicate(timeout=30)
    return subprocess.CompletedProcess(process.args, process.returncode, out, error)


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_interrupted_half_way(model, tmp_path, suffix):
    count = 50000
    texts = tmp_path / "texts.in"
    texts.write_text("the old gate was open\n" * count)
    folder = tmp_path / "out"
    folder.mkdir()
    output, part = folder / f"v.{suffix}", folder / f"v.{suffix}.part"
    with open(texts, "rb") as lines, started(model, output, stdin=lines) as process:
        wait_for_lines(process, part)
        done = interrupt(process)
    check_refusal(done, INTERRUPTED, says="interrupted")
    if suffix != "jsonl":
        assert os.listdir(folder) == []
        return
    assert os.listdir(folder) == [part.name]
    lines = part.read_bytes()
    assert lines.endswith(b"\n")
    finished = [parse_line(line)["index"] for line in lines.splitlines()]
    assert 0 < len(finished) < count and finished == list(range(len(finished)))


def test_interrupted_while_it_waits_for_input(model, tmp_path):
    output = tmp_path / "v.jsonl"
    with started(model, output, stdin=subprocess.PIPE) as process:
        process.stdin.write(b"the old gate\n" * 64 + b"half a li")
        process.stdin.flush()
        wait_for_lines(process, tmp_path / "v.jsonl.part")
        time.sleep(0.2)
        process.send_signal(signal.SIGINT)
        assert process.wait(timeout=10) == INTERRUPTED
        assert process.stderr.read().startswith(b"m2: error: interrupted")
    lines = (tmp_path / "v.jsonl.part").read_bytes().splitlines()
    assert len(lines) == 64 and not output.exists()


def test_tokenize_is_interrupted(model):
    words = [PROGRAM, "tokenize", "--model-id", str(model)]
    with subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
                          env=environment()) as process:
        process.stdin.write(b"one\n")
        process.stdin.flush()
        time.sleep(0.5)
        process.send_signal(signal.SIGINT)
        assert process.wait(timeout=10) == INTERRUPTED


def test_init_is_interrupted(model, tmp_path):
    out = tmp_path / "out"
    words = [PROGRAM, "init", "--preset", "m2-bert-80M", "--length", "2048", "--vocab", model / "vocab.txt", out]
    with subprocess.Popen(words, stderr=subprocess.PIPE, env=environment()) as process:
        while not out.exists():
            assert process.poll() is None
            time.sleep(0.001)
        check_refusal(interrupt(process), INTERRUPTED, says="interrupted")
    assert os.listdir(out) == []


def test_a_whole_run_replaces_what_was_left(model, tmp_path):
    (tmp_path / "v.txt.part").write_text("0.5\n")
    succeed("embed", "--model-id", model, "-o", tmp_path / "v.txt", "one")
    assert os.listdir(tmp_path) == ["v.txt"]
    assert len((tmp_path / "v.txt").read_text().split()) > 1
