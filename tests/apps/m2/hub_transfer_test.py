"""Downloads that are cut, resumed, refused or done twice at once: what ends well has the hub's bytes, what does not
leaves nothing under its name, and says why in one line."""

import fcntl
import hashlib
import os
import pty
import random
import resource
import shutil
import signal
import ssl
import subprocess
import threading
import time

import pytest
from hub_program import NAME, WEIGHTS, cache, env, files_read, hub, nothing_is_there, weights_blob  # noqa: F401 (fixtures)
from m2_program import FAILED, INTERRUPTED, PROGRAM, check_refusal, environment, refuse, run, same_bits, vectors
from stand_in_hub import COMMIT, Fault, StandInHub, files_of

INFO = ["info", "--model-id", NAME]


def weights_of(model):
    return (model / WEIGHTS).read_bytes()


def ranges(hub):
    """The ranges asked of the weights, in order."""
    return [r.fields.get("Range", "") for r in hub.asked("store", "GET", WEIGHTS)]


def incomplete(cache, model):
    return cache / "blobs" / (hashlib.sha256(weights_of(model)).hexdigest() + ".incomplete")


def start(*words, env):
    return subprocess.Popen([PROGRAM, *words], env=environment(env), stdout=subprocess.PIPE, stderr=subprocess.PIPE)


def wait_for(condition):
    deadline = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)


# Cut and resumed


def test_a_cut_connection_is_resumed(hub, env, cache, model):
    hub.fail(WEIGHTS, Fault(cut=100_000), Fault(cut=0), Fault(cut=7))
    files_read(env)
    assert ranges(hub) == ["", "bytes=100000-", "bytes=100000-", "bytes=100007-"]
    assert weights_blob(cache).read_bytes() == weights_of(model)
    assert not list(cache.glob("blobs/*.incomplete"))


def test_cuts_without_end_are_told(hub, env, cache, model):
    hub.fail(WEIGHTS, *[Fault(cut=10)] * 20)
    refuse(FAILED, *INFO, env=env, says=[NAME, "broke off", "goes on where it ended"])
    assert len(ranges(hub)) == 5
    assert nothing_is_there(cache) and incomplete(cache, model).stat().st_size == 50
    # The same command goes on.
    hub.faults.clear()
    files_read(env)
    assert ranges(hub)[-1] == "bytes=50-"
    assert weights_blob(cache).read_bytes() == weights_of(model)


def test_cuts_are_counted_from_the_last_megabyte(hub, env, tmp_path):
    content = random.Random(1).randbytes(9_000_000)
    hub.add("an-org/large", {"config.json": b"{}", WEIGHTS: content})
    hub.fail(WEIGHTS, Fault(cut=0), Fault(cut=0), *[Fault(cut=1_200_000)] * 6)
    run("info", "--model-id", "an-org/large", env=env)  # which are no weights, but came
    blob = tmp_path / "hf/hub/models--an-org--large/blobs" / hashlib.sha256(content).hexdigest()
    assert blob.read_bytes() == content
    assert len(ranges(hub)) == 9


def test_a_cut_list_is_asked_for_anew(hub, env):
    hub.fail("list", Fault(cut=30), Fault(cut=1))
    files_read(env)
    assert not any("Range" in r.fields for r in hub.asked("hub"))


def test_a_server_that_ignores_ranges(hub, env, cache, model):
    hub.fail(WEIGHTS, Fault(cut=100_000), Fault(ignores_range=True))
    files_read(env)
    assert ranges(hub) == ["", "bytes=100000-"]
    assert weights_blob(cache).read_bytes() == weights_of(model)


def test_a_server_that_sends_another_range(hub, env, cache, model):
    hub.fail(WEIGHTS, Fault(cut=100_000), Fault(wrong_range=True))
    files_read(env)
    assert ranges(hub) == ["", "bytes=100000-", ""]
    assert weights_blob(cache).read_bytes() == weights_of(model)


def test_a_range_beyond_the_end(hub, env, cache, model):
    hub.fail(WEIGHTS, Fault(cut=100_000), Fault(status=416))
    files_read(env)
    assert ranges(hub) == ["", "bytes=100000-", ""]
    assert weights_blob(cache).read_bytes() == weights_of(model)


@pytest.mark.parametrize("left", [b"", b"\0" * 1000, b"\0" * 10_000_000], ids=["empty", "wrong", "too long"])
def test_what_an_earlier_run_left(hub, env, cache, model, left):
    path = incomplete(cache, model)
    path.parent.mkdir(parents=True)
    path.write_bytes(left)
    if len(left) == 1000:  # other bytes than the hub's: found out, and not kept
        refuse(FAILED, *INFO, env=env, says=[WEIGHTS, "checksum"])
        assert not path.exists()
    files_read(env)
    assert weights_blob(cache).read_bytes() == weights_of(model)


