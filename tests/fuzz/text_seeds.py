"""Seeds of the readers of texts: configurations, tokenizers' files, sentence-transformers' files; and their words.

make_corpus.py writes them. Needs Python alone.
"""

import json

M2 = {
    "model_type": "bert",
    "monarch_mixer_sequence_mixing": True,
    "hidden_size": 768,
    "intermediate_size": 3072,
    "num_hidden_layers": 12,
    "num_attention_heads": 12,
    "vocab_size": 30522,
    "max_position_embeddings": 2048,
    "type_vocab_size": 2,
    "pad_token_id": 0,
    "hidden_act": "gelu",
    "position_embedding_type": "absolute",
    "layer_norm_eps": 1e-12,
    "initializer_range": 0.02,
    "hidden_dropout_prob": 0.1,
    "attention_probs_dropout_prob": 0.0,
    "classifier_dropout": None,
    "num_labels": 3,
    "long_conv_l_max": 2048,
    "long_conv_kernel_learning_rate": 1e-3,
    "hyena_lr_pos_emb": 1e-5,
    "hyena_w": 10,
    "hyena_w_mod": 1,
    "hyena_wd": 0.1,
    "hyena_emb_dim": 5,
    "hyena_filter_order": 128,
    "hyena_training_additions": False,
    "bidirectional": True,
    "residual_long_conv": True,
    "use_glu_mlp": True,
    "use_monarch_mlp": True,
    "monarch_mlp_nblocks": 4,
    "use_positional_encodings": True,
    "pool_all": False,
    "use_cls_token": False,
    "use_normalized_embeddings": False,
    "gather_sentence_embeddings": False,
    "expand_positional_embeddings": False,
    "sequence_token_planting": False,
    "attention_pooling": False,
    "use_flash_mm": False,
    "padding": "max_length",
    "pooling": "pooler",
}
MOSAIC = {"alibi_starting_size": 512, "hidden_size": 64, "num_attention_heads": 4, "intermediate_size": 96}
BERT = {"model_type": "bert", "vocab_size": 101, "hidden_size": 48, "num_attention_heads": 3,
        "id2label": {"0": "no", "1": "yes"}, "padding": "none", "pooling": "mean"}

YAML = """
max_seq_len: 128
sizes: {width: 64}
model:
  name: mosaic_bert  # not what it is
  pretrained_model_name: bert-base-uncased
  model_config:
    monarch_mixer_sequence_mixing: True
    hidden_size: ${sizes.width}
    num_attention_heads: 4
    long_conv_l_max: ${max_seq_len}
    max_position_embeddings: ${max_seq_len}
    hyena_w: 10
    hyena_emb_dim: 5
    hyena_wd: 1.0e-5
    num_labels: ${labels}
    'bidirectional': "true"
optimizer: &o {lr: 8.0e-4}
again: *o
text: "é\\n${text}"
list: [1, 2.5, null, ~, yes]
"""

WORDS = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "a", "b", "hello", "world", "un", "##able", "##a", ",", "é", "你"]


def added_token(content, number, special=True):
    return {"id": number, "content": content, "single_word": False, "lstrip": False, "rstrip": content == "[MASK]",
            "normalized": False, "special": special}


def tokenizer_json():
    def special(token, kind):
        return {"SpecialToken": {"id": token, "type_id": kind}}

    def sequence(name, kind):
        return {"Sequence": {"id": name, "type_id": kind}}

    return {
        "version": "1.0",
        "truncation": None,
        "padding": None,
        "added_tokens": [added_token(word, i) for i, word in enumerate(WORDS[:5])]
        + [added_token("un##able", 15, False)],
        "normalizer": {"type": "BertNormalizer", "clean_text": True, "handle_chinese_chars": True,
                       "strip_accents": None, "lowercase": True},
        "pre_tokenizer": {"type": "BertPreTokenizer"},
        "post_processor": {
            "type": "TemplateProcessing",
            "single": [special("[CLS]", 0), sequence("A", 0), special("[SEP]", 0)],
            "pair": [special("[CLS]", 0), sequence("A", 0), special("[SEP]", 0), sequence("B", 1),
                     special("[SEP]", 1)],
            "special_tokens": {
                word: {"id": word, "ids": [WORDS.index(word)], "tokens": [word]} for word in ("[CLS]", "[SEP]")},
        },
        "decoder": {"type": "WordPiece", "prefix": "##", "cleanup": True},
        "model": {"type": "WordPiece", "unk_token": "[UNK]", "continuing_subword_prefix": "##",
                  "max_input_chars_per_word": 100, "vocab": {word: i for i, word in enumerate(WORDS)}},
    }


def bert_processing():
    tokenizer = tokenizer_json()
    tokenizer["post_processor"] = {"type": "BertProcessing", "sep": ["[SEP]", 3], "cls": ["[CLS]", 2]}
    return tokenizer


