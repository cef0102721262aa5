"""The tokenizer against the `tokenizers` package: the same ids, type ids and offsets.

Needs the program tests/tokenizer/tokenizer_probe of the build directory (M2_BUILD_DIR, by default
build/release).
"""

import itertools
import json
import os
import pathlib
import subprocess
import sys

import pytest
from tokenizer_texts import (
    AWKWARD,
    COMBINING,
    SENTENCES,
    awkward_texts,
    code_points,
    random_texts,
    texts_around,
)
from tokenizers import (
    AddedToken,
    Tokenizer,
    models,
    normalizers,
    pre_tokenizers,
    processors,
    trainers,
)

ROOT = pathlib.Path(__file__).resolve().parents[2]
PROBE = ROOT / os.environ.get("M2_BUILD_DIR", "build/release") / "tests/tokenizer/tokenizer_probe"
BERT_VOCABULARY = ROOT.parent / "shared/data/vocab/bert-base-uncased-vocab.txt"
SPECIAL = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]


# Running both sides


def ask(path, requests):
    """The probe's answers about the tokenizer at `path`; its load answer first."""
    lines = [json.dumps(request) for request in [{"load": str(path)}, *requests]]
    done = subprocess.run(
        [PROBE], input="\n".join(lines) + "\n", capture_output=True, text=True, encoding="utf-8"
    )
    assert done.returncode == 0, done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]


def expected(oracle, request):
    """What the oracle makes of one encode request, in the probe's form."""
    if "max_length" in request:
        side = "left" if request.get("cut") == "start" else "right"
        oracle.enable_truncation(request["max_length"], direction=side)
    else:
        oracle.no_truncation()
    encoding = oracle.encode(
        request["text"], request.get("pair"), add_special_tokens=request.get("special", True)
    )
    return {
        "ids": encoding.ids,
        "types": encoding.type_ids,
        "offsets": [list(pair) for pair in encoding.offsets],
    }


def differences(oracle, path, requests):
    """The requests that the two sides answer differently."""
    answers = ask(path, requests)[1:]
    assert len(answers) == len(requests)
    found = []
    for request, answer in zip(requests, answers):
        want = expected(oracle, request)
        if any(answer.get(key) != value for key, value in want.items()):
            found.append((request, want, answer))
    return found


def assert_same(oracle, folder, texts, **options):
    path = folder / "tokenizer.json"
    oracle.no_truncation()
    oracle.save(str(path))
    found = differences(oracle, path, [{"text": text, **options} for text in texts])
    assert not found, f"{len(found)} of {len(texts)} differ, such as {found[:2]}"


# Oracles


def bert(vocabulary, **normalizer):
    oracle = Tokenizer(models.WordPiece(vocabulary, unk_token="[UNK]"))
    oracle.normalizer = normalizers.BertNormalizer(**normalizer)
    oracle.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    oracle.add_special_tokens(SPECIAL)
    cls, sep = oracle.token_to_id("[CLS]"), oracle.token_to_id("[SEP]")
    oracle.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]",
        pair="[CLS] $A [SEP] $B:1 [SEP]:1",
        special_tokens=[("[CLS]", cls), ("[SEP]", sep)],
    )
    return oracle


def train_vocabulary(texts):
    """A small vocabulary of many scripts, in which accents and capitals stay what they are."""
    oracle = Tokenizer(models.WordPiece(unk_token="[UNK]"))
    oracle.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    trainer = trainers.WordPieceTrainer(
        vocab_size=9000, special_tokens=SPECIAL, show_progress=False, limit_alphabet=7000
    )
    oracle.train_from_iterator(texts, trainer)
    return oracle.get_vocab()


def changed_characters():
    """All that normalization makes of code points that it changes."""
    normalize = normalizers.BertNormalizer().normalize_str
    seen = set()
    for c in code_points():
        if normalize(chr(c)) != chr(c):
            seen.update(normalize(chr(c)))
    return sorted(seen - {" "})


