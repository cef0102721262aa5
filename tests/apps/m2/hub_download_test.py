"""`--model-id ORG/NAME` that the cache lacks: downloaded from a stand-in for the hub, into the layout that
huggingface_hub reads. What goes wrong ends in one line, and leaves nothing under its name that is not right."""

import json
import os
import pathlib
import subprocess
import sys

import pytest
from hub_program import NAME, WEIGHTS, cache, env, files_read, hub, nothing_is_there  # noqa: F401 (fixtures)
from m2_program import FAILED, INPUT, PROGRAM, USAGE, environment, refuse, run, same_bits, succeed, vectors
from stand_in_hub import COMMIT, files_of

TEXTS = ["a first text", "and a second, somewhat longer"]

# Asks huggingface_hub in a process of its own: it reads the variables when it is imported.
FIND = """
import sys, huggingface_hub
folder = huggingface_hub.snapshot_download(sys.argv[1], revision=sys.argv[2], local_files_only=True)
print(folder, *(huggingface_hub.try_to_load_from_cache(sys.argv[1], f, revision=sys.argv[2]) for f in sys.argv[3:]))
"""
DOWNLOAD = """
import sys, huggingface_hub
for name in sys.argv[3:]:
    huggingface_hub.hf_hub_download(sys.argv[1], name, revision=sys.argv[2])
"""


def ask(script, *words, env):
    done = subprocess.run([sys.executable, "-c", script, *words], capture_output=True, text=True,
                          env=environment(env | {"HF_HUB_DISABLE_XET": "1"}))
    assert done.returncode == 0, done.stderr
    return done.stdout.split()


def tree(folder):
    """Every file and link below the folder, with its bytes or its target; without locks and marks of absence."""
    found = {}
    for path in sorted(pathlib.Path(folder).rglob("*")):
        inner = path.relative_to(folder)
        if not {".no_exist", "CACHEDIR.TAG"} & set(inner.parts) and (path.is_symlink() or path.is_file()):
            found[str(inner)] = os.readlink(path) if path.is_symlink() else path.read_bytes()
    return found


def test_the_vectors_are_those_of_the_folder(hub, env, model):
    assert same_bits(vectors(NAME, *TEXTS, env=env), vectors(model, *TEXTS))
    taken = {r.path.split("/")[-1] for r in hub.asked(method="GET")}
    assert taken == {"main", "config.json", "vocab.txt", WEIGHTS}
    assert [r.path for r in hub.asked("store")] == [f"/{NAME}/{COMMIT}/{WEIGHTS}"]


def test_the_cache_is_the_one_that_huggingface_hub_makes(hub, env, cache, tmp_path):
    files_read(env)
    names = ["config.json", "vocab.txt", WEIGHTS]
    snapshot = cache / "snapshots" / COMMIT
    assert ask(FIND, NAME, "main", *names, env=env) == [str(p) for p in [snapshot, *(snapshot / n for n in names)]]
    other = {"HF_HOME": str(tmp_path / "other"), "HF_ENDPOINT": hub.url, "HF_HUB_OFFLINE": "0"}
    ask(DOWNLOAD, NAME, "main", *names, env=other)
    theirs = tree(tmp_path / "other/hub/models--an-org--Small_m2.80M")
    assert len(theirs) == 7 and tree(cache) == theirs
    locks = sorted(p.name for p in (cache.parent / ".locks" / cache.name).iterdir())
    assert locks == sorted(p.name + ".lock" for p in (cache / "blobs").iterdir())


def test_what_is_whole_needs_no_network(hub, env):
    first = files_read(env)
    hub.requests.clear()
    assert files_read(env) == first
    assert not hub.requests


def test_a_cache_of_huggingface_hub_is_completed(hub, env, cache):
    """As from AutoModel: weights and configuration, no vocabulary; modules.json is not known to be missing."""
    ask(DOWNLOAD, NAME, "main", "config.json", WEIGHTS, env=env)
    hub.requests.clear()
    succeed("embed", "--model-id", NAME, "text", env=env)
    assert [r.path.split("/")[-1] for r in hub.asked(method="GET")] == ["main", "vocab.txt"]


def test_everything_from_huggingface_hub_is_whole(hub, env):
    ask(DOWNLOAD, NAME, "main", ".gitattributes", "config.json", WEIGHTS, env=env)
    hub.requests.clear()
    files_read(env)
    assert not hub.requests