TOKENIZER_CONFIG = {
    "tokenizer_class": "BertTokenizer",
    "do_lower_case": False,
    "strip_accents": None,
    "tokenize_chinese_chars": True,
    "unk_token": "[UNK]",
    "mask_token": {"content": "[MASK]", "lstrip": True, "rstrip": False, "normalized": False, "single_word": False},
    "model_max_length": 512,
    "added_tokens_decoder": {"5": added_token("a", 5), "15": added_token("extra", 15, False)},
}
SPECIAL_TOKENS = {"cls_token": "[CLS]", "sep_token": "[SEP]", "pad_token": "[PAD]", "unk_token": "[UNK]"}

LAYOUT = [
    [{"idx": i, "name": str(i), "path": path, "type": f"sentence_transformers.models.{kind}"}
     for i, (path, kind) in enumerate([("", "Transformer"), ("1_Pooling", "Pooling"), ("2_Dense", "Dense"),
                                       ("3_Normalize", "Normalize")])],
    {"prompts": {"query": "query: ", "passage": ""}, "default_prompt_name": "query", "similarity_fn_name": "cosine",
     "__version__": {"sentence_transformers": "5.0.0"}, "model_type": "SentenceTransformer"},
    {"max_seq_length": 256, "do_lower_case": False},
    {"model_max_length": 512},
    # config.json of 1_Pooling and 3_Normalize, and of 2_Dense and 0_Transformer
    {"word_embedding_dimension": 48, "pooling_mode_mean_tokens": True, "pooling_mode_cls_token": False,
     "pooling_mode_max_tokens": False, "include_prompt": True},
    {"in_features": 48, "out_features": 20, "bias": True,
     "activation_function": "torch.nn.modules.activation.Tanh"},
]
NEW_POOLING = {"embedding_dimension": 48, "pooling_mode": "cls", "include_prompt": False}

TEXTS = {
    "plain": "Hello, world! un##able [MASK]ing",
    "marks": "e\u0301 É ﬁ ǅ \u00ad\u200b\ufffd \u00a0\u3000 x",
    "scripts": "你好 αβγ \u0e01\u0e33 한국 \U0001f600 \U0001d400",
    "controls": "a\tb\r\nc\x00d\x7f\x1b \u2028",
}


def compact(value):
    return json.dumps(value, ensure_ascii=False).encode()


def parts(*contents):
    """Several files as the fuzzers cut them."""
    return b"\0".join(contents)


def seeds():
    yield "config_json_fuzz/m2", compact(M2)
    yield "config_json_fuzz/mosaic", compact(MOSAIC)
    yield "config_json_fuzz/bert", compact(BERT)
    yield "config_yaml_fuzz/train", YAML.encode()
    yield "config_yaml_fuzz/json", compact({"model": {"name": "hf_bert", "model_config": M2}})
    yield "tokenizer_json_fuzz/template", compact(tokenizer_json())
    yield "tokenizer_json_fuzz/bert", compact(bert_processing())
    lines = "\n".join(WORDS).encode()
    yield "vocabulary_fuzz/alone", lines
    yield "vocabulary_fuzz/all", parts(lines, compact(TOKENIZER_CONFIG), compact(SPECIAL_TOKENS))
    yield "sentence_layout_fuzz/all", parts(*map(compact, LAYOUT))
    yield "sentence_layout_fuzz/new", parts(
        compact(LAYOUT[0][:2]), b"", b"", b"", compact(NEW_POOLING))
    for name, text in TEXTS.items():
        yield f"tokenizer_text_fuzz/{name}", text.encode()


def words(value):
    """Every key and text of a JSON value."""
    if isinstance(value, dict):
        for key, member in value.items():
            yield key
            yield from words(member)
    elif isinstance(value, list):
        for item in value:
            yield from words(item)
    elif isinstance(value, str):
        yield value


def dictionaries():
    """Fuzzer to the words that make its inputs."""
    configs = [M2, MOSAIC, BERT, {"name": "hf_bert", "model": {"pretrained_model_name": "bert-base-uncased"}}]
    others = ["true", "false", "null", "1e-12", "cls", "none", "m2_bert", "mosaic_bert"]
    activations = [f"torch.nn.modules.activation.{name}" for name in ("ReLU", "GELU", "Identity", "Sigmoid", "SiLU")]
    yield "config_json_fuzz", {*words(configs), *others}
    yield "config_yaml_fuzz", {*words(configs), *others, "${", "}", "<<: *", "&a ", "!!str ", ".nan", ".inf", "|\n"}
    yield "tokenizer_json_fuzz", {*words([tokenizer_json(), bert_processing()]), "\\u00e9", "null"}
    yield "vocabulary_fuzz", {*words([TOKENIZER_CONFIG, SPECIAL_TOKENS]), *WORDS, "\0"}
    yield "sentence_layout_fuzz", {*words([LAYOUT, NEW_POOLING]), *activations, "\0", "0_Transformer", "../x"}
    yield "tokenizer_text_fuzz", {*WORDS, "\u0301", "\u00a0", "\ufffd", "\U0001f600", "İ", "ß"}
