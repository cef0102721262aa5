#!/usr/bin/env python3
"""Applies the one-line faults of tests/mutants/*.toml one at a time and wants a red test for each.

    tools/run_mutants.py [--list] [--shuffle SEED] [--seconds LIMIT] [NAME...]

It works in build/mutants/tree, a copy of the tree as it is now (uncommitted changes included) with
a build folder of its own; nothing here is touched. A mutant's test must pass without the fault;
then the mutant is written, its targets are built, and the test must fail. A mutant fails when its
test stays green, its text is not found exactly once, or it does not build. With a limit of time
some are left out, never all; shuffled by a commit's hash, another commit leaves out others.
tests/mutants/README.md describes the files.
"""
import argparse
import functools
import math
import os
import random
import shutil
import subprocess
import sys
import time
import tomllib
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
WORK = ROOT / "build" / "mutants"
TREE = WORK / "tree"
BUILD = TREE / "build" / "release"
LOGS = WORK / "logs"
TEST_SECONDS = 180  # a hang is a red test

KEYS = {"name", "file", "find", "replace", "why", "ctest", "filter", "pytest", "targets"}


class Trouble(Exception):
    """A mutant, or the run, that cannot be judged."""


@dataclass(frozen=True)
class Test:
    """How to run a test: a ctest name with a GoogleTest filter, or a pytest node."""
    ctest: str
    filter: str
    pytest: str

    def command(self):
        if self.pytest:
            python = ROOT / ".venv" / "bin" / "python"
            runner = str(python) if python.exists() else sys.executable
            return [runner, "-m", "pytest", "-q", "-x", "-p", "no:cacheprovider", self.pytest]
        return ["ctest", "--test-dir", str(BUILD), "-R", f"^{self.ctest}$", "--no-tests=error",
                "--verbose", "--timeout", str(TEST_SECONDS)]

    def environment(self):
        extra = {"M2_BUILD_DIR": str(BUILD)}
        if self.filter:
            extra["GTEST_FILTER"] = self.filter
        return os.environ | extra

    def label(self):
        return self.pytest or (f"{self.ctest} {self.filter}" if self.filter else self.ctest)


@dataclass(frozen=True)
class Mutant:
    name: str
    file: str
    find: str
    replace: str
    why: str
    test: Test
    targets: tuple


def read_mutants(folder):
    """The mutants of every .toml file of `folder`; a name is FILE/NAME."""
    mutants = []
    for path in sorted(folder.glob("*.toml")):
        for entry in tomllib.loads(path.read_text(encoding="utf-8")).get("mutant", []):
            name = f"{path.stem}/{entry.get('name', '?')}"
            for key in ("name", "file", "find", "replace", "why"):
                if not isinstance(entry.get(key), str):
                    raise Trouble(f"{name}: has no text '{key}'")
            if set(entry) - KEYS:
                raise Trouble(f"{name}: unknown key {sorted(set(entry) - KEYS)[0]}")
            if ("ctest" in entry) == ("pytest" in entry):
                raise Trouble(f"{name}: needs either ctest or pytest")
            test = Test(entry.get("ctest", ""), entry.get("filter", ""), entry.get("pytest", ""))
            targets = tuple(entry.get("targets", [test.ctest] if test.ctest else ["m2"]))
            mutants.append(Mutant(name, entry["file"], entry["find"], entry["replace"], entry["why"],
                                  test, targets))
    names = [mutant.name for mutant in mutants]
    for name in names:
        if names.count(name) > 1:
            raise Trouble(f"{name}: two mutants have this name")
    return mutants


def mutated(mutant, text):
    """The file's text with the fault in it."""
    count = text.count(mutant.find)
    if count != 1:
        raise Trouble(f"'{mutant.find}' is in {mutant.file} {count} times, not once")
    if mutant.find == mutant.replace:
        raise Trouble("changes nothing")
    return text.replace(mutant.find, mutant.replace)


def copy_tree():
    """Brings the copy up to date, touching only files that differ, so that builds stay warm."""
    listed = subprocess.run(["git", "ls-files", "-z", "-co", "--exclude-standard"], cwd=ROOT,
                            capture_output=True, check=True).stdout.decode()
    wanted = {name for name in listed.split("\0") if name and (ROOT / name).is_file()}
    for name in sorted(wanted):
        source, target = ROOT / name, TREE / name
        if not target.is_file() or source.read_bytes() != target.read_bytes():
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(source, target)
            shutil.copymode(source, target)
    for file in TREE.rglob("*"):
        inside = file.relative_to(TREE)
        if inside.parts[0] != "build" and file.is_file() and inside.as_posix() not in wanted:
            file.unlink()
    # Tests that look for data beside the tree find it beside the copy.
    beside, link = ROOT.parent / "shared", WORK / "shared"
    if beside.exists() and not link.exists():
        link.symlink_to(beside.resolve())