@pytest.mark.parametrize("revision", ["v1.5", "refs/pr/7", "f" * 40])
def test_a_revision(hub, env, cache, model, revision):
    commit = "f" * 40
    hub.add(NAME, files_of(model) | {"vocab.txt": b"damaged"}, "main", "e" * 40)
    hub.add(NAME, files_of(model), revision, commit)
    name = f"{NAME}@{revision}"
    assert same_bits(vectors(name, *TEXTS, env=env), vectors(model, *TEXTS))
    snapshot = str(cache / "snapshots" / commit)
    assert ask(FIND, NAME, revision, env=env) == [snapshot]
    assert (cache / "refs").exists() == (revision != commit)
    if revision != commit:
        assert (cache / "refs" / revision).read_text() == commit


def test_a_name_without_an_organisation_and_a_moved_repository(hub, env, tmp_path):
    hub.moved["bare-name"] = NAME
    found = files_read(env, "bare-name")
    assert found == [f"{tmp_path}/hf/hub/models--bare-name/snapshots/{COMMIT}/{WEIGHTS}"]


@pytest.mark.parametrize("words", [["info"], ["tokenize"], ["embed", "text"], ["convert", "OUT"],
                                   ["bench", "--lengths", "16", "--repeats", "1"]], ids=lambda words: words[0])
def test_every_command_downloads(hub, env, tmp_path, words):
    command, *rest = [str(tmp_path / "out") if word == "OUT" else word for word in words]
    done = run(command, "--model-id", NAME, *rest, stdin=b"a line\n", env=env)
    assert done.returncode == 0, done.stderr
    assert hub.asked("store")
    hub.requests.clear()
    done = run(command, "--model-id", "an-org/other", "--offline", *rest, stdin=b"a line\n", env=env)
    assert done.returncode == INPUT and b"hf download an-org/other" in done.stderr
    assert not hub.requests


def test_the_library_is_linked_with_no_network():
    folder = PROGRAM.parent
    for name, expected in [("m2", True), ("libm2.so", False)]:
        needed = subprocess.run(["readelf", "-d", folder / name], capture_output=True, text=True, check=True).stdout
        assert ("libcurl" in needed) == expected and ("libcrypto" in needed) == expected


# Offline


@pytest.mark.parametrize("variable", [{}, {"HF_HUB_OFFLINE": "1"}, {"HF_HUB_OFFLINE": "Yes"},
                                      {"HF_HUB_OFFLINE": "", "TRANSFORMERS_OFFLINE": "true"}], ids=str)
def test_offline_asks_nobody(hub, env, variable):
    words = [] if variable else ["--offline"]
    refuse(INPUT, "info", "--model-id", NAME, *words, env=env | variable, says=["hf download", "cache"])
    assert not hub.requests
    files_read(env)
    hub.requests.clear()
    assert files_read(env | variable, NAME, *words)
    assert not hub.requests


@pytest.mark.parametrize("variable", ["0", "", "no"])
def test_what_does_not_mean_offline(hub, env, variable):
    assert files_read(env | {"HF_HUB_OFFLINE": variable})


def test_a_hub_out_of_reach(env, cache):
    gone = env | {"HF_ENDPOINT": "http://127.0.0.1:9"}
    text = refuse(FAILED, "info", "--model-id", NAME, env=gone, says=[NAME, "not in the cache", "http://127.0.0.1:9"])
    assert text.count("127.0.0.1:9") == 1 or "cannot be reached" in text
    assert not cache.exists()
    # What the cache has in part is used, and that is said.
    ask(DOWNLOAD, NAME, "main", "config.json", WEIGHTS, env=env)
    done = run("info", "--model-id", NAME, env=gone)
    assert done.returncode == 0
    assert done.stderr.startswith(b"m2: warning: ") and done.stderr.count(b"\n") == 1, done.stderr


# The token


@pytest.mark.parametrize("place", ["HF_TOKEN", "HUGGING_FACE_HUB_TOKEN", "HF_TOKEN_PATH", "HF_HOME"])
def test_the_token_goes_to_the_hub_alone(hub, env, tmp_path, place):
    hub.token = "hf_secretsecret"
    if place.endswith("TOKEN"):
        extra = {place: f" {hub.token}\n"}
    else:
        path = tmp_path / "hf/token" if place == "HF_HOME" else tmp_path / "elsewhere"
        path.parent.mkdir(exist_ok=True)
        path.write_text(hub.token + "\n")
        extra = {} if place == "HF_HOME" else {place: str(path)}
    done = run("info", "--model-id", NAME, "--verbose", env=env | extra)
    assert done.returncode == 0, done.stderr
    assert hub.token.encode() not in done.stdout + done.stderr
    assert hub.asked("store") and hub.asked("hub")
    assert all(r.fields.get("Authorization") == f"Bearer {hub.token}" for r in hub.asked("hub"))
    assert all("Authorization" not in r.fields for r in hub.asked("store"))


