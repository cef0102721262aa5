"""m2 bench: its figures follow from its timings, its peers are asked in turn and may fail. No test looks at a time."""

import json
import os
import pathlib
import shutil
import signal
import statistics
import subprocess
import sys
import time
import xml.etree.ElementTree

import pytest
from m2_program import (
    CONFIG,
    FAILED,
    GOLDEN,
    INPUT,
    INTERRUPTED,
    MAX_LENGTH,
    PROGRAM,
    USAGE,
    VOCABULARY,
    check_refusal,
    environment,
    ids_of,
    refuse,
    run,
    succeed,
)

# in_linear, out_linear and the gated MLP of four blocks, a multiplication and an addition each.
DENSE_FLOPS = 2 * CONFIG["num_hidden_layers"] * (
    4 * CONFIG["hidden_size"] ** 2 + 3 * CONFIG["hidden_size"] * CONFIG["intermediate_size"] // 4)


def bench(model, tmp_path, *words, **options):
    """The table's lines, the JSON document and the done process of a run that ends well."""
    path = tmp_path / "speed.json"
    done = run("bench", "--model-id", model, "--json", path, *words, **options)
    assert done.returncode == 0, done.stderr.decode()
    return done.stdout.decode().splitlines(), json.loads(path.read_text()), done


def cells_of(report, program):
    indices = [i for i, series in enumerate(report["series"]) if series["program"] == program]
    return [cell for cell in report["cells"] if cell["series"] in indices]


# Its own figures


def test_table_has_a_row_a_shape(model):
    lines = succeed("bench", "--model-id", model, "--lengths", "16,100", "--batch", "1,3", "--threads", "1,2",
                    "--repeats", 1).decode().splitlines()
    split = lines.index("where the time of the threads goes, %")
    rows = [line.split() for line in lines[:split] if " m2 fp32 " in line]
    assert [row[:2] for row in rows] == 2 * [["16", "1"], ["16", "3"], ["100", "1"], ["100", "3"]]
    assert "1 thread" in lines and "2 threads" in lines
    shares = [line.split()[4:] for line in lines[split:] if " m2 fp32 " in line]
    assert len(shares) == 8
    for row in shares:  # each rounded to a tenth of a percent
        assert abs(sum(map(float, row)) - 100) < 0.05 * len(row) + 1e-9


def test_figures_follow_from_the_timings(model, tmp_path):
    _, report, done = bench(model, tmp_path, "--lengths", "1,3,127", "--batch", "2", "--repeats", 4, "--threads", 1)
    assert done.stderr == b""
    assert report["format"] == 1 and report["family"] == "m2_bert" and report["longest_text"] == MAX_LENGTH
    assert report["dense_flops_per_token"] == DENSE_FLOPS
    assert report["filter_cache_bytes"] == 2**30 and report["filter_cache_dtype"] == "fp32"
    assert report["pooling"] == "mean" and report["repeats"] == 4
    assert [shape["length"] for shape in report["shapes"]] == [1, 3, 127]
    assert report["series"] == [{"program": "m2", "title": report["series"][0]["title"], "dtype": "fp32",
                                 "family": "m2_bert", "threads": 1, "own": True}]
    assert [cell["shape"] for cell in report["cells"]] == [0, 1, 2]
    for cell, shape in zip(report["cells"], report["shapes"]):
        assert shape["tokens"] == 2 * shape["length"] and shape["dense_flops"] == DENSE_FLOPS * shape["tokens"]
        assert "problem" not in cell and len(cell["seconds"]) == 4 and cell["first_seconds"] > 0
        median = statistics.median(cell["seconds"])
        rate = cell["gemm_gflops"] * 1e9
        assert cell["median_seconds"] == pytest.approx(median, rel=1e-12)
        assert cell["tokens_per_second"] == pytest.approx(shape["tokens"] / median, rel=1e-12)
        assert cell["roofline_fraction"] == pytest.approx(shape["dense_flops"] / median / rate, rel=1e-12)
        assert "roofline_fraction_with_attention" not in cell
        shares = cell["time_shares"]
        assert sum(shares.values()) == pytest.approx(1, abs=1e-9)
        # One thread cannot work longer than the run takes.
        assert all(share >= 0 for share in shares.values()), shares
        assert shares["gemm"] > 0 and shares["long_conv"] > 0 and shares["attention"] == 0
        # Kept from the first run, which is not counted.
        assert shares["spectra"] == 0
        assert cell["peak_bytes"] > 0


def test_dtypes_are_series_of_their_own(model, tmp_path, baselines):
    lines, report, done = bench(model, tmp_path, "--lengths", 64, "--repeats", 2, "--dtype", "int8,fp32,bf16,fp32",
                                *baselines("bfloat"))
    assert [series["dtype"] for series in report["series"]] == ["int8", "fp32", "bf16", "bf16"]
    bfloat = report["cells"][3]
    expected = statistics.median(
        theirs / ours for theirs, ours in zip(bfloat["seconds"], report["cells"][2]["seconds"]))
    assert [ratio["ratio"] for ratio in report["ratios"]] == [pytest.approx(expected, rel=1e-12)]
    for dtype in ("int8", "fp32", "bf16"):
        assert any(line.startswith(f"m2 {dtype}: m2 ") and f", {dtype}" in line for line in lines)


def test_spectra_made_again_are_seen(model, tmp_path):
    _, report, _ = bench(model, tmp_path, "--lengths", 100, "--repeats", 1, "--filter-cache-bytes", 0)
    assert report["cells"][0]["time_shares"]["spectra"] > 0 and report["filter_cache_bytes"] == 0


def test_default_lengths_end_where_the_model_does(model, tmp_path):
    _, report, _ = bench(model, tmp_path, "--repeats", 1)
    assert [shape["length"] for shape in report["shapes"]] == [MAX_LENGTH]


def test_attention_is_counted_beside(tmp_path):
    folder = GOLDEN.parent / "mosaic_bert"
    lines, report, _ = bench(folder, tmp_path, "--lengths", "20,50", "--repeats", 1, "--pooling", "cls")
    config = json.loads((folder / "config.json").read_text())
    assert not any("filter cache" in line for line in lines) and "filter_cache_bytes" not in report
    assert any(line.startswith("roofline fraction with attention") for line in lines)
    for cell, shape in zip(report["cells"], report["shapes"]):
        length = shape["length"]
        assert shape["attention_flops"] == 4 * config["hidden_size"] * config["num_hidden_layers"] * length**2
        both = shape["dense_flops"] + shape["attention_flops"]
        assert cell["roofline_fraction_with_attention"] == pytest.approx(
            cell["roofline_fraction"] * both / shape["dense_flops"], rel=1e-12)
        assert cell["time_shares"]["attention"] > 0


# Documents


def test_documents_are_one_call_of_mixed_lengths(model, tmp_path):
    texts = ["a first text", "and a second one, longer than that", "word " * 40]
    (tmp_path / "texts.txt").write_text("".join(text + "\n" for text in texts))
    lines, report, _ = bench(model, tmp_path, "--documents", tmp_path / "texts.txt", "--repeats", 1, "--cut", 30)
    counts = [min(30, len(ids_of(model, text))) for text in texts]
    (shape,) = report["shapes"]
    assert shape == {"length": None, "texts": 3, "tokens": sum(counts), "longest_text": 30, "cut_texts": 1,
                     "dense_flops": DENSE_FLOPS * sum(counts)}
    assert any(line.startswith("mixed: 3 texts of ") and line.endswith(" 1 cut") for line in lines)
    jsonl = tmp_path / "texts.jsonl"
    jsonl.write_text("".join(json.dumps({"text": text}) + "\n" for text in texts))
    _, report, _ = bench(model, tmp_path, "--documents", jsonl, "--lengths", 16, "--repeats", 1)
    assert [shape["length"] for shape in report["shapes"]] == [16, None]
    assert report["shapes"][1]["tokens"] == sum(len(ids_of(model, text)) for text in texts)


def test_pads_are_no_tokens_of_a_document(padded_model, tmp_path):
    (tmp_path / "texts.txt").write_text("a first text\n")
    _, report, _ = bench(padded_model, tmp_path, "--documents", tmp_path / "texts.txt", "--repeats", 1)
    assert report["shapes"][0]["tokens"] == len(ids_of(padded_model, "a first text"))


def test_documents_that_cannot_be_read(model, tmp_path):
    (tmp_path / "bad.jsonl").write_text('{"text": "fine"}\n{"text": 3}\n')
    (tmp_path / "empty").write_text("")
    for name, says in (("none.txt", "none.txt"), ("bad.jsonl", "line 2"), ("empty", "holds no text")):
        text = refuse(INPUT, "bench", "--model-id", model, "--documents", tmp_path / name, says=says)
        assert name in text


# The chart


def test_chart_holds_every_series(model, tmp_path, baselines):
    svg = tmp_path / "speed.svg"
    bench(model, tmp_path, "--lengths", "8,32,128", "--repeats", 1, "--batch", "1,2", "--threads", "2",
          "--svg", svg, *baselines("steady"))
    root = xml.etree.ElementTree.parse(svg).getroot()
    space = "{http://www.w3.org/2000/svg}"
    texts = [element.text for element in root.iter(space + "text")]
    for name in ("m2 fp32, 2 threads, 1 text", "m2 fp32, 2 threads, 2 texts", "steady, 2 threads, 1 text"):
        assert name in texts
    assert {"8", "32", "128", "length of a text, tokens", "tokens a second"} <= set(texts)
    paths = [element.get("d") for element in root.iter(space + "path")]
    assert len(paths) == 4 and all(path.count("L") == 2 for path in paths)


# Peers


@pytest.fixture
def baselines(tmp_path):
    """Flags for the stand-ins; their log lies at baselines/log.jsonl."""
    folder = tmp_path / "baselines"
    folder.mkdir()
    shutil.copy(pathlib.Path(__file__).with_name("stand_in_peer.py"), folder / "peer.py")

    def flags(*names, python=sys.executable):
        return ["--against", ",".join(names), "--baselines", folder, "--python", python]

    return flags


def log_of(tmp_path):
    path = tmp_path / "baselines/log.jsonl"
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


def is_running(process):
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    return True


def test_peers_are_asked_in_turn(model, tmp_path, baselines):
    bench(model, tmp_path, "--lengths", "16,20", "--batch", 2, "--repeats", 2, "--threads", 2,
          *baselines("steady", "bfloat"))
    log = log_of(tmp_path)
    names = ["steady", "bfloat"]
    settings = {"OMP_NUM_THREADS": "2", "MALLOC_MMAP_MAX_": "0", "MALLOC_TRIM_THRESHOLD_": "100000000000",
                "MALLOC_TOP_PAD_": "500000000"}
    assert [[name, what] for name, _, what in log[:2]] == [
        [name, {"argv": [name, "--threads", "2", "--model", str(model)], "settings": settings}] for name in names]
    shapes = [{"length": length, "batch": 2} for length in (16, 20)]
    # A warm-up and two repeats of each shape, the peers alternating.
    assert [[name, what] for name, _, what in log[2:-2]] == [
        [name, shape] for shape in shapes for _ in range(3) for name in names]
    assert sorted([name, what] for name, _, what in log[-2:]) == sorted([name, "end"] for name in names)


def test_figures_of_peers(model, tmp_path, baselines):
    lines, report, done = bench(model, tmp_path, "--lengths", 64, "--repeats", 4, "--peer-seconds", 1000,
                                *baselines("steady", "bfloat"))
    assert done.stderr == b""
    (own,), (steady,) = cells_of(report, "m2"), cells_of(report, "steady")
    assert report["series"][1] | {"threads": 0} == {
        "program": "steady", "title": "Stand-in steady <1>", "dtype": "fp32", "family": "bert", "threads": 0,
        "own": False}
    assert steady["first_seconds"] == 0.5 and steady["seconds"] == [4.0, 0.25, 1.0, 3.0]
    assert steady["median_seconds"] == 2.0 and steady["tokens_per_second"] == 32
    assert steady["peak_bytes"] == 123456789 + 4 and "roofline_fraction" not in steady
    # Of the repeats' ratios, not of the medians; and only against our own times in the peer's dtype.
    expected = statistics.median(theirs / ours for theirs, ours in zip(steady["seconds"], own["seconds"]))
    (ratio,) = report["ratios"]
    assert ratio == {"peer_series": 1, "shape": 0, "ratio": pytest.approx(expected, rel=1e-12)}
    start = lines.index("times as fast as the peer, in the peer's dtype")
    assert lines[start + 1].split() == ["length", "texts", "steady", "bfloat"]
    assert lines[start + 2].split() == ["64", "1", f"{expected:.2f}", "-"]
    assert "steady: Stand-in steady <1>" in lines


def test_slow_peers_are_asked_less(model, tmp_path, baselines):
    lines, report, _ = bench(
        model, tmp_path, "--lengths", "16,64", "--repeats", 4, "--peer-seconds", 4.1,
        "--peer-max-length", "bfloat=63,unknown=1", *baselines("steady", "bfloat"))
    short, long = cells_of(report, "steady")
    assert short["seconds"] == [4.0, 0.25]  # 4.0 is less than 4.1, 4.25 is not
    assert cells_of(report, "bfloat")[1]["problem"] == "skipped: longer than --peer-max-length 63"
    assert any(line.endswith("skipped: longer than --peer-max-length 63") for line in lines)
    assert "seconds" in long and ["bfloat", {"length": 64, "batch": 1}] not in [
        [name, what] for name, _, what in log_of(tmp_path)]


@pytest.mark.parametrize("name, says", [
    ("refuses", "no room for so long a text"),
    ("dies", "ended, exit code 3: out of luck"),
    ("hangs", "no answer within 10 s"),
    ("rubbish", "answers no JSON object: Loading weights: 100 %"),
    ("list", "answers no JSON object: [1, 2]"),
    ("zero", 'answers without seconds above 0: {"seconds":0}'),
    ("wordy", "answers without seconds above 0"),
])
def test_a_peer_that_fails_is_shown_and_the_rest_goes_on(model, tmp_path, baselines, name, says):
    patience = 10 if name == "hangs" else 100  # for Python to start, however busy the machine
    lines, report, _ = bench(model, tmp_path, "--lengths", "100,20", "--repeats", 1, "--peer-patience", patience,
                             *baselines(name, "steady"))
    first, second = cells_of(report, name)
    assert says in first["problem"] and first["seconds"] == []
    if name == "refuses":  # that text alone
        assert second["seconds"] == [0.25]
    else:  # its end: it is not asked again
        assert second["problem"] == first["problem"]
    assert any(says in line for line in lines)
    assert all("problem" not in cell for program in ("m2", "steady") for cell in cells_of(report, program))
    assert [ratio["peer_series"] for ratio in report["ratios"]].count(2) == 2
    assert not any(is_running(process) for _, process, _ in log_of(tmp_path))


@pytest.mark.parametrize("name, says", [
    ("absent", "there is no peer named absent"),
    ("mute", "no answer within 1 s"),
    ("breaks", "ended, exit code 1: ModuleNotFoundError: No module named 'torch'"),
])
def test_a_peer_that_does_not_start_is_warned_of(model, tmp_path, baselines, name, says):
    patience = 1 if name == "mute" else 100
    _, report, done = bench(model, tmp_path, "--lengths", 16, "--repeats", 1, "--peer-patience", patience,
                            *baselines(name))
    warning = done.stderr.decode()
    assert warning.count("\n") == 1 and name in warning and says in warning
    assert [says in cell["problem"] for cell in cells_of(report, name)] == [True]
    assert not any(is_running(process) for _, process, _ in log_of(tmp_path))


def test_an_interrupt_ends_the_peers(model, tmp_path, baselines):
    process = subprocess.Popen(
        [PROGRAM, "bench", "--model-id", model, "--lengths", "16", *baselines("steady", "hangs"),
         "--json", tmp_path / "speed.json"],
        env=environment(), stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    deadline = time.monotonic() + 60
    while ["hangs", {"length": 16, "batch": 1}] not in [[name, what] for name, _, what in log_of(tmp_path)]:
        assert time.monotonic() < deadline and process.poll() is None
        time.sleep(0.02)
    process.send_signal(signal.SIGINT)  # to the program alone
    _, errors = process.communicate(timeout=30)
    assert process.returncode == INTERRUPTED and errors == b"m2: error: interrupted\n"
    assert not any(is_running(peer) for _, peer, _ in log_of(tmp_path))
    assert not list(tmp_path.glob("speed.json*"))


def test_a_missing_peer_or_python_is_one_clear_line(model, tmp_path, baselines):
    start = ["bench", "--model-id", model, "--lengths", 16]
    done = run(*start, "--against", "steady", "--baselines", tmp_path)
    check_refusal(done, INPUT, [tmp_path / "peer.py", "--baselines"])
    done = run(*start, *baselines("steady", python=tmp_path / "no-python"))
    check_refusal(done, INPUT, [tmp_path / "no-python", "No such file", "--python"])


# Wrong commands


def test_wrong_commands(model, tmp_path):
    start = ["bench", "--model-id", model]
    refuse(USAGE, "bench", says="--model-id")
    refuse(USAGE, *start, "--lengths", MAX_LENGTH + 1, says=[MAX_LENGTH + 1, MAX_LENGTH])
    refuse(USAGE, *start, "--lengths", 0)
    refuse(USAGE, *start, "--dtype", "fp32,fp64", says="fp64")
    refuse(USAGE, *start, "--filter-cache-bytes", "much", says="much")
    for entry in ("64", "steady=", "steady=0", "steady=6x"):
        refuse(USAGE, *start, "--peer-max-length", entry, says="NAME=LENGTH")
    refuse(FAILED, *start, "--json", tmp_path / "no" / "speed.json", says="speed.json")
    refuse(INPUT, "bench", "--model-id", tmp_path / "none", says="none")


def test_help_names_the_peers():
    text = " ".join(succeed("bench", "--help").decode().split())
    assert "m2-pytorch-published" in text and "bert-onnxruntime-int8" in text