@pytest.fixture(scope="module", autouse=True)
def probe():
    if not PROBE.exists():
        pytest.fail(f"{PROBE} is missing: build the target tokenizer_probe, or set M2_BUILD_DIR")


@pytest.fixture(scope="module")
def trained():
    vocabulary = train_vocabulary([*SENTENCES, *COMBINING, *AWKWARD] * 2)
    for c in changed_characters():
        for token in (c, f"##{c}"):
            vocabulary.setdefault(token, len(vocabulary))
    return vocabulary


@pytest.fixture(scope="module")
def published():
    if not BERT_VOCABULARY.exists():
        pytest.skip(f"{BERT_VOCABULARY} is not here")
    lines = BERT_VOCABULARY.read_text(encoding="utf-8").splitlines()
    return {token: i for i, token in enumerate(lines)}


@pytest.fixture(params=["trained", "published"])
def vocabulary(request):
    return request.getfixturevalue(request.param)


# Tests


def test_there_are_enough_awkward_texts():
    assert len(set(awkward_texts())) >= 2000


def test_awkward_texts(vocabulary, tmp_path):
    assert_same(bert(vocabulary), tmp_path, awkward_texts())


def test_random_texts(vocabulary, tmp_path):
    assert_same(bert(vocabulary), tmp_path, list(random_texts(6000, seed=1)))


def test_every_code_point(trained, tmp_path):
    """Each between letters, alone, and around a mark."""
    points = code_points()
    texts = [
        "".join(f"a{chr(c)}b {chr(c)} {chr(c)}\u0323" for c in points[i : i + 256])
        for i in range(0, len(points), 256)
    ]
    assert_same(bert(trained), tmp_path, texts)


@pytest.mark.parametrize("strip_accents", [None, True, False])
@pytest.mark.parametrize("lowercase", [True, False])
@pytest.mark.parametrize("cleaning", [(True, True), (True, False), (False, True), (False, False)])
def test_switches(trained, tmp_path, strip_accents, lowercase, cleaning):
    oracle = bert(
        trained,
        clean_text=cleaning[0],
        handle_chinese_chars=cleaning[1],
        strip_accents=strip_accents,
        lowercase=lowercase,
    )
    assert_same(oracle, tmp_path, awkward_texts()[::3] + list(random_texts(600, seed=2)))


def test_no_normalizer_no_post_processor(trained, tmp_path):
    oracle = Tokenizer(models.WordPiece(trained, unk_token="[UNK]"))
    oracle.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    texts = awkward_texts()[::4]
    assert_same(oracle, tmp_path, texts)
    assert_same(oracle, tmp_path, texts, pair="a b")


@pytest.mark.parametrize("special", [True, False])
def test_pairs(vocabulary, tmp_path, special):
    oracle = bert(vocabulary)
    texts = awkward_texts()[::5]
    assert_same(oracle, tmp_path, texts, pair="Ein zweiter Téxt [SEP].", special=special)


def test_bert_processing(trained, tmp_path):
    oracle = bert(trained)
    oracle.post_processor = processors.BertProcessing(("[SEP]", 3), ("[CLS]", 2))
    for special in (True, False):
        assert_same(oracle, tmp_path, awkward_texts()[::9], special=special)
        assert_same(oracle, tmp_path, awkward_texts()[::9], pair="b é", special=special)


@pytest.mark.parametrize("cut", ["end", "start"])
@pytest.mark.parametrize("special", [True, False])
def test_truncation(vocabulary, tmp_path, cut, special):
    oracle = bert(vocabulary)
    path = tmp_path / "tokenizer.json"
    oracle.save(str(path))
    # Below the number of special tokens the oracle's subtraction wraps round: the C++ test has it.
    lengths = (3 if special else 1, 4, 5, 8, 17, 64)
    pairs = ({}, {"pair": ""}, {"pair": "b"}, {"pair": "Zwölf Boxkämpfer jagen Viktor. " * 6})
    requests = [
        {"text": text, "max_length": length, "cut": cut, "special": special, **pair}
        for text in [*SENTENCES[::3], *AWKWARD[::9], "a b c d", ""]
        for length in lengths
        for pair in pairs
    ]
    found = differences(oracle, path, requests)
    assert not found, found[:2]


