"""Runs the console blocks of the README and of docs/: what they show is what the program does.

In a block, a line that starts with "$ " is a command; the lines after it are its output, errors
included. Numbers may differ (times do), and "…" stands for anything. Port 8080 is another one here, and
what a command leaves running ends with its page.
"""

import os
import pathlib
import re
import signal
import socket
import subprocess

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
BUILD = ROOT / os.environ.get("M2_BUILD_DIR", "build/release")
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]


def commands_of(page):
    """(command, expected lines) of each command in the page's console blocks."""
    for block in re.findall(r"^```console\n(.*?)^```", page.read_text(), re.M | re.S):
        for part in re.split(r"^\$ ", block, flags=re.M)[1:]:
            command, *lines = part.rstrip("\n").split("\n")
            yield command, lines


def matches(expected, found):
    def plain(line):
        return re.sub(r"[0-9][0-9.,e+-]*", "#", line)

    pattern = ".*".join(re.escape(plain(piece)) for piece in expected.split("…"))
    return re.fullmatch(pattern, plain(found)) is not None


def free_port():
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return str(one.getsockname()[1])


@pytest.fixture
def shell(tmp_path):
    """Runs a command in tmp_path: its exit status, and its output with its errors."""
    environment = dict(os.environ, PATH=f"{BUILD}:{os.environ['PATH']}")
    port, sessions = free_port(), []

    def run(command):
        started = subprocess.Popen(["bash", "-c", command.replace("8080", port)], cwd=tmp_path, env=environment,
                                   text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                                   start_new_session=True)
        sessions.append(started.pid)
        output, _ = started.communicate()
        return started.returncode, output

    yield run
    for session in sessions:
        try:
            os.killpg(session, signal.SIGTERM)
        except ProcessLookupError:
            pass  # nothing of it runs


@pytest.mark.parametrize("page", [p for p in PAGES if any(commands_of(p))], ids=lambda p: p.name)
def test_page_shows_what_happens(page, tmp_path, shell):
    if not (BUILD / "m2").exists():
        pytest.skip("the program is not built")
    if "cmake --install" in page.read_text() and not (BUILD / "libm2.so").exists():
        pytest.skip("the library is not built")
    if any(command.startswith("m2 train ") for command, _ in commands_of(page)) and not (BUILD / "m2-train").exists():
        pytest.skip("m2-train is not built (make train)")
    (tmp_path / "examples").symlink_to(ROOT / "examples")
    (tmp_path / "configs").symlink_to(ROOT / "configs")
    (tmp_path / "build").mkdir()
    (tmp_path / "build/release").symlink_to(BUILD)
    for command, expected in commands_of(page):
        status, output = shell(command)
        found = output.splitlines()
        fails = any(line.startswith("m2: error: ") for line in expected)
        assert (status != 0) == fails, (command, output)
        assert len(found) == len(expected), (command, output)
        for wanted, line in zip(expected, found):
            assert matches(wanted, line), (command, wanted, line)


def test_a_wrong_page_is_noticed():
    assert matches("about 1.7 s on 2 threads…", "about 12 s on 2 threads (oneDNN)")
    assert not matches("about 1.7 s on 2 threads", "about 1.7 s on two threads")
    assert not matches('{"index":0,…}', '{"id":0,"embedding":[1]}')


def test_links_lead_somewhere():
    for page in PAGES:
        for target in re.findall(r"\]\(([^)#:]+)\)", page.read_text()):
            assert (page.parent / target).exists(), (page.name, target)
