"""Folders of the sentence-transformers layout, made and computed by that package, against `m2 embed`."""

import json
import os
import shutil
import warnings

os.environ["HF_HUB_OFFLINE"] = "1"  # before the packages are imported: nothing is fetched

import numpy
import pytest
import torch
from m2_program import (
    INPUT,
    USAGE,
    VOCABULARY,
    embed,
    ids_of,
    init,
    refuse,
    relative_error,
    run,
    same_bits,
    succeed,
    vectors,
)
from sentence_transformers import SentenceTransformer
from sentence_transformers.base.modules import Dense, Normalize, Transformer
from sentence_transformers.sentence_transformer.modules import Pooling
from transformers import BertConfig, BertModel, BertTokenizerFast

BOUND = 1e-5  # relative to the vector's norm: fp32 sums in another order give about 2e-7
WIDTH, LONGEST, CUT = 48, 130, 40
TEXTS = [
    "The gate was open.",
    "a",
    "She said: naïve CAFÉ, 東京!",
    "query: The House [SEP] and its Garden",
    " ".join(f"the garden and the house number {number}" for number in range(40)),
]
PROMPTS = {"query": "query: ", "passage": "Represent the passage: ", "glued": "gate"}


def make_bert(folder, lower=True, **sizes):
    """A BERT of random weights as `transformers` saves it; larger ones than at the start of a
    training, so that attention and tanh are not nearly linear."""
    config = {"vocab_size": 8192, "hidden_size": WIDTH, "num_hidden_layers": 2, "num_attention_heads": 3,
              "intermediate_size": 96, "max_position_embeddings": LONGEST, "initializer_range": 0.2}
    torch.manual_seed(1)
    BertModel(BertConfig(**(config | sizes))).save_pretrained(folder)
    BertTokenizerFast(vocab=str(VOCABULARY), do_lower_case=lower).save_pretrained(folder)
    return folder


def make(folder, pooling="mean", dense=(), normalise=False, lower=True, cut=None, prompts=None,
         default=None):
    """A whole layout in `folder`; `dense` is (out, bias, activation) of each module."""
    base = make_bert(folder.parent / f"{folder.name}-base", lower)
    modules = [Transformer(str(base), max_seq_length=cut), Pooling(WIDTH, pooling_mode=pooling)]
    width = WIDTH
    for out, bias, activation in dense:
        modules.append(Dense(width, out, bias=bias, activation_function=activation))
        torch.nn.init.normal_(modules[-1].linear.weight, std=0.3)
        width = out
    if normalise:
        modules.append(Normalize())
    SentenceTransformer(modules=modules, prompts=prompts, default_prompt_name=default,
                        device="cpu").save(str(folder))
    return folder


def load(folder):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return SentenceTransformer(str(folder), device="cpu")


def edit(path, **changes):
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))


def worst_error(found, expected):
    assert found.shape == expected.shape
    return max(relative_error(a, b) for a, b in zip(found, expected))


def agree(folder, *words, texts=TEXTS, **oracle):
    """`m2 embed` against the package, text by text."""
    expected = load(folder).encode(texts, **oracle)
    found = vectors(folder, "--truncate", "end", *words, *texts)
    assert worst_error(found, expected) < BOUND
    return found


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """Everything at once, in the newest form of the files."""
    folder = tmp_path_factory.mktemp("layout")
    return make(folder / "whole", dense=[(36, True, torch.nn.Tanh()), (20, False, torch.nn.GELU())],
                normalise=True, cut=CUT, prompts=PROMPTS, default="query")


@pytest.fixture
def copy(whole, tmp_path):
    """The same to damage."""
    folder = tmp_path / "copy"
    shutil.copytree(whole, folder)
    return folder


# Vectors


@pytest.mark.parametrize("settings", [
    {"pooling": "mean"},
    {"pooling": "cls"},
    {"pooling": "mean", "normalise": True},
    {"pooling": "cls", "normalise": True, "cut": CUT},
    {"pooling": "cls", "lower": False},
    {"pooling": "mean", "lower": False},
    {"pooling": "mean", "dense": [(17, True, torch.nn.Tanh())]},
    {"pooling": "cls", "dense": [(64, False, torch.nn.Identity())], "normalise": True},
    {"pooling": "mean", "dense": [(WIDTH, True, torch.nn.ReLU()), (33, True, torch.nn.Sigmoid())]},
    {"pooling": "mean", "dense": [(5, True, torch.nn.GELU()), (9, True, torch.nn.SiLU())]},
], ids=str)
def test_layouts(tmp_path, settings):
    agree(make(tmp_path / "model", **settings))


