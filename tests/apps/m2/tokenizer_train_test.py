"""`m2 tokenizer train` against the `tokenizers` package: as short texts, the same ids, the same files each time."""

import collections
import gzip
import json
import resource
import signal
import subprocess

import pytest
from m2_program import FAILED, INPUT, ROOT, USAGE, check_refusal, refuse, run, succeed
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, trainers
from transformers import AutoTokenizer

SPECIAL = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
FILES = ["vocab.txt", "tokenizer.json", "tokenizer_config.json"]
NOVELS = sorted((ROOT / "examples/demo/texts").glob("*.txt"))
WIKITEXT = ROOT.parent / "shared/data/text/wikitext2"
AWKWARD = ["", " ", "[MASK] and [SEP]!", "Élan VITAL, naïve façade", "日本語 and ſtraße", "x" * 101, "a\tb\u2028c",
           "\u0301e\u0301", "##ing ## #", "don't -- stop… 3.14", "\U0001F600 smile"]


def train(out, *words, exhausted=False):
    """The folder and the numbers of the summary line; a text that gave all its pairs is warned of."""
    done = run("tokenizer", "train", "--output", out, *words)
    assert done.returncode == 0, done.stderr.decode()
    assert done.stderr.count(b"\n") == done.stderr.count(b"--min-frequency") == exhausted
    line = done.stdout.decode()
    assert line.count("\n") == 1
    fields = [field.rsplit(" ", 1) for field in line.strip().split(", ")]
    return out, {name: float(value) for name, value in fields}