def test_all_bytes_of_an_earlier_run_need_no_request(hub, env, cache, model):
    path = incomplete(cache, model)
    path.parent.mkdir(parents=True)
    path.write_bytes(weights_of(model))
    files_read(env)
    assert ranges(hub) == [] and not path.exists()


@pytest.mark.parametrize("sign, code", [(signal.SIGINT, INTERRUPTED), (signal.SIGKILL, -signal.SIGKILL)])
def test_a_stopped_run_is_resumed(hub, env, cache, model, sign, code):
    hold = threading.Event()
    hub.fail(WEIGHTS, Fault(cut=200_000, hold=hold))
    process = start(*INFO, env=env)
    try:
        wait_for(lambda: incomplete(cache, model).exists() and incomplete(cache, model).stat().st_size == 200_000)
        process.send_signal(sign)
        out, error = process.communicate(timeout=60)
    finally:
        hold.set()
        process.kill()
    assert process.returncode == code and not out
    if sign == signal.SIGINT:
        assert error.startswith(b"m2: error: ") and error.count(b"\n") == 1
    assert incomplete(cache, model).stat().st_size == 200_000 and nothing_is_there(cache)
    files_read(env)
    assert ranges(hub) == ["", "bytes=200000-"]
    assert weights_blob(cache).read_bytes() == weights_of(model)


def test_a_terminal_sees_a_bar(hub, env):
    hub.fail(WEIGHTS, Fault(cut=200_000))
    terminal, slave = pty.openpty()
    done = run(*INFO, env=env, stderr=slave)
    os.close(slave)
    seen = os.read(terminal, 1 << 16).decode()
    os.close(terminal)
    assert done.returncode == 0
    assert f"\rdownloading {NAME}" in seen and "kB/s" in seen
    assert seen.endswith("\r\x1b[K")  # and it is gone at the end


def test_verbose_says_what_is_downloaded(hub, env):
    done = run("--verbose", *INFO, env=env)
    lines = [line for line in done.stderr.decode().splitlines() if "downloading" in line]
    assert len(lines) == 1 and all(part in lines[0] for part in [NAME, hub.url, "3 files", env["HF_HOME"]])


# What is not right is refused


@pytest.mark.parametrize("change, says", [
    (lambda b: b + b"x", "more than"),
    (lambda b: b[:-1], "but announced"),
    (lambda b: b"", "but announced"),
    (lambda b: b[:-1] + bytes([b[-1] ^ 1]), "checksum"),
    (lambda b: bytes([b[0] ^ 128]) + b[1:], "checksum"),
], ids=["longer", "shorter", "empty", "last bit", "first bit"])
@pytest.mark.parametrize("name", [WEIGHTS, "config.json"])
def test_wrong_bytes(hub, env, cache, model, change, says, name):
    hub.fail(name, Fault(content=change((model / name).read_bytes())))
    refuse(FAILED, *INFO, env=env, says=[name, says])
    assert nothing_is_there(cache) and not list(cache.glob("blobs/*.incomplete"))
    files_read(env)  # and another try is as good as the first


def test_an_etag_that_is_no_checksum_leaves_the_length_alone_to_check(hub, env, cache, model):
    """The control of the test above: it is the checksum that refuses there."""
    hub.etags[WEIGHTS] = "a-multipart-etag-7"
    wrong = weights_of(model)[:-1] + b"\x3f"
    hub.fail(WEIGHTS, Fault(content=wrong))
    assert run(*INFO, env=env).returncode == 0
    assert (cache / "blobs/a-multipart-etag-7").read_bytes() == wrong


def test_a_blob_of_another_length_is_fetched_again(hub, env, cache, model):
    files_read(env)
    blob = weights_blob(cache)
    blob.write_bytes(b"short")
    (cache / "snapshots" / COMMIT / WEIGHTS).unlink()
    files_read(env)
    assert blob.read_bytes() == weights_of(model)


def test_a_disk_that_takes_no_more(hub, env, cache, model):
    def limit():
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (200_000, 200_000))

    check_refusal(run(*INFO, env=env, preexec_fn=limit), FAILED, ["incomplete", "cannot be written", "File too large"])
    assert nothing_is_there(cache) and incomplete(cache, model).stat().st_size == 200_000
    files_read(env)
    assert ranges(hub)[-1] == "bytes=200000-"


def test_a_cache_that_cannot_be_written(hub, env, cache):
    cache.parent.parent.mkdir(parents=True)
    cache.parent.write_text("a file where a folder should be")
    refuse(FAILED, *INFO, env=env, says=[str(cache.parent), "cannot be written"])


# What may pass is tried again


@pytest.mark.parametrize("where", ["list", "config.json", WEIGHTS])
@pytest.mark.parametrize("status", [429, 500, 502, 503])
def test_a_busy_server(hub, env, cache, model, where, status):
    hub.fail(where, Fault(status=status), Fault(status=status, fields={"Retry-After": "0"}))
    files_read(env)
    assert weights_blob(cache).read_bytes() == weights_of(model)