def test_lower_case(tmp_path):
    """do_lower_case on a cased vocabulary: other tokens, and accents that stay."""
    cased = make(tmp_path / "model", lower=False)
    before = agree(cased)
    edit(cased / "sentence_bert_config.json", do_lower_case=True)
    lower = agree(cased)
    assert not same_bits(lower[0], before[0])
    # As the package saves it: a step before the normalizer, unless the tokenizer's class overrules it.
    loaded = load(cased)
    loaded.save(str(tmp_path / "saved"))
    assert same_bits(agree(tmp_path / "saved"), before)
    edit(tmp_path / "saved/tokenizer_config.json", tokenizer_class="PreTrainedTokenizerFast")
    assert same_bits(agree(tmp_path / "saved"), lower)


def test_prompts(whole):
    texts = TEXTS[:4]
    by_default = agree(whole, texts=texts)
    assert same_bits(agree(whole, "--prompt-name", "query", texts=texts, prompt_name="query"), by_default)
    for name in ("passage", "glued"):
        assert not same_bits(agree(whole, "--prompt-name", name, texts=texts, prompt_name=name), by_default)
    bare = agree(whole, "--prompt", "", texts=texts, prompt="")
    assert not same_bits(bare, by_default)
    own = agree(whole, "--prompt", "Frage: ", texts=texts, prompt="Frage: ")
    # The negative control: another prompt's vectors are not within the bound.
    assert worst_error(own, load(whole).encode(texts, prompt="Frage. ")) > 100 * BOUND
    agree(whole, "--prompt", "query: ", prompt="query: ")  # the last text is cut behind its prompt


def test_a_weight_changed_is_seen(copy):
    """The negative control of Dense, Normalize and Pooling: each one's absence shows."""
    found = vectors(copy, "--truncate", "end", *TEXTS)
    weights = load(copy)
    with torch.no_grad():
        weights[2].linear.weight[3] = 0
    assert worst_error(found, weights.encode(TEXTS)) > 100 * BOUND
    assert worst_error(found, load(copy).encode(TEXTS) * 1.001) > 50 * BOUND
    edit(copy / "1_Pooling/config.json", pooling_mode="cls")
    assert worst_error(vectors(copy, "--truncate", "end", *TEXTS), found) > 100 * BOUND


def test_old_forms_of_the_files(copy):
    expected = vectors(copy, "--truncate", "end", *TEXTS)
    modules = json.loads((copy / "modules.json").read_text())
    for module in modules:
        module["type"] = f"sentence_transformers.models.{module['type'].rsplit('.', 1)[1]}"
    modules[0]["path"] = "0_Transformer"
    (copy / "modules.json").write_text(json.dumps(modules))
    (copy / "1_Pooling/config.json").write_text(json.dumps({
        "word_embedding_dimension": WIDTH, "pooling_mode_cls_token": False, "pooling_mode_mean_tokens": True,
        "pooling_mode_max_tokens": False, "pooling_mode_mean_sqrt_len_tokens": False}))
    shutil.rmtree(copy / "4_Normalize")  # holds nothing that git would keep
    (copy / "0_Transformer").mkdir()
    for name in ("config.json", "model.safetensors", "tokenizer.json", "tokenizer_config.json"):
        shutil.move(copy / name, copy / "0_Transformer" / name)
    edit(copy / "0_Transformer/tokenizer_config.json", model_max_length=512)
    (copy / "sentence_bert_config.json").unlink()
    (copy / "0_Transformer/sentence_bert_config.json").write_text(
        json.dumps({"max_seq_length": CUT, "do_lower_case": False}))
    from safetensors.torch import load_file
    weights = load_file(copy / "2_Dense/model.safetensors")
    torch.save(weights, copy / "2_Dense/pytorch_model.bin")
    (copy / "2_Dense/model.safetensors").unlink()
    assert same_bits(agree(copy), expected)


