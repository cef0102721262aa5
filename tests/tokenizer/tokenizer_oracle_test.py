"""The tokenizer against the `tokenizers` package: the same ids, type ids and offsets.

Needs the program tests/tokenizer/tokenizer_probe of the build directory (M2_BUILD_DIR, by default
build/release).
"""

import json
import os
import pathlib
import random
import subprocess
import sys

import pytest
from tokenizers import AddedToken, Tokenizer, models, normalizers, pre_tokenizers, processors, trainers

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


# Texts


def code_points():
    return [c for c in range(0x110000) if not 0xD800 <= c <= 0xDFFF]


SENTENCES = [
    "The quick brown fox jumps over the lazy dog. Don't panic; it's 3.14159% — or so!",
    "Größenmaßstäbe, naïve café, Ångström, Æsop, Œuvre, İstanbul, ıspanak, STRASSE ẞ ß",
    "Ελληνικά ΟΔΥΣΣΕΎΣ ὈΔΥΣΣΕΎΣ ᾈΔΗΣ ΐ ΰ", "Русский ЁЖИК йод Ѐ ѝ", "Հայերեն և ﬓ", "ქართული ᲥᲐᲠᲗᲣᲚᲘ",
    "שָׁלוֹם עוֹלָם", "السَّلَامُ عَلَيْكُمْ لَا إِلٰهَ", "हिन्दी क़ ज़ में ऩमस्ते", "বাংলা ড় ঢ় য়", "ਪੰਜਾਬੀ ਸ਼", "தமிழ் கொ", "తెలుగు", "ಕನ್ನಡ ೊ",
    "മലയാളം", "සිංහල ේ", "ภาษาไทย กำ น้ำ", "ພາສາລາວ ໃຫຍ່", "བོད་སྐད གྷ ཱི", "မြန်မာ ဦ", "ភាសាខ្មែរ", "ᠮᠣᠩᠭᠣᠯ", "አማርኛ ።", "ᏣᎳᎩ ꮳꮃꭹ",
    "中文字符測試。，！", "日本語のテキスト、カタカナ ガギグ ﾊﾟ パ が", "한국어 조선글 값을 각", "豈更車 丽 \U0002f800 \U00020000\U0002a700",
    "Việt Nam ượng Ặ ộ", "ꙮ 𝐀𝐁𝐂 𝒜 Ａｂｃ １２３ ² ½ ﬁ ﬃ Ⅷ ㍿", "𐐀𐐁 𐒰 𞤀 Ა",
]

COMBINING = [
    "e\u0301", "a\u0323\u0307", "a\u0307\u0323", "q\u0307\u0323\u0315\u0300", "\u1e69 \u1e0b\u0323 \u0344 \u0343",
    "\u0041\u030a \u212b \u2126 \u1f82\u0345", "\u302e\u302f가\u302e\u0323 각\u302f\u0301", "\U0001d15e\U0001d165\U0001d16d\U0001d15f\U0001d160",
    "\u05e9\u05bc\u05c1 \ufb2c \ufb1d \u05b0\u05bc\u0591", "\u0f71\u0f72\u0f74 \u0f73\u0f75\u0f81 \u0f77\u0f79", "\u0300abc \u0301 \u0327",
    "\u1100\u1161\u11a8 \uac00\u11a8 \u1112\u1161\u11ab \ua960\ud7b0\ud7fb", "é\u0323\u302a\u0300ö\u0330\u302e x\u302e\u0301\u302f\u1dce",
    "\u0cc6\u0cc2\u0cd5 \u0dd9\u0dcf\u0dca \u09c7\u09be \u1b05\u1b35", "à\u05ae\u0300\u0315b à\u0315\u0300\u05ae\u0062", "o\u031b\u0323 o\u0323\u031b ợ",
    "\u0958\u093c \u0928\u093c \u0344\u0323 \u0344\u302e x\u0344\u302e\u0345\u0334", "\u16ff0\U00016ff0a\U00016ff0\u0301\U00016ff1\u0323",
]

