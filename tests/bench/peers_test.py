"""The benchmark's peers: they compute what they say, and speak the protocol of bench/baselines/peer.py."""

import importlib.util
import json
import os
import pathlib
import subprocess
import sys

import numpy
import pytest
import safetensors.numpy
import torch

ROOT = pathlib.Path(__file__).resolve().parents[2]
BASELINES = ROOT / "bench/baselines"
sys.path[:0] = [str(ROOT / "tests/apps/m2"), str(BASELINES)]

import bert_pytorch  # noqa: E402
import m2_bert_pytorch  # noqa: E402
import m2_program  # noqa: E402
from bert_weights import BertSizes, make_weights  # noqa: E402
from m2_program import relative_error, save_ids, succeed  # noqa: E402

BENCH_PYTHON = ROOT / "bench/.venv/bin/python"
LONGEST = 512
LENGTHS = [1, 3, 127, 300]
# Two fp32 computations of the same sums, each within 2e-6 of the exact ones.
FP32_BOUND = 1e-5
# 8 bits of mantissa: a rounding is 2e-3 relative, some ten in a row between a layer's norms.
BF16_BOUND = 2e-2
# A product's u8 input is off by 1 %, its weights (7 bits without VNNI) by 2 %, through two layers of four.
INT8_BOUND = 5e-2


# M2-BERT against the program

SWITCHES = {
    "published": {},
    "training_additions": {"hyena_training_additions": True, "hyena_w_mod": 2},
    "least": {"bidirectional": False, "residual_long_conv": False, "use_positional_encodings": False},
}


def make_model(folder, switches):
    """A small model in which everything counts: `m2 init` makes biases 0, norms 1, long filters nearly 0."""
    model = folder / "model"
    path = folder / "config.json"
    path.write_text(json.dumps(m2_program.CONFIG | switches))
    succeed("init", "--config", path, "--length", LONGEST, "--vocab", m2_program.VOCABULARY, model)
    weights = safetensors.numpy.load_file(model / "model.safetensors")
    random = numpy.random.default_rng(2)
    for name, values in weights.items():
        if "implicit_filter" in name and name.endswith(".weight"):
            values *= 5
        elif values.ndim == 1:
            values += 0.1 * random.standard_normal(values.shape, numpy.float32)
    safetensors.numpy.save_file(weights, model / "model.safetensors", {"format": "pt"})
    return model


@pytest.fixture(scope="module", params=SWITCHES)
def switched_model(request, tmp_path_factory):
    return make_model(tmp_path_factory.mktemp("peers"), SWITCHES[request.param])


@pytest.fixture(scope="module")
def m2_model(tmp_path_factory):
    return make_model(tmp_path_factory.mktemp("peers"), {})


def random_ids(model, length, batch=1):
    words = json.loads((model / "config.json").read_text())["vocab_size"]
    return numpy.random.default_rng(length).integers(0, words, (batch, length))


def program_vectors(model, folder, ids):
    output = folder / "vectors.npy"
    succeed("embed", "--model-id", model, "--pooling", "mean", "--normalize", "false",
            "--input-ids", save_ids(folder, ids), "--output", output)
    return numpy.load(output)


def load_m2(variant, model):
    config = json.loads((model / "config.json").read_text())
    return m2_bert_pytorch.make(variant, 2, config, model)


@pytest.mark.parametrize("length", LENGTHS)
def test_published_agrees_with_the_program(switched_model, tmp_path, length):
    ids = random_ids(switched_model, length, batch=2)
    found = load_m2("published", switched_model).vectors(ids)
    assert relative_error(found, program_vectors(switched_model, tmp_path, ids)) < FP32_BOUND


@pytest.mark.slow  # compiles C++ for each length
@pytest.mark.parametrize("length", [127, 300])
def test_compiled_agrees_with_the_program(m2_model, tmp_path, length):
    ids = random_ids(m2_model, length)
    found = load_m2("compiled", m2_model).vectors(ids)
    assert relative_error(found, program_vectors(m2_model, tmp_path, ids)) < FP32_BOUND


def test_a_filter_shifted_by_one_disagrees(m2_model, tmp_path, monkeypatch):
    ids = random_ids(m2_model, 127)
    taps = m2_bert_pytorch.HyenaFilter.taps
    monkeypatch.setattr(m2_bert_pytorch.HyenaFilter, "taps", lambda *words: taps(*words).roll(1, dims=-1))
    found = load_m2("published", m2_model).vectors(ids)
    assert relative_error(found, program_vectors(m2_model, tmp_path, ids)) > 100 * FP32_BOUND


def test_a_weight_that_is_missing_is_named(m2_model, tmp_path):
    (tmp_path / "config.json").write_text((m2_model / "config.json").read_text())
    weights = safetensors.numpy.load_file(m2_model / "model.safetensors")
    del weights["bert.encoder.layer.1.mlp.wo.bias"]
    safetensors.numpy.save_file(weights, tmp_path / "model.safetensors")
    with pytest.raises(ValueError, match="layer.1.mlp.wo.bias"):
        load_m2("published", tmp_path)