def test_the_token_is_not_sent_to_another_port_even_by_name(hub, env):
    """A redirect to the hub's own host, at another port, is a redirect to another host."""
    hub.redirect = hub.store_url.replace("127.0.0.1", "localhost") + f"/{NAME}/{COMMIT}/{WEIGHTS}"
    files_read(env | {"HF_TOKEN": "hf_secretsecret"})
    assert hub.asked("store") and all("Authorization" not in r.fields for r in hub.asked("store"))


@pytest.mark.parametrize("token", ["two words", "hf_a\r\nX-Other: 1", "hf_\x07"])
def test_a_token_that_is_none(hub, env, token):
    text = refuse(USAGE, "info", "--model-id", NAME, env=env | {"HF_TOKEN": token}, says="HF_TOKEN")
    assert token.split()[0] not in text.replace("HF_TOKEN", "")
    assert not hub.requests


@pytest.mark.parametrize("refusal, code, token, says", [
    (401, "RepoNotFound", None, ["no such file or folder", "HF_TOKEN", "private"]),
    (401, "GatedRepo", None, ["gated", "ask for access", "HF_TOKEN"]),
    (401, "", "hf_wrongwrong", ["refuses the token of HF_TOKEN"]),
    (403, "GatedRepo", "hf_wrongwrong", ["gated", "refuses the token of HF_TOKEN"]),
    (403, "", None, ["HF_TOKEN"]),
])
def test_no_access(hub, env, cache, refusal, code, token, says):
    hub.token, hub.refusal, hub.error_code = "hf_right", refusal, code
    extra = {"HF_TOKEN": token} if token else {}
    text = refuse(INPUT, "info", "--model-id", NAME, env=env | extra, says=[NAME, *says])
    assert "hf_wrongwrong" not in text
    assert len(hub.requests) == 1 and not cache.exists()


def test_no_such_model_or_revision(hub, env):
    refuse(INPUT, "info", "--model-id", "an-org/other", env=env, says=["an-org/other: no such file or folder", hub.url])
    refuse(INPUT, "info", "--model-id", NAME + "@v9", env=env, says=[NAME, "no revision v9"])
    refuse(INPUT, "info", "--model-id", NAME + "@" + "c" * 40, env=env, says=[NAME, "no revision"])


def test_a_repository_without_weights(hub, env, cache):
    hub.add("an-org/onnx", {"config.json": b"{}", "onnx/model.onnx": b"x", "a.safetensors": b"", "b.safetensors": b""})
    refuse(INPUT, "info", "--model-id", "an-org/onnx", env=env, says=["an-org/onnx", "no weights"])


# Which files are taken: those that the commands read from the whole folder


SHARDS = {"weight_map": {"a": "model-1.safetensors", "b": "model-2.safetensors"}}
MODULES = [{"idx": 0, "name": "0", "path": "0_Transformer", "type": "sentence_transformers.models.Transformer"},
           {"idx": 1, "name": "1", "path": "1_Pooling", "type": "sentence_transformers.models.Pooling"},
           {"idx": 2, "name": "2", "path": "2_Dense", "type": "sentence_transformers.models.Dense"}]
TAKEN = {
    "the plain name": (["config.json", "model.safetensors", "other.safetensors"], ["config.json", "model.safetensors"]),
    "one of another name": (["config.json", "8k.safetensors", "pytorch_model.bin"], ["config.json", "8k.safetensors"]),
    "PyTorch": (["config.json", "pytorch_model.bin", "model.bin", "x.pt"], ["config.json", "pytorch_model.bin"]),
    "Composer": (["train.yaml", "ep1.pt", "x.yml"], ["train.yaml", "x.yml", "ep1.pt"]),
    "shards": (["model.safetensors.index.json", "model-1.safetensors", "model-2.safetensors", "model-3.safetensors"],
               ["model.safetensors.index.json", "model-1.safetensors", "model-2.safetensors"]),
    "a layout": (["modules.json", "0_Transformer/config.json", "0_Transformer/pytorch_model.bin", "1_Pooling/config.json",
                  "0_Transformer/vocab.txt", "2_Dense/config.json", "2_Dense/model.safetensors", "model.safetensors",
                  "2_Dense/pytorch_model.bin", "3_Other/model.safetensors", "config_sentence_transformers.json"],
                 ["modules.json", "config_sentence_transformers.json", "0_Transformer/config.json",
                  "0_Transformer/vocab.txt", "1_Pooling/config.json", "2_Dense/config.json",
                  "0_Transformer/pytorch_model.bin", "2_Dense/model.safetensors"]),
}