def test_pooling_flags_replace_the_layout(whole):
    hidden = embed(whole, "--pooling", "none", "--prompt", "", TEXTS[0])[0]["embedding"]
    assert hidden.shape == (len(ids_of(whole, TEXTS[0])), WIDTH)  # no Dense, not scaled
    states = load(whole).encode(TEXTS[0], prompt="", output_value="token_embeddings").numpy()
    assert worst_error(hidden, states) < BOUND
    cls = vectors(whole, "--pooling", "cls", TEXTS[0])
    assert cls.shape == (1, 20) and not same_bits(cls, vectors(whole, TEXTS[0]))
    plain = vectors(whole, "--normalize", "false", TEXTS[0])
    assert worst_error(plain / numpy.linalg.norm(plain), vectors(whole, TEXTS[0])) < 1e-6


def test_max_seq_length_is_the_longest_text(whole, copy):
    text = refuse(INPUT, "embed", "--model-id", whole, TEXTS[-1], says=[str(CUT), "--truncate"])
    assert str(len(ids_of(whole, "query: " + TEXTS[-1]))) in text
    line = embed(whole, "--truncate", "end", TEXTS[-1])[0]
    assert line["tokens"] == CUT and line["truncated"]
    assert line["characters"] == len(TEXTS[-1])  # of the text, not of the prompt
    begin, end = line["kept_characters"]
    assert begin == 0 and ids_of(whole, "query: " + TEXTS[-1][:end])[:-1] == \
        ids_of(whole, "query: " + TEXTS[-1])[: CUT - 1]
    # From the start the prompt stays.
    line = embed(whole, "--truncate", "start", TEXTS[-1])[0]
    begin, end = line["kept_characters"]
    assert end == len(TEXTS[-1]) and line["tokens"] == CUT
    same = embed(whole, TEXTS[-1][begin:])[0]
    assert same_bits(line["embedding"], same["embedding"])
    # The weights' own limit holds where the layout's is beyond it.
    edit(copy / "tokenizer_config.json", model_max_length=4096)
    assert embed(copy, "--truncate", "end", TEXTS[-1])[0]["tokens"] == LONGEST


def test_info_says_what_the_layout_is(whole):
    info = json.loads(succeed("info", "--json", "--model-id", whole))
    assert (info["longest_text"], info["max_length"], info["pooling"], info["normalize"]) == \
        (CUT, LONGEST, "mean", True)
    assert [(module["in"], module["out"], module["activation"]) for module in info["dense"]] == \
        [(WIDTH, 36, "tanh"), (36, 20, "gelu")]
    assert info["prompts"].items() >= PROMPTS.items() and info["default_prompt"] == "query"
    assert info["similarity"] == "cosine"
    table = succeed("info", "--model-id", whole).decode()
    for part in ("mean, dense 48 to 36 with tanh", "scaled to length 1", "query: ", "by default", "cosine"):
        assert part in table


def test_a_file_of_weights_is_its_folders_model(whole):
    assert same_bits(vectors(whole / "model.safetensors", TEXTS[0]), vectors(whole, TEXTS[0]))


def test_mixer_models_have_layouts_too(tmp_path):
    """Beside an M2 model the layout means the same: the mean, a matrix, length 1."""
    model = init(tmp_path, tmp_path / "mixer")
    states = embed(model, "--pooling", "none", "--prompt", "x ", TEXTS[0])[0]["embedding"].astype(float)
    matrix = numpy.random.default_rng(1).normal(size=(7, states.shape[1])).astype(numpy.float32)
    (model / "modules.json").write_text(json.dumps([
        {"idx": number, "name": str(number), "path": path, "type": f"sentence_transformers.models.{kind}"}
        for number, (path, kind) in enumerate([("", "Transformer"), ("1_Pooling", "Pooling"),
                                               ("2_Dense", "Dense"), ("3_Normalize", "Normalize")])]))
    for folder in ("1_Pooling", "2_Dense"):
        (model / folder).mkdir()
    (model / "1_Pooling/config.json").write_text(json.dumps({"embedding_dimension": states.shape[1]}))
    (model / "2_Dense/config.json").write_text(json.dumps({
        "in_features": states.shape[1], "out_features": 7, "bias": False,
        "activation_function": "torch.nn.modules.linear.Identity"}))
    from safetensors.numpy import save_file
    save_file({"linear.weight": matrix}, model / "2_Dense/model.safetensors")
    expected = matrix.astype(float) @ states.mean(axis=0)
    found = vectors(model, "--prompt", "x ", TEXTS[0])[0]
    assert relative_error(found, expected / numpy.linalg.norm(expected)) < BOUND