def test_only_special_tokens_fit(trained, tmp_path):
    assert_same(bert(trained), tmp_path, ["a b c", ""], max_length=2)
    assert_same(bert(trained), tmp_path, ["a b c", ""], pair="d e", max_length=3)


def added_tokens():
    """Each combination of flags, and tokens that begin alike."""
    flags = itertools.product((False, True), repeat=4)
    for i, (single_word, lstrip, rstrip, normalized) in enumerate(flags):
        yield AddedToken(
            f"<T{i}>" if i // 2 % 2 else f"Tök{i}ö",
            single_word=single_word,
            lstrip=lstrip,
            rstrip=rstrip,
            normalized=normalized,
        )
    for content in ("<T", "<T2><T3>", "中文", "e\u0301a"):
        yield AddedToken(content, normalized=content > "a")


@pytest.mark.parametrize("lowercase", [True, False])
def test_added_tokens(trained, tmp_path, lowercase):
    oracle = bert(trained, lowercase=lowercase)
    tokens = list(added_tokens())
    oracle.add_tokens(tokens)
    oracle.add_special_tokens([AddedToken("[MASK]", lstrip=True), AddedToken("[X]", rstrip=True)])
    names = [token.content for token in tokens] + ["[X]"]
    assert_same(oracle, tmp_path, [*texts_around(names, 3000), *awkward_texts()[::7]])


def test_word_model_settings(trained, tmp_path):
    """A prefix that is a token too, a short word limit, another unknown token."""
    vocabulary = {token.replace("##", "@", 1): i for token, i in trained.items()}
    assert len(vocabulary) == len(trained)
    oracle = bert(vocabulary)
    oracle.model = models.WordPiece(
        vocabulary, unk_token="[MASK]", continuing_subword_prefix="@", max_input_chars_per_word=7
    )
    assert_same(oracle, tmp_path, awkward_texts()[::4])


def write_folder(folder, vocabulary_bytes, **files):
    folder.mkdir()
    (folder / "vocab.txt").write_bytes(vocabulary_bytes)
    for name, content in files.items():
        (folder / f"{name}.json").write_text(json.dumps(content), encoding="utf-8")


LINES = b"[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\nhello\nA\nfoo\na\n##b\n<x>\n\xc3\xa9\ne\n"


def configured(**config):
    return LINES, {"tokenizer_config": config}


def token_entry(content, *flags):
    names = ("single_word", "lstrip", "rstrip", "normalized", "special")
    return {"content": content, **{name: name in flags for name in names}}


FOLDERS = {
    "plain": (LINES, {}),
    "crlf": (LINES.replace(b"\n", b"\r\n"), {}),
    "no_last_line_end": (LINES[:-1], {}),
    "trailing_empty_line": (LINES + b"\n", {}),
    "trailing_blanks": (LINES + b"x \ny\xe3\x80\x80\n\xc2\xa0\nlone\rcr\n", {}),
    "cased": configured(do_lower_case=False),
    "switches": configured(do_lower_case=False, strip_accents=True, tokenize_chinese_chars=False),
    "accents_kept": configured(strip_accents=False, tokenizer_class="BertTokenizer"),
    "special_tokens_map": (
        LINES,
        {
            "tokenizer_config": {"cls_token": "hello"},
            "special_tokens_map": {
                "cls_token": "<x>",
                "mask_token": token_entry("[MASK]", "lstrip"),
            },
        },
    ),
    "added_tokens_decoder": configured(
        added_tokens_decoder={
            "10": token_entry("<x>", "single_word", "lstrip", "normalized"),
            "4": token_entry("[MASK]", "lstrip", "rstrip", "special"),
            "13": token_entry("New", "normalized"),
        }
    ),
}
FOLDER_TEXTS = [
    "A héllo [MASK] é foo<x> x y <x> lone\rcr aB abb 中A new New",
    "",
    "[MASK]  [CLS]a \u3000",
    *AWKWARD,
]