def oracle(texts, size, lowercase=True):
    tokenizer = Tokenizer(models.WordPiece(unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.BertNormalizer(lowercase=lowercase)
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    trainer = trainers.WordPieceTrainer(vocab_size=size, min_frequency=2, limit_alphabet=1000, show_progress=False,
                                        special_tokens=SPECIAL)
    tokenizer.train_from_iterator(texts, trainer)
    return tokenizer


def words_of(tokenizer, lines):
    """The words of the texts, as the tokenizer's own steps give them, and how often each occurs."""
    counts = collections.Counter()
    for line in lines:
        normal = tokenizer.normalizer.normalize_str(line)
        counts.update(word for word, _ in tokenizer.pre_tokenizer.pre_tokenize_str(normal))
    return counts


def count_tokens(tokenizer, lines):
    return sum(len(encoding.ids) for encoding in tokenizer.encode_batch(lines, add_special_tokens=False))


def load(folder):
    return Tokenizer.from_file(str(folder / "tokenizer.json"))


def program_ids(folder, texts):
    text = "".join(f"{line}\n" for line in texts)
    lines = succeed("tokenize", "--tokenizer", folder, stdin=text.encode()).splitlines()
    return [json.loads(line)["ids"] for line in lines]


@pytest.fixture(scope="module", params=["novels", "wikitext2"])
def corpus(request, tmp_path_factory):
    """A file to train on, its text, held-out lines and a size to learn."""
    if request.param == "novels":
        *training, held_out = [path.read_text() for path in NOVELS]
        text, size = "\n".join(training), 3000
    else:
        if not WIKITEXT.exists():
            pytest.skip("../shared/data/text/wikitext2 is missing")
        text, held_out = [subprocess.run(["zstd", "-dc", "--long=27", WIKITEXT / f"{part}.txt.zst"], check=True,
                                         capture_output=True).stdout.decode() for part in ("train", "valid")]
        size = 8192
    path = tmp_path_factory.mktemp("corpus") / "train.txt"
    path.write_text(text)
    return path, text, held_out.splitlines(), size


@pytest.fixture(scope="module")
def trained(corpus, tmp_path_factory):
    return train(tmp_path_factory.mktemp("trained") / "tokenizer", corpus[0], "--vocab-size", corpus[3])


@pytest.fixture(scope="module")
def small(tmp_path_factory):
    """A quick one, of one novel."""
    return train(tmp_path_factory.mktemp("small") / "tokenizer", NOVELS[0], "--vocab-size", 1000)[0]


def test_held_out_text_is_as_short_as_with_the_oracle(corpus, trained, tmp_path):
    path, text, held_out, size = corpus
    other = oracle(text.splitlines(), size)
    expected = count_tokens(other, held_out)  # of the same words, so that tokens stand for tokens a word
    ours = load(trained[0])
    assert ours.get_vocab_size() == size
    assert count_tokens(ours, held_out) == pytest.approx(expected, rel=0.01)
    # The same rule learns the same pieces, but for equal counts, where the oracle's choice is another each time.
    assert len(ours.get_vocab().keys() & other.get_vocab().keys()) > 0.97 * size
    # The bound tells tokenizers apart: a quarter of the merges less is beyond it.
    less, _ = train(tmp_path / "less", path, "--vocab-size", size * 3 // 4)
    assert count_tokens(load(less), held_out) > 1.01 * expected


@pytest.mark.parametrize("corpus", ["novels"], indirect=True)
def test_the_summary_counts_what_the_oracle_counts(corpus, trained):
    _, text, _, size = corpus
    ours, lines = load(trained[0]), text.splitlines()
    words = words_of(ours, lines)
    alphabet = len({character for word in words for character in word})
    assert trained[1] == {"words": words.total(), "distinct words": len(words), "alphabet": min(alphabet, 1000),
                          "vocabulary": size,
                          "tokens a word": pytest.approx(count_tokens(ours, lines) / words.total(), abs=6e-5)}


def test_ids_are_the_oracle_s(corpus, trained):
    texts = corpus[2][:300] + AWKWARD
    found = program_ids(trained[0], texts)
    assert found == [encoding.ids for encoding in load(trained[0]).encode_batch(texts)]
    auto = AutoTokenizer.from_pretrained(trained[0])
    assert found == auto(texts)["input_ids"]
    assert [auto.convert_tokens_to_ids(token) for token in SPECIAL] == [0, 1, 2, 3, 4]
    assert auto.pad_token_id == 0 and auto.mask_token_id == 4


def test_pairs_are_the_oracle_s(small):
    encoding = load(small).encode("the first text", "and a second")
    auto = AutoTokenizer.from_pretrained(small)("the first text", "and a second")
    assert (auto["input_ids"], auto["token_type_ids"]) == (encoding.ids, encoding.type_ids)
    assert encoding.ids[0] == 2 and encoding.ids[-1] == 3 and set(encoding.type_ids) == {0, 1}


def test_the_vocabulary_file_alone_gives_the_same_ids(small, tmp_path):
    texts = NOVELS[1].read_text().splitlines()[:200] + AWKWARD
    expected = program_ids(small, texts)
    assert program_ids(small / "vocab.txt", texts) == expected
    assert program_ids(small / "tokenizer.json", texts) == expected
    vocabulary = (small / "vocab.txt").read_text().splitlines()
    assert vocabulary[:5] == SPECIAL
    assert {token: i for i, token in enumerate(vocabulary)} == load(small).get_vocab()


def test_cased_keeps_capitals_and_accents(tmp_path):
    path = tmp_path / "text"
    path.write_text("Élan elan Élan élan " * 5)
    cased, _ = train(tmp_path / "cased", path, "--cased", exhausted=True)
    assert {"Élan", "élan", "elan"} <= load(cased).get_vocab().keys()
    auto = AutoTokenizer.from_pretrained(cased)
    assert auto("Élan ELAN")["input_ids"] == program_ids(cased, ["Élan ELAN"])[0] == load(cased).encode("Élan ELAN").ids
    plain, _ = train(tmp_path / "plain", path, exhausted=True)
    assert "elan" in load(plain).get_vocab() and "Élan" not in load(plain).get_vocab()
    train(tmp_path / "stated", path, "--lowercase", exhausted=True)
    assert files_of(tmp_path / "stated") == files_of(plain)


def files_of(folder):
    assert sorted(path.name for path in folder.iterdir()) == sorted(FILES)
    return {name: (folder / name).read_bytes() for name in FILES}


def test_the_files_depend_on_the_text_alone(tmp_path, small):
    expected = files_of(small)
    text = NOVELS[0].read_text()
    (tmp_path / "a").write_text(text[:text.index("\n", len(text) // 3) + 1])
    (tmp_path / "b").write_text(text[text.index("\n", len(text) // 3) + 1:])
    inputs = [[NOVELS[0]], [tmp_path / "a", tmp_path / "b"], [tmp_path / "b", tmp_path / "a"]]
    for number, (files, threads) in enumerate([(files, threads) for files in inputs for threads in (1, 2, 5)]):
        out = tmp_path / f"out{number}"
        train(out, *files, "--vocab-size", 1000, "--threads", threads)
        assert files_of(out) == expected, (files, threads)
    (tmp_path / "b").write_text((tmp_path / "b").read_text() + "zeugma " * 50)
    assert files_of(train(tmp_path / "other", *inputs[1], "--vocab-size", 1000)[0]) != expected


def test_json_lines_and_compressed_folders(tmp_path, small):
    """The same documents in other files: the same vocabulary."""
    folder = tmp_path / "corpus"
    folder.mkdir()
    lines = NOVELS[0].read_text().splitlines()
    (folder / "a.jsonl").write_text("".join(json.dumps({"text": line}) + "\n" for line in lines[:800]))
    (folder / "b.txt.gz").write_bytes(gzip.compress("\n".join(lines[800:900]).encode()))
    (folder / "c.txt").write_text("\n".join(lines[900:]))
    assert files_of(train(tmp_path / "out", folder, "--vocab-size", 1000)[0]) == files_of(small)


def test_a_model_can_be_made_with_it(small, tmp_path):
    for vocabulary in (small, small / "vocab.txt", small / "tokenizer.json"):
        model = tmp_path / f"of-{vocabulary.name}"
        succeed("init", "--preset", "m2-bert-80M", "--length", 8, "--vocab", vocabulary, model)
        assert program_ids(small, ["a text"]) == [json.loads(succeed(
            "tokenize", "--model-id", model, stdin=b"a text\n"))["ids"]]
    assert (tmp_path / f"of-{small.name}" / "tokenizer_config.json").exists()


def test_limits_shape_the_vocabulary(tmp_path):
    path = tmp_path / "text"
    path.write_text("ab ab ab cd cd xy ¼ aé " * 2)
    few, counts = train(tmp_path / "few", path, "--limit-alphabet", 3, "--vocab-size", 10)
    assert counts["alphabet"] == 3 and "ab" in load(few).get_vocab()
    rare, counts = train(tmp_path / "rare", path, "--min-frequency", 5, exhausted=True)
    assert "cd" not in load(rare).get_vocab() and "ab" in load(rare).get_vocab()
    assert counts["vocabulary"] == load(rare).get_vocab_size()


# What cannot be done


def test_bad_input_is_one_line(tmp_path):
    out, good = tmp_path / "out", tmp_path / "good"
    good.write_text("good text")
    train_words = ("tokenizer", "train", "--output", out)
    refuse(INPUT, *train_words, tmp_path / "missing", says="missing")
    refuse(INPUT, *train_words, good, tmp_path / "missing", says="missing")
    (tmp_path / "folder").mkdir()
    refuse(INPUT, *train_words, tmp_path / "folder", says=["folder", "no text"])
    for text in ("", " \n\t", "x" * 101):
        (tmp_path / "empty").write_text(text)
        refuse(INPUT, *train_words, tmp_path / "empty", says=["empty", "no words"])
    (tmp_path / "bytes").write_bytes(b"good \xff bad")
    refuse(INPUT, *train_words, good, tmp_path / "bytes", says=["bytes", "not UTF-8", "byte 5"])
    (tmp_path / "bad.jsonl").write_text('{"text": "good"}\n{"body": "bad"}\n')
    refuse(INPUT, *train_words, tmp_path / "bad.jsonl", says=["bad.jsonl:2", "text"])
    refuse(USAGE, *train_words, good, "--vocab-size", 8, says=["8", "special tokens", "characters"])
    for flag in ("--vocab-size", "--min-frequency", "--limit-alphabet", "--threads"):
        refuse(USAGE, *train_words, good, flag, "-1", says=flag)
    refuse(USAGE, *train_words, says="INPUT")
    refuse(USAGE, "tokenizer", "train", good, says="--output")
    refuse(USAGE, "tokenizer", says="subcommand")
    assert not out.exists()


@pytest.mark.parametrize("name", FILES)
def test_what_is_there_stays(tmp_path, name):
    (tmp_path / "text").write_text("some text")
    out = tmp_path / "out"
    out.mkdir()
    (out / name).write_text("mine")
    refuse(USAGE, "tokenizer", "train", tmp_path / "text", "--output", out, says=[out, name])
    assert [(path.name, path.read_text()) for path in out.iterdir()] == [(name, "mine")]


def limit_file_size():
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (10_000, 10_000))


def test_a_full_disk_leaves_nothing(tmp_path):
    done = run("tokenizer", "train", NOVELS[0], "--vocab-size", 1000, "--output", tmp_path / "out",
               preexec_fn=limit_file_size)
    check_refusal(done, FAILED, str(tmp_path / "out"))
    assert not done.stdout and not (tmp_path / "out").exists()
