"""`m2 embed --resume`: a stopped run's file becomes the one of an undisturbed run, byte for byte."""

import json
import os
import random
import shutil
import signal
import subprocess
import time

import pytest
from m2_program import INPUT, PROGRAM, USAGE, environment, init, refuse, run, succeed

WORDS = "the gate was open and a garden of old houses lay in the long light of summer by the sea".split()


def texts_of(count, seed, longest):
    """JSON lines of texts of 1 to `longest` words; every third has no id."""
    draw = random.Random(seed)
    lines = []
    for number in range(count):
        line = {"text": " ".join(draw.choices(WORDS, k=draw.randint(1, longest)))}
        lines.append(json.dumps(line if number % 3 == 0 else line | {"id": f"text {number}"}))
    return ("\n".join(lines) + "\n").encode()


def command(model, output, *words):
    return ("embed", "--model-id", model, "--threads", "1", "-o", output, *words)


def kill_at(model, output, stdin, size, delay, *words):
    """Starts the run and kills it `delay` seconds after its unfinished file has `size` bytes; whether the
    run was still at work."""
    words = [str(word) for word in command(model, output, *words)]
    part = f"{output}.part"
    process = subprocess.Popen([PROGRAM, *words], stdin=subprocess.PIPE, stdout=subprocess.DEVNULL,
                               stderr=subprocess.PIPE, env=environment())
    with process:
        process.stdin.write(stdin)
        process.stdin.close()
        while process.poll() is None and size_of(part) < size:
            time.sleep(0.0002)
        time.sleep(delay)
        process.kill()
        process.wait()
        errors = process.stderr.read()
    assert process.returncode in (0, -signal.SIGKILL), errors
    return process.returncode != 0


def size_of(path):
    try:
        return os.stat(path).st_size
    except FileNotFoundError:
        return 0


def stop_and_resume(model, folder, stdin, whole_size, kills, seed, *words):
    """The bytes of a run that was killed at random moments, in order, and resumed each time; and how many
    of the kills met a run at work. Every sixth falls into the start, before a line is written."""
    draw = random.Random(seed)
    output, met = folder / "v.jsonl", 0
    sizes = sorted(draw.randrange(whole_size) for _ in range(kills))
    for kill, size in enumerate(sizes):
        at_start = kill % 6 == 0
        met += kill_at(model, output, stdin, 0 if at_start else size, draw.uniform(0, 0.05 if at_start else 0.002),
                       *words, "--resume")
        if output.exists():
            break
    succeed(*command(model, output, "--resume", *words), stdin=stdin)
    assert os.listdir(folder) == ["v.jsonl"]
    return output.read_bytes(), met


@pytest.fixture(scope="module")
def undisturbed(model, tmp_path_factory):
    folder = tmp_path_factory.mktemp("whole")

    def make(stdin, *words):
        output = folder / "v.jsonl"
        succeed(*command(model, output, *words), stdin=stdin)
        return output.read_bytes()

    return make


@pytest.mark.parametrize("words", [(), ("--chunk", "9", "--overlap", "3")], ids=["texts", "chunks"])
def test_twenty_kills_of_two_thousand_texts(model, undisturbed, tmp_path, words):
    stdin = texts_of(2000, 3, 60)
    whole = undisturbed(stdin, *words)
    found, met = stop_and_resume(model, tmp_path, stdin, len(whole), 20, 4, *words)
    assert found == whole
    assert met >= 10  # a run that this process was too slow to kill had simply ended


def cut_at(model, whole, tmp_path, size, stdin, *words):
    """Resumes behind the first `size` bytes of a run's file."""
    output = tmp_path / "v.jsonl"
    (tmp_path / "v.jsonl.part").write_bytes(whole[:size])
    succeed(*command(model, output, "--resume", *words), stdin=stdin)
    assert os.listdir(tmp_path) == ["v.jsonl"]
    found = output.read_bytes()
    output.unlink()
    return found


@pytest.mark.parametrize("words", [(), ("--chunk", "9", "--overlap", "3"), ("--pooling", "none")],
                         ids=["texts", "chunks", "tokens"])
def test_cut_anywhere(model, undisturbed, tmp_path, words):
    stdin = texts_of(12, 5, 30)
    whole = undisturbed(stdin, *words)
    ends = [place + 1 for place, byte in enumerate(whole) if byte == ord("\n")]
    sizes = {0, 1, 9, len(whole) - 1, len(whole)}
    for end in ends:
        sizes |= {end - 1, end, end + 1, end + 30}
    for size in sorted(size for size in sizes if size <= len(whole))[::2 if words else 1]:
        assert cut_at(model, whole, tmp_path, size, stdin, *words) == whole, size