# Refusals


def test_prompts_refused(whole, copy):
    words = ("embed", "--model-id", whole)
    refuse(USAGE, *words, "--prompt-name", "title", "a", says=["title", *PROMPTS])
    refuse(USAGE, *words, "--prompt-name", "query", "--prompt", "x", "a", says="not both")
    refuse(USAGE, *words, "--prompt", "x", "--input-ids", "x.npy", says="--prompt")
    refuse(INPUT, *words, " ", says="empty")
    refuse(USAGE, *words, "--truncate", "end", "--prompt", TEXTS[-1], "a", says=["prompt", str(CUT)])
    edit(copy / "1_Pooling/config.json", include_prompt=False)
    refuse(INPUT, "embed", "--model-id", copy, "a", says="include_prompt")
    assert same_bits(vectors(copy, "--prompt", "", "a"), vectors(whole, "--prompt", "", "a"))


def test_a_model_without_prompts_says_so(model):
    refuse(USAGE, "embed", "--model-id", model, "--prompt-name", "query", "a", says="none at all")
    assert same_bits(vectors(model, "--prompt", "The gate ", "was open."), vectors(model, "The gate was open."))


def with_module(copy, index, **changes):
    modules = json.loads((copy / "modules.json").read_text())
    modules[index] |= changes
    (copy / "modules.json").write_text(json.dumps(modules))


@pytest.mark.asan
@pytest.mark.parametrize("name, changes, says", [
    ("1_Pooling/config.json", {"pooling_mode": "max"}, ["max", "cls and mean"]),
    ("1_Pooling/config.json", {"pooling_mode": "lasttoken"}, ["lasttoken"]),
    ("1_Pooling/config.json", {"pooling_mode": "weightedmean"}, ["weightedmean"]),
    ("1_Pooling/config.json", {"pooling_mode": "mean_sqrt_len_tokens"}, ["mean_sqrt_len_tokens"]),
    ("1_Pooling/config.json", {"pooling_mode": ["cls", "mean"]}, ["cls, mean", "one mode"]),
    ("1_Pooling/config.json", {"embedding_dimension": 64}, ["2_Dense/config.json", "in_features", "48", "64"]),
    ("1_Pooling/config.json", {"pooling_mode_lasttoken_2": True}, ["pooling_mode_lasttoken_2"]),
    ("2_Dense/config.json", {"in_features": 47}, ["in_features", "47", "48"]),
    ("2_Dense/config.json", {"activation_function": "torch.nn.modules.activation.Softmax"}, ["Softmax"]),
    ("2_Dense/config.json", {"activation_function": "os.system"}, ["os.system"]),
    ("2_Dense/config.json", {"use_residual": True}, ["use_residual"]),
    ("2_Dense/config.json", {"module_input_name": "token_embeddings"}, ["token_embeddings"]),
    ("2_Dense/config.json", {"out_features": 35}, ["3_Dense/config.json", "in_features", "35", "36"]),
    ("3_Dense/config.json", {"out_features": 21}, ["linear.weight", "[20, 36]", "[21, 36]"]),
    ("2_Dense/config.json", {"out_features": -1}, ["out_features"]),
    ("2_Dense/config.json", {"bias": False}, ["linear.bias"]),
    ("3_Dense/config.json", {"bias": True}, ["linear.bias"]),
    ("4_Normalize/config.json", {"module_input_name": "token_embeddings"}, ["4_Normalize"]),
    ("sentence_bert_config.json", {"transformer_task": "fill-mask"}, ["fill-mask"]),
    ("sentence_bert_config.json", {"query_length": 32}, ["query_length"]),
    ("sentence_bert_config.json", {"tokenizer_args": {"padding_side": "left"}}, ["tokenizer_args"]),
    ("sentence_bert_config.json", {"max_seq_length": 0}, ["max_seq_length"]),
    ("config_sentence_transformers.json", {"model_type": "SparseEncoder"}, ["SparseEncoder"]),
    ("config_sentence_transformers.json", {"truncate_dim": 16}, ["truncate_dim"]),
    ("config_sentence_transformers.json", {"default_prompt_name": "title"}, ["title"]),
    ("config_sentence_transformers.json", {"prompts": ["query: "]}, ["prompts"]),
    ("config_sentence_transformers.json", {"similarity_fn_name": "maxsim"}, ["maxsim"]),
    ("config.json", {"pooling": "cls"}, ["pooling", "cls", "mean"]),
    ("config.json", {"model_type": "mpnet"}, ["mpnet"]),
    ("config.json", {"position_embedding_type": "relative_key"}, ["relative_key"]),
])
def test_unsupported_settings(copy, name, changes, says):
    edit(copy / name, **changes)
    refuse(INPUT, "embed", "--model-id", copy, "a", says=says)


