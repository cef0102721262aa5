"""`m2 convert` of plain BERT and of sentence-transformers folders, with transformers as the other side."""

import json
import shutil

import numpy
import pytest
import torch
import transformers
from m2_program import VOCABULARY, run, same_bits, save_ids, succeed, vectors
from safetensors.torch import load_file

TEXTS = ["one gate", "the quiet river ran on", "a"]
WORDS = 203


def settings():
    return transformers.BertConfig(
        vocab_size=WORDS, hidden_size=48, intermediate_size=80, num_hidden_layers=2, num_attention_heads=3,
        max_position_embeddings=65)


def save(model_class, folder, **options):
    torch.manual_seed(4)
    model = model_class(settings(), **options).eval()
    model.save_pretrained(folder)
    words = VOCABULARY.read_text().splitlines()[:WORDS]
    (folder / "vocab.txt").write_text("\n".join(words) + "\n")
    return model


def convert(model, out, *words):
    succeed("convert", model, out, *words)
    return out


def weights(folder):
    return load_file(folder / "model.safetensors")


def hidden_states(model):
    torch.manual_seed(5)
    ids = torch.randint(0, WORDS, (2, 19))
    with torch.no_grad():
        return model(input_ids=ids)[0]


def load(model_class, folder):
    """The model as transformers reads it, which must find all it asks for and no more."""
    model, report = model_class.from_pretrained(folder, output_loading_info=True)
    assert not any(report.values()), report
    return model.eval()


@pytest.mark.parametrize("names", ["m2", "upstream"])
def test_transformers_loads_a_converted_bert(tmp_path, names):
    original = save(transformers.BertModel, tmp_path / "bert")
    out = convert(tmp_path / "bert", tmp_path / "out", "--names", names)
    assert torch.equal(hidden_states(load(transformers.BertModel, out)), hidden_states(original))
    assert same_bits(vectors(out, *TEXTS), vectors(tmp_path / "bert", *TEXTS))


@pytest.mark.parametrize("model_class", [
    transformers.BertForMaskedLM, transformers.BertForSequenceClassification, transformers.BertForPreTraining])
def test_transformers_loads_the_heads(tmp_path, model_class):
    original = save(model_class, tmp_path / "bert")
    out = convert(tmp_path / "bert", tmp_path / "out", "--names", "upstream")
    assert torch.equal(hidden_states(load(model_class, out)), hidden_states(original))
    # From a file as older versions wrote them, with each of the tied names.
    old = tmp_path / "old"
    old.mkdir()
    torch.save(original.state_dict(), old / "pytorch_model.bin")
    shutil.copy(tmp_path / "bert/config.json", old)
    again = convert(old, tmp_path / "again", "--names", "upstream")
    assert (again / "model.safetensors").read_bytes() == (out / "model.safetensors").read_bytes()


def test_a_masked_model_without_a_pooler_pools_the_mean(tmp_path):
    save(transformers.BertForMaskedLM, tmp_path / "bert")
    out = convert(tmp_path / "bert", tmp_path / "out", "--names", "upstream")
    stated = json.loads((out / "config.json").read_text())
    assert stated["pooling"] == "mean" and stated["architectures"] == ["BertForMaskedLM"]
    assert stated["padding"] == "none"


def test_half_precision_loads_in_transformers(tmp_path):
    original = save(transformers.BertModel, tmp_path / "bert")
    out = convert(tmp_path / "bert", tmp_path / "out", "--names", "upstream", "--dtype", "bf16")
    loaded = transformers.BertModel.from_pretrained(out, dtype=torch.float32).eval()
    expected = original.bfloat16().float()
    assert torch.equal(hidden_states(loaded), hidden_states(expected))


# sentence-transformers folders


def add_layout(folder, transformer):
    """Transformer, mean pooling, a Dense and Normalize, as sentence-transformers lays them out."""
    kinds = [("", transformer, "Transformer"), ("1", "1_Pooling", "Pooling"), ("2", "2_Dense", "Dense"),
             ("3", "3_Normalize", "Normalize")]
    (folder / "modules.json").write_text(json.dumps([
        {"idx": i, "name": str(i), "path": path, "type": f"sentence_transformers.models.{kind}"}
        for i, (_, path, kind) in enumerate(kinds)]))
    (folder / "config_sentence_transformers.json").write_text(json.dumps({"prompts": {"query": "the "}}))
    (folder / transformer / "sentence_bert_config.json").write_text('{"max_seq_length": 32}')
    (folder / "1_Pooling").mkdir()
    (folder / "1_Pooling/config.json").write_text(
        json.dumps({"word_embedding_dimension": 48, "pooling_mode_mean_tokens": True}))
    (folder / "2_Dense").mkdir()
    (folder / "2_Dense/config.json").write_text(json.dumps(
        {"in_features": 48, "out_features": 20, "bias": True,
         "activation_function": "torch.nn.modules.activation.Tanh"}))
    torch.manual_seed(6)
    torch.save({"linear.weight": torch.randn(20, 48), "linear.bias": torch.randn(20)},
               folder / "2_Dense/pytorch_model.bin")
    (folder / "README.md").write_text("not copied")


def files_in(folder):
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


@pytest.mark.parametrize("transformer", ["", "0_Transformer"])
@pytest.mark.parametrize("names", ["m2", "upstream"])
def test_a_sentence_transformers_folder_is_copied_along(tmp_path, transformer, names):
    folder = tmp_path / "model"
    save(transformers.BertModel, folder / transformer, add_pooling_layer=False)
    add_layout(folder, transformer)
    out = convert(folder, tmp_path / "out", "--names", names)
    assert files_in(out) == [name for name in files_in(folder) if name != "README.md"]
    for name in files_in(out):
        if not name.endswith(f"{transformer}/config.json" if transformer else "config.json") and "model.s" not in name:
            assert (out / name).read_bytes() == (folder / name).read_bytes(), name
    found = vectors(out, *TEXTS)
    assert found.shape == (3, 20) and same_bits(found, vectors(folder, *TEXTS))
    again = convert(out, tmp_path / "again", "--names", names)
    assert files_in(again) == files_in(out)
    assert [(again / name).read_bytes() for name in files_in(out)] == [
        (out / name).read_bytes() for name in files_in(out)]