def test_retry_after_is_waited_for(hub, env):
    hub.fail(WEIGHTS, Fault(status=429, fields={"Retry-After": "2"}))
    before = time.monotonic()
    files_read(env)
    assert time.monotonic() - before >= 2


@pytest.mark.parametrize("where", ["list", WEIGHTS])
def test_a_server_that_stays_busy(hub, env, cache, where):
    hub.fail(where, *[Fault(status=503)] * 20)
    refuse(FAILED, *INFO, env=env, says=[NAME, "answers 503", "try again later"])
    assert len(hub.faults[where]) == 15 and nothing_is_there(cache)


def test_other_refusals_are_final(hub, env):
    hub.fail(WEIGHTS, Fault(status=404), Fault(status=410))
    refuse(3, *INFO, env=env, says=["answers 404", WEIGHTS])
    refuse(FAILED, *INFO, env=env, says=["answers 410", WEIGHTS])


# Redirects


def test_redirects_end(hub, env, cache):
    hub.moved = {NAME: "an-org/other", "an-org/other": NAME}
    refuse(FAILED, *INFO, env=env, says="redirects more than 5 times")
    assert len(hub.requests) == 6
    hub.moved.clear()
    hub.redirect = f"{hub.url}/{NAME}/resolve/{COMMIT}/{WEIGHTS}"
    refuse(FAILED, *INFO, env=env, says="redirects more than 5 times")
    assert nothing_is_there(cache)


@pytest.mark.parametrize("target", ["file:///etc/passwd", "ftp://127.0.0.1/x", "gopher://127.0.0.1:9/x"])
def test_a_redirect_to_another_protocol(hub, env, cache, target):
    hub.redirect = target
    refuse(FAILED, *INFO, env=env, says=[target, "not followed"])
    assert nothing_is_there(cache)


@pytest.fixture(scope="module")
def certificate(tmp_path_factory):
    if shutil.which("openssl") is None:
        pytest.skip("no openssl to make a certificate with")
    folder = tmp_path_factory.mktemp("tls")
    subprocess.run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=127.0.0.1",
                    "-addext", "subjectAltName=IP:127.0.0.1", "-keyout", folder / "key", "-out", folder / "certificate"],
                   check=True, capture_output=True)
    return folder


def test_https(certificate, env, model, cache):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate / "certificate", certificate / "key")
    with StandInHub("https", context) as hub:
        hub.add(NAME, files_of(model))
        env |= {"HF_ENDPOINT": hub.url, "HF_TOKEN": "hf_secretsecret"}
        refuse(FAILED, *INFO, env=env, says=[hub.url, "certificate", "SSL_CERT_FILE"])
        assert not hub.requests
        env["SSL_CERT_FILE"] = str(certificate / "certificate")
        # The store is plain http: what https gave is not taken from there.
        refuse(FAILED, *INFO, env=env, says=["https", hub.store_url, "not followed"])
        assert not hub.asked("store") and nothing_is_there(cache)


# Several at once


def test_two_processes_fetch_each_file_once(hub, env, cache, model):
    hold = threading.Event()
    hub.fail(WEIGHTS, Fault(cut=200_000, hold=hold))
    words = ["embed", "--model-id", NAME, "text"]
    first = start(*words, env=env)
    try:
        wait_for(lambda: incomplete(cache, model).exists() and incomplete(cache, model).stat().st_size == 200_000)
        second = start("--verbose", *words, env=env)
        for line in second.stderr:
            if b"waiting for another process" in line:
                break
        hold.set()
        results = [process.communicate(timeout=60) for process in (first, second)]
    finally:
        hold.set()
        first.kill()
    assert [first.returncode, second.returncode] == [0, 0], results
    assert results[0][0] == results[1][0]
    assert ranges(hub) == ["", "bytes=200000-"]
    assert weights_blob(cache).read_bytes() == weights_of(model)


def test_many_processes_at_once(hub, env, model):
    running = [start("embed", "--model-id", NAME, "text", env=env) for _ in range(6)]
    outputs = [process.communicate(timeout=120) for process in running]
    assert [process.returncode for process in running] == [0] * 6, outputs
    assert len({out for out, _ in outputs}) == 1
    assert len(hub.asked(method="GET", ending=WEIGHTS)) == 2  # of the hub, that redirects, and of the store
    assert same_bits(vectors(NAME, "text", env=env), vectors(model, "text"))


def test_the_lock_is_that_of_huggingface_hub(hub, env, cache, model):
    """A process that holds it (as filelock does, by flock) is waited for; Ctrl-C ends the wait."""
    path = cache.parent / ".locks" / cache.name / incomplete(cache, model).name.replace(".incomplete", ".lock")
    path.parent.mkdir(parents=True)
    with open(path, "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        process = start("--verbose", *INFO, env=env)
        for line in process.stderr:
            if b"waiting for another process" in line:
                assert str(path).encode() in line
                break
        assert not ranges(hub)
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=60)
        assert process.returncode == INTERRUPTED and not ranges(hub)
    files_read(env)