def test_a_pooling_of_another_width(tmp_path):
    folder = make(tmp_path / "model")
    edit(folder / "1_Pooling/config.json", embedding_dimension=64)
    refuse(INPUT, "embed", "--model-id", folder, "a", says=["hidden_size", "48", "64"])


@pytest.mark.asan
@pytest.mark.parametrize("index, changes, says", [
    (1, {"type": "sentence_transformers.models.WordWeights"}, "WordWeights"),
    (2, {"type": "sentence_transformers.models.LSTM"}, "LSTM"),
    (3, {"type": "custom_module.Dense"}, "custom_module.Dense"),
    (2, {"type": "sentence_transformers.models.Normalize", "path": "4_Normalize"}, "Normalize"),
    (2, {"type": "sentence_transformers.models.Transformer"}, "Transformer"),
    (0, {"type": "sentence_transformers.models.Pooling", "path": "1_Pooling"}, "Pooling"),
    (2, {"path": "../2_Dense"}, "../2_Dense"),
    (2, {"path": "/etc"}, "/etc"),
    (2, {"path": ".."}, ".."),
    (2, {"path": "2_Dense\\x"}, "2_Dense"),
    (2, {"path": "7_Dense"}, "7_Dense"),
    (1, {"kwargs": ["x"]}, "kwargs"),
])
def test_unsupported_modules(copy, index, changes, says):
    with_module(copy, index, **changes)
    refuse(INPUT, "embed", "--model-id", copy, "a", says=says)


@pytest.mark.asan
@pytest.mark.parametrize("content, says", [
    ("", "modules.json"), ("{}", "list"), ("[]", "list"), ("[1]", "module 0"),
    ('[{"path": ""}]', "type"), ("[" * 40, "deeper"),
    ('[{"path": "", "type": "sentence_transformers.models.Transformer"}]', "Pooling"),
])
def test_bad_modules_json(copy, content, says):
    (copy / "modules.json").write_text(content)
    refuse(INPUT, "embed", "--model-id", copy, "a", says=["modules.json", says])


@pytest.mark.asan
def test_bad_dense_weights(copy):
    from safetensors.torch import load_file, save_file
    path = copy / "2_Dense/model.safetensors"
    weights = load_file(path)
    save_file(weights | {"residual.weight": torch.zeros(3)}, path)
    refuse(INPUT, "embed", "--model-id", copy, "a", says="residual.weight")
    weights["linear.bias"][4] = float("nan")
    save_file(weights, path)
    refuse(INPUT, "embed", "--model-id", copy, "a", says=["linear.bias", "NaN"])
    save_file({"linear.weight": weights["linear.weight"].to(torch.int32), "linear.bias": weights["linear.bias"]}, path)
    refuse(INPUT, "embed", "--model-id", copy, "a", says="int32")
    path.write_bytes(path.read_bytes()[:100])
    refuse(INPUT, "embed", "--model-id", copy, "a", says="2_Dense")
    path.unlink()
    refuse(INPUT, "embed", "--model-id", copy, "a", says="2_Dense")


def test_without_modules_json_nothing_of_the_layout_counts(copy):
    (copy / "modules.json").unlink()
    line = embed(copy, TEXTS[-1], "--truncate", "end")[0]
    assert line["tokens"] == LONGEST and line["embedding"].shape == (WIDTH,)
    done = run("embed", "--model-id", copy, "--prompt-name", "query", "a")
    assert done.returncode == USAGE
