"""m2 plot: curves of runs as one SVG, read back by an XML parser."""

import json
import re
import xml.etree.ElementTree as xml

import pytest
from m2_program import INPUT, USAGE, refuse, succeed

SVG = "{http://www.w3.org/2000/svg}"


def write_run(folder, losses, rates=None, tail=""):
    folder.mkdir(parents=True, exist_ok=True)
    lines = []
    for i, loss in enumerate(losses):
        line = {"step": i + 1, "loss": loss, "tokens": (i + 1) * 4096}
        if rates is not None:
            line["learning_rate"] = rates[i]
        lines.append(json.dumps(line) + "\n")
    (folder / "metrics.jsonl").write_text("".join(lines) + tail)
    return folder


class Chart:
    """A panel: its texts, and each curve's points as pieces of (x, y) in pixels."""

    def __init__(self, group):
        self.texts = [text.text for text in group.iter(SVG + "text") if text.text]
        self.curves = []
        for path in group.iter(SVG + "path"):
            pieces = [piece for piece in path.get("d").split("M") if piece]
            self.curves.append([[tuple(map(float, point.split())) for point in piece.split("L")]
                                for piece in pieces])

    def values(self, curve):
        """The curve's points in the axes' own numbers, from the places of the ticks' labels."""
        return [[(self.x(x), self.y(y)) for x, y in piece] for piece in self.curves[curve]]

    def fit_axes(self, group):
        labels = [(text.get("text-anchor"), float(text.get("x")), float(text.get("y")), text.text)
                  for text in group.iter(SVG + "text")]
        number = re.compile(r"-?[\d,.]+(e[+-]\d+)?$")
        bottom = max(y for anchor, x, y, text in labels if anchor == "middle" and number.match(text or ""))
        xs = [(x, float(text.replace(",", ""))) for anchor, x, y, text in labels
              if anchor == "middle" and y == bottom]
        ys = [(y - 4, float(text.replace(",", ""))) for anchor, x, y, text in labels if anchor == "end"]
        self.x, self.y = line_through(xs), line_through(ys)
        return self


def line_through(points):
    (p, a), (q, b) = points[0], points[-1]
    return lambda at: a + (at - p) * (b - a) / (q - p)


def charts(svg):
    root = xml.fromstring(svg)
    assert root.tag == SVG + "svg"
    return [Chart(group).fit_axes(group) for group in root.findall(SVG + "g")]


def test_two_panels_of_two_runs(tmp_path):
    first = write_run(tmp_path / "runs" / "m2-small", [10, 8, 7, 6.5], [0.0, 1e-3, 6e-4, 2e-4])
    second = write_run(tmp_path / "runs" / "bert", [9, 8.5, 8], [0.0, 1e-3, 5e-4])
    loss, rate = charts(succeed("plot", first, f"{second}/"))
    for panel, name in [(loss, "loss"), (rate, "learning_rate")]:
        assert len(panel.curves) == 2
        assert {name, "step", "m2-small", "bert"} <= set(panel.texts)
    # A hundredth of a pixel of 360 over a range of about 4.
    assert loss.values(0)[0] == [(pytest.approx(i + 1, abs=1e-3), pytest.approx(y, abs=1e-3))
                                 for i, y in enumerate([10, 8, 7, 6.5])]
    assert [y for _, y in loss.values(1)[0]] == pytest.approx([9, 8.5, 8], abs=1e-3)
    assert [y for _, y in rate.values(0)[0]] == pytest.approx([0, 1e-3, 6e-4, 2e-4], abs=1e-6)


def test_a_metric_smoothed_over_tokens_with_a_line_to_beat(tmp_path):
    run = write_run(tmp_path / "a", [10, 8, None, 6, 4])
    (panel,) = charts(succeed("plot", run, "--metric", "loss", "--x", "tokens", "--smooth", 2,
                              "--horizontal", "6.98=unigram & more"))
    assert {"tokens", "mean of 2 points", "unigram & more"} <= set(panel.texts)
    pieces = panel.values(0)
    assert [[y for _, y in piece] for piece in pieces] == [pytest.approx([10, 9], abs=2e-3),
                                                           pytest.approx([6, 5], abs=2e-3)]
    assert [x for x, _ in pieces[1]] == pytest.approx([4 * 4096, 5 * 4096], abs=2)
    assert panel.values(1)[0] == [(pytest.approx(4096, abs=2), pytest.approx(6.98, abs=2e-3)),
                                  (pytest.approx(5 * 4096, abs=2), pytest.approx(6.98, abs=2e-3))]


def test_evaluations_have_lines_of_their_own(tmp_path):
    run = tmp_path / "a"
    run.mkdir()
    (run / "metrics.jsonl").write_text('{"step":10,"loss":5,"tokens":100}\n{"step":10,"evaluation/loss":4}\n'
                                       '{"step":20,"loss":4,"tokens":200}\n{"step":20,"evaluation/loss":3}\n')
    both = charts(succeed("plot", run, "--metric", "loss", "--metric", "evaluation/loss", "--x", "tokens"))
    assert [x for x, _ in both[1].values(0)[0]] == pytest.approx([100, 200], abs=0.1)
    assert [y for _, y in both[1].values(0)[0]] == pytest.approx([4, 3], abs=1e-3)
    smooth = charts(succeed("plot", run, "--metric", "loss", "--metric", "evaluation/loss", "--smooth", 2))
    assert [y for _, y in smooth[0].values(0)[0]] == pytest.approx([5, 4.5], abs=1e-3)
    assert [y for _, y in smooth[1].values(0)[0]] == pytest.approx([4, 3], abs=1e-3)
    assert "mean of 2 points" in smooth[0].texts and "mean of 2 points" not in smooth[1].texts