@pytest.mark.parametrize("shape", TAKEN)
def test_the_files_that_are_taken(hub, env, tmp_path, shape):
    present, wanted = TAKEN[shape]
    contents = {"modules.json": json.dumps(MODULES).encode(),
                "model.safetensors.index.json": json.dumps(SHARDS).encode()}
    hub.add("an-org/shape", {name: contents.get(name, name.encode()) for name in present}, commit="d" * 40)
    run("info", "--model-id", "an-org/shape", env=env)  # the files hold no model; that they came is what counts
    snapshot = tmp_path / "hf/hub/models--an-org--shape/snapshots" / ("d" * 40)
    assert sorted(str(p.relative_to(snapshot)) for p in snapshot.rglob("*") if p.is_file()) == sorted(wanted)
    hub.requests.clear()
    run("info", "--model-id", "an-org/shape", env=env)
    assert not hub.requests  # and it is whole


def test_a_shard_that_is_missing(hub, env):
    hub.add("an-org/shards", {"config.json": b"{}", "model.safetensors.index.json": json.dumps(SHARDS).encode(),
                              "model-1.safetensors": b"x"})
    refuse(INPUT, "info", "--model-id", "an-org/shards", env=env, says="not all of them")


# Hostile answers


@pytest.mark.parametrize("name", ["../../../../evil.safetensors", "/evil.safetensors", "a/../../evil.safetensors",
                                  "..\\evil.safetensors", "./evil.safetensors", "a//evil.safetensors", "evil\n.safetensors",
                                  "../evil.yaml", "x" * 300 + ".safetensors", ""])
def test_a_hostile_name(hub, env, cache, tmp_path, name):
    hub.add("an-org/evil", {"config.json": b"{}", name: b"evil"})
    refuse(INPUT, "info", "--model-id", "an-org/evil", env=env, says="no weights")
    assert not [p for p in tmp_path.rglob("*") if "evil" in p.name and p.name != "models--an-org--evil"]


@pytest.mark.parametrize("listing", [
    {"modules.json": json.dumps([{"type": "x.Transformer", "path": "../../x"}])},
    {"model.safetensors.index.json": json.dumps({"weight_map": {"a": "../../../evil.safetensors"}})},
    {"model.safetensors.index.json": "[" * 100_000},
    {"modules.json": "{" * 100_000},
])
def test_a_hostile_list_within(hub, env, listing):
    files = {"config.json": b"{}", "../../x/model.safetensors": b"", "../../../evil.safetensors": b""}
    hub.add("an-org/evil", files | {name: text.encode() for name, text in listing.items()})
    refuse(INPUT, "info", "--model-id", "an-org/evil", env=env, says="no weights")


@pytest.mark.parametrize("etag", ["../../evil", "a/b", "", ".", "..", "x" * 300, "a.incomplete"])
def test_a_hostile_etag(hub, env, cache, etag):
    hub.etags[WEIGHTS] = etag
    refuse(INPUT, "info", "--model-id", NAME, env=env, says=[WEIGHTS, "ETag"])
    assert nothing_is_there(cache)


@pytest.mark.parametrize("commit", ["../../evil", "0123", "", "G" * 40, 7])
def test_a_hostile_commit(hub, env, cache, commit):
    hub.sha = commit or "-"
    refuse(INPUT, "info", "--model-id", NAME, env=env, says=["sha", "no commit"])
    assert not cache.exists()


def test_another_commit_than_the_one_asked_for(hub, env):
    hub.sha = "9" * 40
    refuse(INPUT, "info", "--model-id", f"{NAME}@{COMMIT}", env=env, says="another commit")


@pytest.mark.parametrize("size", ["", "-1", "12x", str(1 << 70)])
def test_a_size_that_is_none(hub, env, cache, size):
    hub.sizes[WEIGHTS] = size
    refuse(INPUT, "info", "--model-id", NAME, env=env, says=[WEIGHTS, "how long"])


def test_a_size_that_no_disk_has(hub, env, cache):
    hub.sizes[WEIGHTS] = 1 << 61
    refuse(FAILED, "info", "--model-id", NAME, env=env, says=["has room for", "HF_HUB_CACHE"])
    assert nothing_is_there(cache)


def test_an_endpoint_that_is_none(env):
    for endpoint in ["ftp://host", "huggingface", "file:///etc"]:
        refuse(USAGE, "info", "--model-id", NAME, env=env | {"HF_ENDPOINT": endpoint}, says="HF_ENDPOINT")


def test_an_endpoint_with_a_slash_at_the_end(hub, env):
    assert files_read(env | {"HF_ENDPOINT": hub.url + "//"})
    assert all("//" not in r.path for r in hub.requests)
