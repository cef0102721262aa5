"""tools/run_mutants.py tells a caught fault from one that survives, does not apply or does not build."""
import importlib.util
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def runner(bare_runner, monkeypatch):
    """Whose tests pass without a fault."""
    monkeypatch.setattr(bare_runner, "baseline_trouble", lambda test, targets: "")
    return bare_runner


@pytest.fixture
def bare_runner(tmp_path, monkeypatch):
    """The script as a module, its copy of the tree in a temporary folder, no builds and no tests."""
    spec = importlib.util.spec_from_file_location("run_mutants", ROOT / "tools" / "run_mutants.py")
    module = importlib.util.module_from_spec(spec)
    monkeypatch.setitem(sys.modules, "run_mutants", module)
    spec.loader.exec_module(module)
    monkeypatch.setattr(module, "ROOT", tmp_path)
    monkeypatch.setattr(module, "TREE", tmp_path)
    monkeypatch.setattr(module, "LOGS", tmp_path)
    monkeypatch.setattr(module, "build", lambda targets, log: None)
    (tmp_path / "a.cpp").write_text("int one = 1;\nint two = 2;\nint again = 2;\n")
    return module


def make(runner, find, replace):
    return runner.Mutant("core/a", "a.cpp", find, replace, "why", runner.Test("core_test", "", ""), ("core_test",))


def test_a_red_test_catches_and_the_file_comes_back(runner, monkeypatch):
    seen = []
    before = (runner.TREE / "a.cpp").read_text()

    def test_run(test, log):
        seen.append((runner.TREE / "a.cpp").read_text())
        return True

    monkeypatch.setattr(runner, "is_red", test_run)
    assert runner.judge(make(runner, "one = 1", "one = 3")) == "caught"
    assert seen == [before.replace("one = 1", "one = 3")]
    assert (runner.TREE / "a.cpp").read_text() == before


def test_a_green_test_is_a_survivor(runner, monkeypatch):
    monkeypatch.setattr(runner, "is_red", lambda test, log: False)
    assert runner.judge(make(runner, "one = 1", "one = 3")).startswith("SURVIVED")


@pytest.mark.parametrize("find, word", [("three = 3", "0 times"), ("= 2;", "2 times")])
def test_a_text_not_found_once_fails(runner, monkeypatch, find, word):
    monkeypatch.setattr(runner, "is_red", lambda test, log: True)
    verdict = runner.judge(make(runner, find, "x"))
    assert verdict.startswith("FAILED") and word in verdict


def test_a_fault_that_changes_nothing_fails(runner, monkeypatch):
    monkeypatch.setattr(runner, "is_red", lambda test, log: True)
    assert runner.judge(make(runner, "one = 1", "one = 1")).startswith("FAILED")


def test_a_missing_file_fails(runner):
    (runner.TREE / "a.cpp").unlink()
    assert runner.judge(make(runner, "one = 1", "one = 3")).startswith("FAILED")


def test_a_fault_that_does_not_build_fails(runner, monkeypatch):
    def refuse(targets, log):
        raise runner.Trouble("does not build")

    monkeypatch.setattr(runner, "build", refuse)
    assert runner.judge(make(runner, "one = 1", "one = 3")) == "FAILED: does not build"


def test_a_test_that_is_red_without_the_fault_catches_nothing(bare_runner, monkeypatch):
    asked = []
    monkeypatch.setattr(bare_runner, "is_red", lambda test, log: not asked.append(test))
    for _ in range(2):
        assert "fails without any fault" in bare_runner.judge(make(bare_runner, "one = 1", "one = 3"))
    assert len(asked) == 1  # the test of two mutants is looked at once


def test_a_filter_that_selects_nothing_catches_nothing(bare_runner, monkeypatch):
    monkeypatch.setattr(bare_runner, "is_red", lambda test, log: False)
    filtered = bare_runner.Test("core_test", "None.*", "")
    assert bare_runner.baseline_trouble(filtered, ("core_test",)) == "core_test None.* selects no test"


def test_pytest_that_judged_nothing_is_no_catch(runner, monkeypatch):
    monkeypatch.setattr(runner, "run", lambda *arguments, **options: 5)
    with pytest.raises(runner.Trouble):
        runner.is_red(runner.Test("", "", "tests/a_test.py"), runner.LOGS / "log")


def test_a_crash_of_pytest_is_a_red_test(runner, monkeypatch):
    monkeypatch.setattr(runner, "run", lambda *arguments, **options: -11)
    assert runner.is_red(runner.Test("", "", "tests/a_test.py"), runner.LOGS / "log")


@pytest.mark.parametrize("text", [
    'name = "a"\nfile = "a"\nfind = "x"\nreplace = "y"\nctest = "t"',  # no reason given
    'name = "a"\nfile = "a"\nfind = "x"\nreplace = "y"\nwhy = "w"',  # no test
    'name = "a"\nfile = "a"\nfind = "x"\nreplace = "y"\nwhy = "w"\nctest = "t"\npytest = "p"',
    'name = "a"\nfile = "a"\nfind = "x"\nreplace = "y"\nwhy = "w"\nctest = "t"\nfliter = "f"',
])
def test_a_wrong_entry_is_refused(runner, tmp_path, text):
    (tmp_path / "core.toml").write_text("[[mutant]]\n" + text + "\n")
    with pytest.raises(runner.Trouble):
        runner.read_mutants(tmp_path)


def test_the_lists_of_this_tree_apply(runner):
    mutants = runner.read_mutants(ROOT / "tests" / "mutants")
    assert mutants
    for mutant in mutants:
        runner.mutated(mutant, (ROOT / mutant.file).read_text())


def test_a_limit_of_time_leaves_some_out_but_never_all(runner, monkeypatch, capsys):
    mutants = [make(runner, "one = 1", "one = 3")] * 3
    monkeypatch.setattr(runner, "read_mutants", lambda folder: list(mutants))
    monkeypatch.setattr(runner, "copy_tree", lambda: None)
    monkeypatch.setattr(runner, "judge", lambda mutant: "caught")
    monkeypatch.setattr(sys, "argv", ["run_mutants", "--shuffle", "a", "--seconds", "-1"])
    assert runner.main() == 0
    assert "1 caught, 0 failed, 2 left out for lack of time" in capsys.readouterr().out
    monkeypatch.setattr(sys, "argv", ["run_mutants"])
    assert runner.main() == 0
    assert "3 caught, 0 failed\n" in capsys.readouterr().out