def bert_tokenizer(folder):
    transformers = pytest.importorskip("transformers")
    return transformers.BertTokenizerFast.from_pretrained(folder, local_files_only=True)


@pytest.mark.parametrize("name", FOLDERS)
def test_vocabulary_folders(tmp_path, name):
    """A vocab.txt and its configuration, read as transformers reads them."""
    lines, files = FOLDERS[name]
    folder = tmp_path / name
    write_folder(folder, lines, **files)
    reference = bert_tokenizer(folder)
    requests = [{"text": text} for text in FOLDER_TEXTS]
    found = differences(reference.backend_tokenizer, folder, requests)
    assert not found, found[:2]
    answer = ask(folder, [])[0]
    names = ("unk", "cls", "sep", "pad", "mask")
    assert answer["special"] == {name: getattr(reference, f"{name}_token_id") for name in names}
    assert answer["vocab_size"] == len(reference)


@pytest.mark.parametrize("lower", [True, False])
def test_configuration_overrules_tokenizer_json(tmp_path, lower):
    write_folder(tmp_path / "plain", LINES)
    folder = tmp_path / "saved"
    bert_tokenizer(tmp_path / "plain").save_pretrained(folder)
    config = folder / "tokenizer_config.json"
    config.write_text(json.dumps(json.loads(config.read_text()) | {"do_lower_case": lower}))
    requests = [{"text": text} for text in ["A é É hello HELLO", *SENTENCES]]
    assert not differences(bert_tokenizer(folder).backend_tokenizer, folder, requests)


def test_transformers_class(published, tmp_path):
    """The class that users name, on the vocabulary that the models use."""
    folder = tmp_path / "bert"
    write_folder(folder, BERT_VOCABULARY.read_bytes())
    reference = bert_tokenizer(folder)
    requests = [{"text": text} for text in awkward_texts()]
    assert not differences(reference.backend_tokenizer, folder, requests)
    assert ask(BERT_VOCABULARY, [{"text": "a[SEP] B"}])[1]["ids"] == reference("a[SEP] B").input_ids


def test_token_names(trained, tmp_path):
    oracle = bert(trained)
    oracle.add_tokens(["brand new"])
    oracle.save(str(tmp_path / "tokenizer.json"))
    size = oracle.get_vocab_size()
    ids = [*range(0, size, 97), size - 1]
    answers = ask(tmp_path / "tokenizer.json", [{"id": i} for i in ids])[1:]
    assert [answer["token"] for answer in answers] == [oracle.id_to_token(i) for i in ids]
    tokens = [answer["token"] for answer in answers] + ["no such token", ""]
    answers = ask(tmp_path / "tokenizer.json", [{"token": token} for token in tokens])[1:]
    assert [answer["id"] for answer in answers] == [*ids, -1, -1]


@pytest.mark.parametrize("fault", ["offset", "id", "type"])
def test_negative_control(trained, tmp_path, fault):
    """One number changed in the oracle's answer must be seen."""
    oracle = bert(trained)
    oracle.save(str(tmp_path / "tokenizer.json"))

    class Faulty:
        no_truncation = staticmethod(oracle.no_truncation)

        def encode(self, *arguments, **options):
            real = oracle.encode(*arguments, **options)
            fake = type("Encoding", (), {})()
            fake.ids, fake.type_ids, fake.offsets = real.ids, real.type_ids, real.offsets
            if fault == "offset":
                fake.offsets[-2] = (fake.offsets[-2][0], fake.offsets[-2][1] + 1)
            elif fault == "id":
                fake.ids[-2] += 1
            else:
                fake.type_ids[-2] += 1
            return fake

    requests = [{"text": SENTENCES[0]}]
    assert not differences(oracle, tmp_path / "tokenizer.json", requests)
    assert differences(Faulty(), tmp_path / "tokenizer.json", requests)


def test_table_is_current():
    """The generated table is what its generator makes of the package that is installed."""
    script = ROOT / "tools/make_unicode_tables.py"
    done = subprocess.run([sys.executable, script, "--check"], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
