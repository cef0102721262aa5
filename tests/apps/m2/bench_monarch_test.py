"""`m2 bench monarch`: what it counts, what it says of the rest, and what it refuses."""

import json
import math

import pytest
from m2_program import USAGE, refuse, succeed

SMALL = ["bench", "monarch", "--threads", "1", "--repeats", "2"]


@pytest.fixture(scope="module")
def report(tmp_path_factory):
    """Three sizes, the last of them too large for a dense product."""
    path = tmp_path_factory.mktemp("monarch") / "monarch.json"
    output = succeed(*SMALL, "--sizes", "16,1k,64", "--dense-up-to", "64", "--json", path)
    return output.decode(), json.loads(path.read_text())


def results(report, matrix):
    return {entry["points"]: entry for entry in report[1]["results"] if entry["matrix"] == matrix}


def test_counts_are_those_of_the_radices(report):
    for name, order in (("dense", 1), ("order 2", 2), ("order 3", 3)):
        for points, entry in results(report, name).items():
            assert len(entry["radices"]) == order
            assert math.prod(entry["radices"]) == points
            assert entry["weights"] == points * sum(entry["radices"])
            assert entry["flops"] == 2 * entry["weights"] * report[1]["vectors"]
    assert results(report, "order 2")[1024]["radices"] == [32, 32]
    assert results(report, "order 3")[64]["radices"] == [4, 4, 4]


def test_what_was_measured_says_so(report):
    for name in ("dense", "order 2", "order 3"):
        assert sorted(results(report, name)) == [16, 64, 1024]
        for points, entry in results(report, name).items():
            assert entry["measured"] == (name != "dense" or points <= 64)
            if entry["measured"]:
                assert len(entry["seconds"]) == 2
                assert entry["median_seconds"] == pytest.approx(sum(entry["seconds"]) / 2)
                assert "estimated_seconds" not in entry


def test_what_was_not_measured_has_the_rate_of_the_largest_that_was(report):
    counted, largest = results(report, "dense")[1024], results(report, "dense")[64]
    assert counted["reason"] == "beyond --dense-up-to 64"
    assert "median_seconds" not in counted
    rate = largest["flops"] / largest["median_seconds"]
    assert counted["estimated_seconds"] == pytest.approx(counted["flops"] / rate)


def test_table_marks_what_was_counted(report):
    rows = {line.split()[0]: line.split() for line in report[0].splitlines()[3:6]}
    assert list(rows) == ["16", "64", "1024"]
    assert rows["1024"][1].startswith("~")
    assert "~" not in "".join(rows["16"] + rows["64"])
    assert rows["1024"][5] == "16" and rows["1024"][7] == "2"  # FLOPs: 1024/64, 64/32


def test_crossovers_in_flops_solve_their_equations(report):
    second, third = report[1]["crossovers"]
    n = second["points_in_flops"]
    assert (second["faster"], second["slower"]) == ("order 2", "dense")
    assert n == pytest.approx(2 * math.sqrt(n))
    n = third["points_in_flops"]
    assert 2 * math.sqrt(n) == pytest.approx(3 * n ** (1 / 3))
    assert report[0].splitlines()[6].startswith("order 2 beats dense ")
    assert report[0].splitlines()[7].startswith("order 3 beats order 2 ")


def crossover(rows):
    """As the program defines it, of (points, slower's seconds, faster's)."""
    behind = None
    for points, slower, faster in reversed(rows):
        ratio = math.log(slower / faster)
        if ratio > 0:
            behind = points, ratio
            continue
        if behind is None:
            return None
        low, high = math.log(points), math.log(behind[0])
        return math.exp(low + (high - low) * -ratio / (behind[1] - ratio))
    return behind and behind[0]


def test_crossovers_in_time_follow_from_the_timings(report):
    for entry in report[1]["crossovers"]:
        slower, faster = results(report, entry["slower"]), results(report, entry["faster"])
        rows = [(points, slower[points]["median_seconds"], faster[points]["median_seconds"])
                for points in sorted(slower) if slower[points]["measured"]]
        expected = crossover(rows)
        assert entry["points_in_time"] == (None if expected is None else pytest.approx(expected))


@pytest.mark.parametrize("size", [1, 2, 3, 17])
def test_awkward_sizes(size, tmp_path):
    succeed(*SMALL, "--sizes", size, "--vectors", 80, "--json", tmp_path / "a.json")
    entries = json.loads((tmp_path / "a.json").read_text())["results"]
    assert all(entry["measured"] for entry in entries)


def test_refusals(tmp_path):
    assert "no multiple of 16" in refuse(USAGE, *SMALL, "--vectors", 20)
    refuse(USAGE, *SMALL, "--sizes", "0")
    refuse(USAGE, *SMALL, "--sizes", "many")
    refuse(USAGE, *SMALL, "--threads", "-1")