def run(command, log, environment=None, limit=None):
    """The exit status; the output goes to `log`. None when it ran past the limit."""
    with open(log, "ab") as output:
        output.write(f"$ {' '.join(map(str, command))}\n".encode())
        output.flush()
        try:
            return subprocess.run(command, cwd=TREE, stdin=subprocess.DEVNULL, stdout=output,
                                  stderr=subprocess.STDOUT, env=environment, timeout=limit,
                                  check=False).returncode
        except subprocess.TimeoutExpired:
            return None


def build(targets, log):
    python = ROOT / ".venv" / "bin" / "python"
    environment = os.environ | {"M2_BUILD_TESTS": "ON", "CCACHE_BASEDIR": str(TREE),
                                "M2_BUILD_TRAINING": "ON" if python.exists() else "OFF",
                                "M2_TORCH_PYTHON": str(python)}
    if run(["tools/build.sh", "release", *sorted(targets)], log, environment) != 0:
        raise Trouble(f"does not build (see {log.relative_to(ROOT)})")


def is_red(test, log):
    """Whether the test fails: by a failed check, a crash or a hang, not for want of a test."""
    status = run(test.command(), log, test.environment(), limit=TEST_SECONDS + 30)
    if status is None:
        return True
    if test.pytest and status > 1:  # below 0: a signal ended it
        raise Trouble(f"pytest ended with {status}, so no test was judged (see {log.relative_to(ROOT)})")
    return status != 0


@functools.cache  # several mutants name one test
def baseline_trouble(test, targets):
    """Why a red test would mean nothing: without a fault it is red, too, or there is none; '' if it is sound."""
    log = LOGS / "baseline.log"
    log.write_bytes(b"")
    try:
        build(targets, LOGS / "build.log")
        if is_red(test, log):
            return f"{test.label()} fails without any fault (see {log.relative_to(ROOT)})"
        if test.filter and b"[       OK ]" not in log.read_bytes():
            return f"{test.label()} selects no test"
    except Trouble as trouble:
        return str(trouble)
    return ""


def judge(mutant):
    """'caught', or what is wrong with the mutant or the test."""
    if trouble := baseline_trouble(mutant.test, mutant.targets):
        return f"FAILED: {trouble}"
    log = LOGS / (mutant.name.replace("/", "_") + ".log")
    log.write_bytes(b"")
    path = TREE / mutant.file
    try:
        original = path.read_text(encoding="utf-8")
    except OSError as error:
        return f"FAILED: {mutant.file}: {error.strerror}"
    try:
        path.write_text(mutated(mutant, original), encoding="utf-8")
        build(mutant.targets, log)
        return "caught" if is_red(mutant.test, log) else f"SURVIVED: {mutant.test.label()} stays green"
    except Trouble as trouble:
        return f"FAILED: {trouble}"
    finally:
        path.write_text(original, encoding="utf-8")


def chosen(mutants, names):
    for name in names:
        if not any(mutant.name == name or mutant.name.startswith(name + "/") for mutant in mutants):
            raise Trouble(f"no mutant is called {name}")
    return [mutant for mutant in mutants if not names or
            any(mutant.name == name or mutant.name.startswith(name + "/") for name in names)]


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("names", nargs="*", metavar="NAME", help="FILE or FILE/NAME; all by default")
    parser.add_argument("--list", action="store_true", help="print the mutants and run nothing")
    parser.add_argument("--shuffle", metavar="SEED", help="in an order that SEED makes")
    parser.add_argument("--seconds", type=float, default=math.inf, metavar="LIMIT",
                        help="begin none but the first after so long; all by default")
    arguments = parser.parse_args()
    begun = time.monotonic()
    try:
        mutants = chosen(read_mutants(ROOT / "tests" / "mutants"), arguments.names)
        if arguments.list:
            for mutant in mutants:
                print(f"{mutant.name:36} {mutant.why}")
            return 0
        if not mutants:
            raise Trouble("tests/mutants holds no mutant")
        if arguments.shuffle is not None:
            random.Random(arguments.shuffle).shuffle(mutants)
        LOGS.mkdir(parents=True, exist_ok=True)
        (LOGS / "build.log").write_bytes(b"")
        copy_tree()
    except Trouble as trouble:
        print(f"mutants: {trouble}", file=sys.stderr)
        return 1

    judged = failed = 0
    for mutant in mutants:
        started = time.monotonic()
        if judged and started - begun > arguments.seconds:
            break
        judged += 1
        verdict = judge(mutant)
        failed += verdict != "caught"
        print(f"{mutant.name:36} {time.monotonic() - started:4.0f} s  {verdict}", flush=True)
    left = f", {len(mutants) - judged} left out for lack of time" if judged < len(mutants) else ""
    print(f"mutants: {judged - failed} caught, {failed} failed{left}")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
