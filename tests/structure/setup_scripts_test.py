"""What the scripts of tools/ that fetch things say when sudo, the network or Python is missing: one clear line.

Each runs in a copy of what it needs, with a PATH that holds a few real commands and stand-ins for the others.
"""
import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
REAL = ["bash", "cat", "cut", "dirname", "env", "grep", "mkdir", "rm", "sha256sum", "touch", "true"]
NOTHING = "exit 1\n"
ALL = 'echo "ii "\n'


class Machine:
    """A folder with the scripts, and the commands that its PATH finds; calls are written down."""

    def __init__(self, folder):
        self.tree, self.bin, self.calls = folder / "tree", folder / "bin", folder / "calls"
        self.bin.mkdir()
        for name in ["install_packages.sh", "make_venv.sh", "bare_root.sh"]:
            (self.tree / "tools").mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / "tools" / name, self.tree / "tools")
        (self.tree / "tests").mkdir()
        shutil.copy(ROOT / "tests/requirements.txt", self.tree / "tests")
        for name in REAL:
            (self.bin / name).symlink_to(shutil.which(name))
        self.has("id", "echo 1000\n")

    def has(self, name, script="exit 0\n"):
        """A stand-in for a command: notes its words, then runs the script."""
        path = self.bin / name
        path.write_text(f'#!/bin/bash\necho "{name} $*" >>"{self.calls}"\n{script}')
        path.chmod(0o755)
        return self

    def debian(self, installed=NOTHING, install="exit 0\n"):
        self.has("dpkg-query", installed)
        return self.has("apt-get", f'[[ "$*" == *install* ]] || exit 0\n{install}')

    def run(self, script, *words):
        return subprocess.run(["bash", self.tree / "tools" / script, *words], env={"PATH": str(self.bin)},
                              stdin=subprocess.DEVNULL, capture_output=True, text=True)

    def refuses(self, script, *words, says):
        done = self.run(script, *words)
        assert done.returncode == 1, done
        assert done.stderr.startswith("m2: ") and done.stderr.count("\n") == 1, done.stderr
        for part in says:
            assert part in done.stderr, done.stderr
        return done

    def called(self, name):
        lines = self.calls.read_text().splitlines() if self.calls.exists() else []
        return [line for line in lines if line.startswith(name + " ")]


@pytest.fixture
def machine(tmp_path):
    return Machine(tmp_path)


# Packages


def test_nothing_missing_touches_nothing(machine):
    machine.debian(ALL).has("sudo")
    done = machine.run("install_packages.sh", "build", "tests")
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert not machine.called("apt-get") and not machine.called("sudo")
    assert not (machine.tree / "build").exists()


def test_root_installs_without_sudo(machine):
    machine.debian().has("id", "echo 0\n")
    done = machine.run("install_packages.sh", "build")
    assert done.returncode == 0, done.stderr
    assert "libdnnl-dev" in machine.called("apt-get")[-1]


def test_a_user_installs_with_sudo_that_may_not_ask(machine):
    machine.debian().has("sudo", '[[ "$1" == -n ]] && shift && exec "$@"\n')
    done = machine.run("install_packages.sh", "build")
    assert done.returncode == 0, done.stderr
    assert machine.called("sudo")[-1].startswith("sudo -n env DEBIAN_FRONTEND=noninteractive apt-get")
    assert "libdnnl-dev" in machine.called("apt-get")[-1]


def test_no_sudo(machine):
    machine.debian().refuses("install_packages.sh", "build", "tests",
                             says=["no sudo", "as root", "apt-get install", "libdnnl-dev", "python3-venv"])
    assert not machine.called("apt-get")


def test_a_sudo_that_asks_for_a_password(machine):
    machine.debian().has("sudo", "echo 'sudo: a password is required' >&2\nexit 1\n")
    machine.refuses("install_packages.sh", "build", says=["password", "sudo apt-get install", "libdnnl-dev"])
    assert not machine.called("apt-get")


def test_no_network_for_packages(machine):
    machine.debian(install="echo 'E: Unable to locate package libdnnl-dev' >&2\nexit 100\n").has("id", "echo 0\n")
    machine.refuses("install_packages.sh", "build", says=["network", "libdnnl-dev", "build/install_packages.log"])


def test_another_system(machine):
    machine.has("g++", NOTHING).refuses("install_packages.sh", "build", says=["not Debian", "libdnnl-dev"])


# Python


def python(version="exit 0\n", venv="exit 0\n"):
    return f'case "$*" in *version_info*) {version.strip()} ;; *venv*) {venv.strip()} ;; -V) echo Python 3.9.2 ;; esac\n'


def test_no_python(machine):
    machine.refuses("make_venv.sh", says=["Python 3.11", "no python3"])


def test_an_old_python(machine):
    machine.has("python3", python(version="exit 1\n")).refuses("make_venv.sh", says=["Python 3.11", "Python 3.9.2"])


def test_a_python_without_venv(machine):
    machine.has("python3", python(venv="exit 1\n")).refuses("make_venv.sh", says=["venv", "build/make_venv.log"])


def make_pip(machine, script):
    """A venv whose pip is a stand-in."""
    path = machine.tree / ".venv/bin/python"
    path.parent.mkdir(parents=True)
    path.write_text(f'#!/bin/bash\n[[ "$*" == *--version* ]] && exit 0\necho "pip $*" >>"{machine.calls}"\n{script}')
    path.chmod(0o755)


def test_no_network_for_pip(machine):
    machine.has("python3", python())
    make_pip(machine, "echo 'Could not fetch URL' >&2\nexit 1\n")
    machine.refuses("make_venv.sh", says=["network", "requirements.txt", "build/make_venv.log"])
    assert not list((machine.tree / ".venv").glob("requirements-*"))


def test_a_whole_environment_is_left_alone(machine):
    machine.has("python3", python())
    make_pip(machine, "exit 0\n")
    assert machine.run("make_venv.sh").returncode == 0
    assert len(machine.called("pip")) == 2  # torch by itself, then all
    assert machine.run("make_venv.sh").stdout == ""
    assert len([line for line in machine.called("pip") if "install" in line]) == 2


# The bare root


def test_a_bare_root_needs_root(machine):
    machine.refuses("bare_root.sh", says=["root", "sudo"])


def test_a_bare_root_names_what_is_missing(machine):
    machine.has("id", "echo 0\n").refuses("bare_root.sh", says=["debootstrap is missing", "apt-get install"])


@pytest.mark.parametrize("words, says", [
    (["--part", "both"], "root or user"), (["--what"], "unknown option --what"), (["--folder"], "--folder needs"),
])
def test_a_bare_root_refuses_wrong_words(machine, words, says):
    machine.refuses("bare_root.sh", *words, says=[says])


def test_a_bare_root_without_a_network(machine, tmp_path):
    machine.has("id", "echo 0\n").has("debootstrap", "echo 'E: no network'\nexit 1\n").has("git").has("unshare").has("chroot")
    machine.refuses("bare_root.sh", "--folder", tmp_path / "roots", says=["network", "debootstrap.log"])
    assert "no network" in (tmp_path / "roots/logs/debootstrap.log").read_text()
    assert not (tmp_path / "roots/base.whole").exists()


def test_training_and_tests_share_one_torch():
    def torch(file):
        return re.findall(r"^torch==.*$", (ROOT / file).read_text(), re.M)
    assert len(torch("tools/training-requirements.txt")) == 1
    assert torch("tools/training-requirements.txt") == torch("tests/requirements.txt")