AWKWARD = [
    "", " ", "\t\n\r\x0b\x0c\x1c\x85\xa0\u1680\u2000\u200a\u2028\u2029\u202f\u205f\u3000x", "\x00a\x00b\ufffdc\x7fd", "a\u200bb\u200cc\u200dd\ufeffe\u00adf\u2060g",
    "👩‍👩‍👧‍👦 👍🏽 🇺🇳 ❤️ 1️⃣ 🏴\U000e0067\U000e0062\U000e007f", "\u202eRTL\u202c \u2066x\u2069", "a\ue000b\U000f0000c\U0010fffdd\u0378e\uffff\ufdd0",
    "!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~", "«a» „b“ ‚c‘ …d—e–f·g§h¶i©j®k°l±m×n÷o€p£q¿r¡s", "※〈x〉《y》「z」。、・ー〜", "!!!...---", "a.b.c", ".a", "a.",
    *("x" * n for n in (99, 100, 101, 1000)), *("é" * n + " b" for n in (99, 100, 101)), "\u0301" * 300 + "a", "a" + "\u0301\u0323" * 200,
    *("ß" * n for n in (99, 100, 101)), "İ" * 50, "İ" * 51, "中" * 150, "x" * 100 + "." + "y" * 101, "가" * 34, "\uac01" * 33, "\uac01" * 34,
    "[SEP]", "a[SEP]b", "a [SEP] b", "[CLS][SEP][MASK]", "[MASK]s", "[mask] [Mask]", "[ SEP ]", "[[SEP]]", "[SE", "[UNK] [PAD]", "é[MASK]\u0301é", "[MASK]\u0301", "##a ##", "#a",
    "unaffable UNAFFABLE unwanted,running", "a" * 20 + "\u0000" * 20 + "b", " \u0301 a \u0301", "e\u0000\u0301\u200d\u0323x", "a\u0323中\u0301\u0323文",
]


def awkward_texts():
    """Sentences and oddities as they are, glued, shuffled; and every corner of Unicode."""
    rng = random.Random(20)
    texts = [*SENTENCES, *COMBINING, *AWKWARD]
    texts += [text.upper() for text in texts] + [text.lower() for text in texts]
    pieces = [piece for text in SENTENCES + COMBINING + AWKWARD for piece in text.split(" ")]
    for _ in range(1000):
        chosen = [rng.choice(pieces) for _ in range(rng.randint(2, 12))]
        texts.append(rng.choice(["", " ", "\u00a0", ".", "\u0301", "[MASK]"]).join(chosen))
    for base in [*range(0, 0x20000, 128), *range(0xE0000, 0xE0200, 128)]:
        block = [c for c in range(base, base + 128) if not 0xD800 <= c <= 0xDFFF]
        if block:
            chosen = [chr(c) for c in rng.sample(block, 12)]
            texts.append("".join(chosen[:6]) + " a" + "a ".join(chosen[6:]))
    return texts


def random_texts(count, seed):
    """Valid Unicode, thick with what interacts: letters, marks, blanks, marks of other classes."""
    rng = random.Random(seed)
    every = code_points()
    busy = [chr(c) for c in [*range(0x20, 0x250), *range(0x300, 0x370), *range(0x591, 0x5C8), *range(0x900, 0x980),
                             *range(0x1100, 0x1200), *range(0x1E00, 0x2000), *range(0x3000, 0x3100), *range(0xAC00, 0xAC40)]]
    makers = [
        lambda: chr(rng.choice(every)), lambda: chr(rng.randrange(0x20, 0x7F)), lambda: rng.choice(busy),
        lambda: rng.choice(" \t\u3000.-"), lambda: rng.choice(["\u0301", "\u0323", "\u302e", "\u0345", "\u0334", "\U0001d165"]),
        lambda: rng.choice(["[SEP]", "the", "ing", "é", "각", "中", "\u00df"]),
    ]
    for _ in range(count):
        weights = [rng.random() ** 3 for _ in makers]
        length = rng.randint(1, 60)
        yield "".join(maker() for maker in rng.choices(makers, weights, k=length))


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
    assert_same(oracle, tmp_path, awkward_texts()[::5], pair="Ein zweiter Téxt [SEP].", special=special)


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
    # Below the number of special tokens the oracle's subtraction wraps round: the C++ test has it.
    for length in (3 if special else 1, 4, 5, 8, 17, 64):
        options = {"max_length": length, "cut": cut, "special": special}
        assert_same(oracle, tmp_path, awkward_texts()[::9], **options)
        for pair in ("", "b", "Zwölf Boxkämpfer jagen Viktor quer über den großen Sylter Deich. " * 3):
            assert_same(oracle, tmp_path, awkward_texts()[::9], pair=pair, **options)


def test_only_special_tokens_fit(trained, tmp_path):
    assert_same(bert(trained), tmp_path, ["a b c", ""], max_length=2)
    assert_same(bert(trained), tmp_path, ["a b c", ""], pair="d e", max_length=3)


def added_tokens():
    flags = [(w, l, r) for w in (False, True) for l in (False, True) for r in (False, True)]
    for i, (word, left, right) in enumerate(flags):
        for normalized in (False, True):
            name = f"<T{i}{'n' if normalized else ''}>" if i % 2 else f"Tök{i}{'n' if normalized else ''}"
            yield AddedToken(name, single_word=word, lstrip=left, rstrip=right, normalized=normalized)
    yield AddedToken("<T1", normalized=False)
    yield AddedToken("<T1><T3>", normalized=False)
    yield AddedToken("中文", normalized=True)
    yield AddedToken("e\u0301a", normalized=True)