def test_every_way_in(model, tmp_path):
    texts = ["the gate", "a garden of old houses", "open"]
    files = []
    for number, text in enumerate(texts):
        (tmp_path / f"{number}.txt").write_text(text)
        files += ["-f", tmp_path / f"{number}.txt"]
    for name, words, stdin in (("a", texts, b""), ("f", files, b""), ("s", [], "\n".join(texts).encode())):
        output = tmp_path / f"{name}.jsonl"
        succeed(*command(model, output, *words), stdin=stdin)
        whole = output.read_bytes()
        output.unlink()
        (tmp_path / f"{name}.jsonl.part").write_bytes(whole[: len(whole) // 2])
        succeed(*command(model, output, "--resume", *words), stdin=stdin)
        assert output.read_bytes() == whole


def test_nothing_there_and_all_there(model, undisturbed, tmp_path):
    stdin, output = texts_of(8, 6, 20), tmp_path / "v.jsonl"
    whole = undisturbed(stdin)
    succeed(*command(model, output, "--resume"), stdin=stdin)
    assert output.read_bytes() == whole
    before = os.stat(output)
    succeed(*command(model, output, "--resume"), stdin=stdin)  # had ended
    after = os.stat(output)
    assert (before.st_ino, before.st_mtime_ns) == (after.st_ino, after.st_mtime_ns)
    more = texts_of(11, 6, 20)
    assert more.startswith(stdin)
    succeed(*command(model, output, "--resume"), stdin=more)
    assert output.read_bytes() == undisturbed(more)
    done = run(*command(model, output, "--resume", "--verbose"), stdin=more)
    assert done.returncode == 0 and b"11 texts were done before" in done.stderr


def test_another_run_is_noticed(model, undisturbed, tmp_path):
    stdin, output, part = texts_of(8, 7, 20), tmp_path / "v.jsonl", tmp_path / "v.jsonl.part"
    whole = undisturbed(stdin)
    lines = whole.splitlines(keepends=True)
    half = b"".join(lines[:5])

    def refused(content, stdin, says, *words, model=model):
        part.write_bytes(content)
        refuse(INPUT, *command(model, output, "--resume", *words), stdin=stdin, says=["v.jsonl.part", *says])
        assert part.read_bytes() == content and not output.exists()

    other = init(tmp_path, tmp_path / "other", seed=2)
    refused(half, stdin, ["text 1", "model"], model=other)
    refused(half, stdin, ["flags"], "--pooling", "mean")
    refused(half, stdin, ["flags"], "--prompt", "the ")
    refused(half, stdin, ["flags"], "--chunk", "8")
    refused(half, stdin, ["flags"], "--normalize", "true")
    refused(half, texts_of(8, 8, 20), ["text"])
    refused(half, stdin.replace(b"text 1", b"text X"), ["text 2", "text 1", "text X"])
    refused(half, stdin.replace(b', "id": "text 4"', b""), ["text 5", "none"])
    refused(half, b"".join(stdin.splitlines(keepends=True)[:4]), ["4 texts"])
    refused(b"".join(lines[:2] + lines[3:5]), stdin, ["text 3", "order"])
    refused(b"".join(lines[:2] + lines[1:5]), stdin, ["text 3", "order"])
    refused(b"{}\n", stdin, ["text 1", "did not write"])
    refused(b"a table of something\n", stdin, ["did not write"])
    # The longest text is looked at, not the ends alone: another chunk shows where there is one.
    chunked = undisturbed(stdin, "--chunk", "9")
    refused(chunked, stdin, ["flags"], "--chunk", "10")
    part.write_bytes(half)
    succeed(*command(model, output, "--resume"), stdin=stdin)
    assert output.read_bytes() == whole


def test_without_resume_nothing_is_thrown_away(model, undisturbed, tmp_path):
    stdin, output, part = texts_of(5, 9, 10), tmp_path / "v.jsonl", tmp_path / "v.jsonl.part"
    part.write_bytes(b"a line\n")
    for words in (command(model, output), command("no-such-model", output),
                  ["embed", "--model-id", model, "--input-ids", "x.npy", "-o", output]):
        refuse(USAGE, *words, stdin=stdin, says=["v.jsonl.part", "--resume"])
        assert part.read_bytes() == b"a line\n"
    part.write_bytes(b"")
    succeed(*command(model, output), stdin=stdin)
    assert output.read_bytes() == undisturbed(stdin)


def test_an_ended_run_with_a_broken_end_is_mended(model, undisturbed, tmp_path):
    stdin, output = texts_of(5, 9, 10), tmp_path / "v.jsonl"
    output.write_bytes(undisturbed(stdin) + b'{"index":5,"tok')
    succeed(*command(model, output, "--resume"), stdin=stdin)
    assert output.read_bytes() == undisturbed(stdin)


def test_resume_needs_a_file_of_lines(model, tmp_path):
    for words in ([], ["-o", tmp_path / "v.npy"], ["-o", tmp_path / "v.txt"],
                  ["-o", tmp_path / "v.jsonl", "--format", "npy"]):
        refuse(USAGE, "embed", "--model-id", model, "--resume", *words, "a", says="--resume")
    refuse(USAGE, "embed", "--model-id", model, "--resume", "-o", "/dev/null", "--format", "jsonl", "a",
           says="no file")
    refuse(USAGE, "embed", "--model-id", model, "--resume", "--input-ids", "x.npy", "-o", tmp_path / "v.jsonl",
           says="--resume")
    assert os.listdir(tmp_path) == []


def test_two_files_the_unfinished_one_goes_on(model, undisturbed, tmp_path):
    stdin, output = texts_of(6, 10, 10), tmp_path / "v.jsonl"
    whole = undisturbed(stdin)
    output.write_text("an older result\n")
    (tmp_path / "v.jsonl.part").write_bytes(whole[: len(whole) // 2])
    succeed(*command(model, output, "--resume"), stdin=stdin)
    assert output.read_bytes() == whole
    shutil.rmtree(tmp_path)