def test_an_evaluation_by_itself_is_seen(tmp_path):
    run = tmp_path / "a"
    run.mkdir()
    (run / "metrics.jsonl").write_text('{"step":10,"evaluation/loss":4}\n')
    svg = succeed("plot", run, "--metric", "evaluation/loss", "--horizontal", "5=unigram")
    (panel,) = charts(svg)
    ((x, y),) = panel.curves[0][0]
    marks = [(float(mark.get("cx")), float(mark.get("cy"))) for mark in xml.fromstring(svg).iter(SVG + "circle")]
    assert marks == [(x, y)]
    # The line to beat is a line, with the point in its middle.
    (left, y_left), (right, y_right) = panel.curves[1][0]
    assert y_left == y_right < y
    assert right - left > 300 and x == pytest.approx((left + right) / 2, abs=0.011)


def test_many_points_are_thinned(tmp_path):
    run = write_run(tmp_path / "a", [10 - i / 1e4 for i in range(30000)])
    svg = succeed("plot", run)
    (panel,) = charts(svg)
    points = panel.values(0)[0]
    assert len(points) == 2000 and len(svg) < 60_000
    assert points[0][0] == pytest.approx(1, abs=1) and points[-1][0] == pytest.approx(30000, abs=1)


def test_runs_of_one_name_are_told_apart(tmp_path):
    one, two = write_run(tmp_path / "a" / "run", [3, 2]), write_run(tmp_path / "b" / "run", [3, 1])
    (panel,) = charts(succeed("plot", one, two))
    assert {str(one), str(two)} <= set(panel.texts)
    (panel,) = charts(succeed("plot", one, one / "metrics.jsonl"))
    assert {str(one), str(one / "metrics.jsonl")} <= set(panel.texts)
    other = tmp_path / "other.jsonl"
    other.write_text('{"step":1,"loss":2}\n')
    assert "other" in charts(succeed("plot", one, other))[0].texts


def test_a_line_still_being_written_is_passed_over(tmp_path):
    run = write_run(tmp_path / "a", [3, 2], tail='{"step":3,"lo')
    (panel,) = charts(succeed("plot", run))
    assert len(panel.curves[0][0]) == 2


def test_to_a_file(tmp_path):
    run = write_run(tmp_path / "a", [3, 2])
    assert succeed("plot", run, "-o", tmp_path / "x.svg") == b""
    assert charts((tmp_path / "x.svg").read_bytes())


@pytest.mark.parametrize("line, says", [
    ("not json", "line 3: "),
    ("[1]", 'line 3 has no whole number "step"'),
    ('{"loss":1}', 'line 3 has no whole number "step"'),
    ('{"step":1.5}', 'line 3 has no whole number "step"'),
    ('{"step":3,"loss":"low"}', 'line 3: "loss" is neither a number nor null'),
    ('{"step":3,"loss":{}}', "line 3"),
    ("\0" * 50, "line 3"),
    ("[" * 5000, "line 3"),
    ('{"step":3,"loss":1,"loss":2}', "line 3"),
    ('{"step":3,"x":"' + "a" * (1 << 20) + '"}', "line 3 is longer than 1 MiB"),
])
def test_a_broken_line_is_named(tmp_path, line, says):
    run = write_run(tmp_path / "a", [3, 2], tail=line + '\n{"step":4,"loss":1}\n')
    refuse(INPUT, "plot", run, "-o", tmp_path / "x.svg", says=[run / "metrics.jsonl", says])
    assert not list(tmp_path.glob("x.svg*"))


def test_what_cannot_be_drawn(tmp_path):
    run, other = write_run(tmp_path / "a", [3, 2]), write_run(tmp_path / "b", [3, 2], [1, 1])
    refuse(INPUT, "plot", other, run, "--metric", "learning_rate",
           says=[run / "metrics.jsonl", 'has no metric "learning_rate"; it has loss, tokens'])
    refuse(INPUT, "plot", run, "--x", "seconds", says='has no metric "seconds"')
    refuse(INPUT, "plot", tmp_path / "none", says="no such file")
    refuse(INPUT, "plot", tmp_path, says="holds no metrics.jsonl")
    (tmp_path / "empty.jsonl").write_text("")
    refuse(INPUT, "plot", tmp_path / "empty.jsonl", says="holds no whole line yet")
    for bad in ["6.98", "=x", "six=x", "nan=x", "6.98 =x"]:
        refuse(USAGE, "plot", run, "--horizontal", bad, says="is not VALUE=LABEL")
    refuse(USAGE, "plot", run, "--smooth", 0, says="--smooth")
    refuse(USAGE, "plot", says="RUN")