# BERT against transformers, and ONNX Runtime against PyTorch


def transformers_vectors(sizes, weights, ids):
    transformers = pytest.importorskip("transformers")
    config = transformers.BertConfig(
        vocab_size=sizes.vocabulary, max_position_embeddings=sizes.max_length, hidden_size=sizes.width,
        intermediate_size=sizes.inner, num_hidden_layers=sizes.layers, num_attention_heads=sizes.heads,
        layer_norm_eps=sizes.norm_eps, attn_implementation="eager")
    names = {"attention": "attention.output.dense", "attention_norm": "attention.output.LayerNorm",
             "expand": "intermediate.dense", "contract": "output.dense", "mlp_norm": "output.LayerNorm"}
    state = {"embeddings.token_type_embeddings.weight": torch.zeros(2, sizes.width)}
    for name, value in ((name, torch.from_numpy(value)) for name, value in weights):
        layer, _, rest = name.partition(".")
        if not layer.isdigit():
            table = {"words": "word_embeddings.weight", "positions": "position_embeddings.weight"}
            state["embeddings." + table.get(name, f"LayerNorm.{rest}")] = value
            continue
        part, kind = rest.split(".")
        value = value.T if value.ndim == 2 else value
        if part == "qkv":
            for third, piece in zip(("query", "key", "value"), value.chunk(3)):
                state[f"encoder.layer.{layer}.attention.self.{third}.{kind}"] = piece
        else:
            state[f"encoder.layer.{layer}.{names[part]}.{kind}"] = value
    model = transformers.BertModel(config, add_pooling_layer=False).eval()
    model.load_state_dict(state)
    with torch.inference_mode():
        return model(torch.from_numpy(ids)).last_hidden_state.mean(dim=1).numpy()


@pytest.mark.parametrize("length", LENGTHS)
def test_pytorch_bert_agrees_with_transformers(length):
    sizes = BertSizes(vocabulary=97, max_length=320, layers=2, width=48, heads=3, inner=80)
    ids = numpy.random.default_rng(length).integers(0, 97, (2, length))
    found = bert_pytorch.Bert(sizes, make_weights(sizes, 0.2), torch.float32).vectors(ids)
    expected = transformers_vectors(sizes, make_weights(sizes, 0.2), ids)
    assert relative_error(found, expected) < FP32_BOUND
    ids[0, -1] = (ids[0, -1] + 1) % 97
    assert relative_error(found, transformers_vectors(sizes, make_weights(sizes, 0.2), ids)) > 10 * FP32_BOUND


@pytest.fixture(scope="module")
def bert_vectors(tmp_path_factory):
    """What bert_vectors.py computes, by its names."""
    if not BENCH_PYTHON.exists():
        pytest.skip("bench/.venv, which has ONNX Runtime, is not there: make bench-venv")
    output = tmp_path_factory.mktemp("bert") / "vectors.npz"
    (output.parent / "weights").touch()  # a file of the user's that an exporter must not meet
    script = ROOT / "tests/bench/bert_vectors.py"
    subprocess.run([BENCH_PYTHON, script, output, *map(str, LENGTHS)], check=True, timeout=300, cwd=output.parent)
    return numpy.load(output)


@pytest.mark.parametrize("length", LENGTHS)
@pytest.mark.parametrize("peer, bound", [("onnxruntime-fp32", FP32_BOUND), ("onnxruntime-int8", INT8_BOUND),
                                         ("pytorch-bf16", BF16_BOUND)])
def test_bert_agrees_with_pytorch(bert_vectors, peer, bound, length):
    expected = bert_vectors[f"pytorch-fp32-{length}"]
    assert relative_error(bert_vectors[f"{peer}-{length}"], expected) < bound


@pytest.mark.parametrize("control, bound", [("control-fp32", FP32_BOUND), ("control-int8", INT8_BOUND)])
def test_another_gelu_or_weights_of_three_bits_disagree(bert_vectors, control, bound):
    for length in LENGTHS:
        expected = bert_vectors[f"pytorch-fp32-{length}"]
        assert relative_error(bert_vectors[f"{control}-{length}"], expected) > bound


# The protocol


def speak(name, model, requests, *words, python=sys.executable):
    """The exit code, and the objects of standard output's lines."""
    done = subprocess.run([python, BASELINES / "peer.py", name, "--model", model, *words],
                          input=requests, capture_output=True, text=True, timeout=120)
    return done.returncode, [json.loads(line) for line in done.stdout.splitlines()]