def texts_with_added_tokens(count):
    rng = random.Random(3)
    tokens = [str(token.content) for token in added_tokens()]
    between = ["", " ", "  \u3000", "x", "é", "_", ".", "\u0301", "\u200d", "\n", "中", "[MASK]", "\u0000", "1"]
    for _ in range(count):
        parts = []
        for _ in range(rng.randint(1, 6)):
            token = rng.choice(tokens)
            parts += [rng.choice(between), rng.choice([token, token, token.upper(), token.lower()]), rng.choice(between)]
        yield "".join(parts)


@pytest.mark.parametrize("lowercase", [True, False])
def test_added_tokens(trained, tmp_path, lowercase):
    oracle = bert(trained, lowercase=lowercase)
    oracle.add_tokens(list(added_tokens()))
    oracle.add_special_tokens([AddedToken("[MASK]", lstrip=True), AddedToken("[X]", rstrip=True)])
    assert_same(oracle, tmp_path, list(texts_with_added_tokens(3000)) + awkward_texts()[::7])


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
FOLDERS = {
    "plain": (LINES, {}),
    "crlf": (LINES.replace(b"\n", b"\r\n"), {}),
    "no_last_line_end": (LINES[:-1], {}),
    "trailing_empty_line": (LINES + b"\n", {}),
    "trailing_blanks": (LINES + b"x \ny\xe3\x80\x80\n\xc2\xa0\nlone\rcr\n", {}),
    "cased": (LINES, {"tokenizer_config": {"do_lower_case": False}}),
    "switches": (
        LINES,
        {"tokenizer_config": {"do_lower_case": False, "strip_accents": True, "tokenize_chinese_chars": False}},
    ),
    "accents_kept": (LINES, {"tokenizer_config": {"strip_accents": False, "tokenizer_class": "BertTokenizer"}}),
    "special_tokens_map": (
        LINES,
        {
            "tokenizer_config": {"cls_token": "hello"},
            "special_tokens_map": {
                "cls_token": "<x>",
                "mask_token": {"content": "[MASK]", "lstrip": True, "rstrip": False, "normalized": False, "single_word": False},
            },
        },
    ),
    "added_tokens_decoder": (
        LINES,
        {
            "tokenizer_config": {
                "added_tokens_decoder": {
                    "10": {"content": "<x>", "lstrip": True, "normalized": True, "rstrip": False, "single_word": True, "special": False},
                    "4": {"content": "[MASK]", "lstrip": True, "normalized": False, "rstrip": True, "single_word": False, "special": True},
                    "13": {"content": "New", "lstrip": False, "normalized": True, "rstrip": False, "single_word": False, "special": False},
                }
            }
        },
    ),
}


@pytest.mark.parametrize("name", FOLDERS)
def test_vocabulary_folders(tmp_path, name):
    """A vocab.txt and its configuration, read as transformers reads them."""
    transformers = pytest.importorskip("transformers")
    lines, files = FOLDERS[name]
    folder = tmp_path / name
    write_folder(folder, lines, **files)
    reference = transformers.BertTokenizerFast.from_pretrained(folder, local_files_only=True)
    texts = ["A héllo [MASK] é foo<x> x y <x> lone\rcr aB abb 中A new New", "", "[MASK]  [CLS]a \u3000", *AWKWARD]
    found = differences(reference.backend_tokenizer, folder, [{"text": text} for text in texts])
    assert not found, found[:2]
    answer = ask(folder, [])[0]
    ids = {key: getattr(reference, f"{key}_token_id") for key in ("unk", "cls", "sep", "pad", "mask")}
    assert answer["special"] == ids
    assert answer["vocab_size"] == len(reference)


@pytest.mark.parametrize("lower", [True, False])
def test_configuration_overrules_tokenizer_json(tmp_path, lower):
    transformers = pytest.importorskip("transformers")
    write_folder(tmp_path / "plain", LINES)
    reference = transformers.BertTokenizerFast.from_pretrained(tmp_path / "plain", local_files_only=True)
    folder = tmp_path / "saved"
    reference.save_pretrained(folder)
    config = folder / "tokenizer_config.json"
    config.write_text(json.dumps(json.loads(config.read_text()) | {"do_lower_case": lower}))
    reference = transformers.BertTokenizerFast.from_pretrained(folder, local_files_only=True)
    texts = [{"text": text} for text in ["A é É hello HELLO", *SENTENCES]]
    assert not differences(reference.backend_tokenizer, folder, texts)


def test_transformers_class(published, tmp_path):
    """The class that users name, on the vocabulary that the models use."""
    transformers = pytest.importorskip("transformers")
    write_folder(tmp_path / "bert", BERT_VOCABULARY.read_bytes())
    reference = transformers.BertTokenizerFast.from_pretrained(tmp_path / "bert", local_files_only=True)
    requests = [{"text": text} for text in awkward_texts()]
    assert not differences(reference.backend_tokenizer, tmp_path / "bert", requests)
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