def test_a_peer_says_what_it_is_and_answers(m2_model):
    requests = '{"length": 30, "batch": 1}\n{"length": 30, "batch": 1}\n{"batch": 3, "length": 1}\n'
    code, lines = speak("m2-pytorch-published", m2_model, requests, "--threads", "1")
    assert code == 0
    greeting, *answers = lines
    assert greeting == {"peer": "m2-pytorch-published", "dtype": "fp32", "family": "m2_bert",
                        "title": f"PyTorch {torch.__version__.split('+')[0]}, M2-BERT as published, fp32"}
    assert len(answers) == 3
    for answer in answers:
        assert set(answer) == {"seconds", "peak_bytes"}
        assert answer["seconds"] > 0 and answer["peak_bytes"] > 1 << 20


def test_a_bad_request_is_answered_and_the_next_one_heard(m2_model):
    bad = {"nonsense": "not a JSON object", "[1, 2]": "positive whole batch",
           '{"length": 0, "batch": 1}': "positive whole length",
           '{"length": 8, "batch": true}': "positive whole batch",
           '{"length": 1.5, "batch": 1}': "positive whole length",
           '{"batch": 1}': "positive whole length",
           f'{{"length": {LONGEST + 1}, "batch": 1}}': f"above the model's {LONGEST}"}
    requests = "\n".join([*bad, '{"length": 8, "batch": 1}'])
    code, (_, *answers) = speak("m2-pytorch-published", m2_model, requests)
    assert code == 0
    for answer, says in zip(answers, bad.values()):
        assert set(answer) == {"error"} and says in answer["error"] and "\n" not in answer["error"]
    assert len(answers) == len(bad) + 1 and "seconds" in answers[-1]


# A peer that talks, counts its passes, and fails on texts of 13 tokens.
TALKER = """
import os
class Talker:
    title, dtype, family, vocabulary, max_length, passes = "a talker", "fp32", "none", 5, 99, 0
    def vectors(self, ids):
        self.passes += 1
        print("talk")
        os.system(f"echo pass {self.passes} of {ids.shape[0]} x {ids.shape[1]}")
        if ids.shape[1] == 13:
            raise RuntimeError("13 is" + chr(10) + "too many")
def make(variant, threads, config, folder):
    return Talker()
"""
RUN_TALKER = "import sys, peer; peer.PEERS['talker'] = ('talker', ''); sys.exit(peer.main())"


def test_libraries_talk_elsewhere_a_failed_pass_is_answered_and_a_new_shape_warmed_up(tmp_path):
    (tmp_path / "config.json").write_text("{}")
    (tmp_path / "talker.py").write_text(TALKER)
    requests = "".join(f'{{"length": {length}, "batch": 1}}\n' for length in (7, 7, 13, 8))
    environment = os.environ | {"PYTHONPATH": f"{BASELINES}:{tmp_path}"}
    done = subprocess.run([sys.executable, "-c", RUN_TALKER, "talker", "--model", tmp_path], input=requests,
                          env=environment, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    assert ["seconds" in line for line in lines] == [False, True, True, False, True]
    assert lines[3] == {"error": "RuntimeError: 13 is too many"}
    said = [line for line in done.stderr.splitlines() if line.startswith("pass")]
    assert said == ["pass 1 of 1 x 7", "pass 2 of 1 x 7", "pass 3 of 1 x 7", "pass 4 of 1 x 13",
                    "pass 5 of 1 x 8", "pass 6 of 1 x 8"]
    assert done.stderr.count("talk") == 6


def refuse(name, model, *words, says):
    code, lines = speak(name, model, "", *words)
    assert code == 1 and len(lines) == 1 and set(lines[0]) == {"error"}
    for part in says:
        assert part in lines[0]["error"]


def test_what_stops_a_peer_at_its_start_is_said(m2_model, tmp_path):
    refuse("m2-pytorch", m2_model, says=["no peer is called 'm2-pytorch'", "m2-pytorch-published"])
    refuse("m2-pytorch-published", tmp_path / "none", says=["none/config.json", "cannot be read", "m2 init"])
    refuse("m2-pytorch-published", m2_model, "--threads", "0", says=["--threads 0"])
    (tmp_path / "config.json").write_text(json.dumps(m2_program.CONFIG | {"monarch_mixer_sequence_mixing": False}))
    refuse("m2-pytorch-published", tmp_path, says=["monarch_mixer_sequence_mixing"])
    (tmp_path / "config.json").write_text((m2_model / "config.json").read_text())
    refuse("m2-pytorch-published", tmp_path, says=["model.safetensors"])


def test_a_missing_package_names_the_remedy(m2_model):
    if importlib.util.find_spec("onnxruntime"):
        pytest.skip("this Python has ONNX Runtime")
    refuse("bert-onnxruntime-fp32", m2_model, says=["Python has no onnx", "make bench-venv"])


def test_help_has_an_example():
    done = subprocess.run([sys.executable, BASELINES / "peer.py", "--help"], capture_output=True, text=True)
    assert done.returncode == 0 and "Example:" in done.stdout and "bert-onnxruntime-int8" in done.stdout
