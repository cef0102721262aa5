"""Models by name: `m2 info` finds the snapshot that huggingface_hub finds, in caches that it laid out itself.

huggingface_hub fills its cache from a server of a few files on this machine. Needs the program (M2_BUILD_DIR).
"""

import contextlib
import http.server
import json
import os
import pathlib
import re
import shutil
import subprocess
import sys
import threading

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
PROGRAM = ROOT / os.environ.get("M2_BUILD_DIR", "build/release") / "m2"
GOLDEN = ROOT / "tests/golden/m2_bert"
# What would lead the two programs elsewhere, or keep huggingface_hub from its server.
VARIABLES = re.compile(r"HF_|HUGGINGFACE_|TRANSFORMERS_|XDG_CACHE_HOME|.*_proxy$", re.IGNORECASE)
COMMITS = {"main": "a" * 40, "v1.5": "0123456789" * 4, "refs/pr/7": "b" * 40}
FILES = {"config.json": GOLDEN / "config.json", "8k_checkpoint_model.safetensors": GOLDEN / "model.safetensors"}

# Asks huggingface_hub in a process of its own: it reads the variables when it is imported.
DOWNLOAD = """
import sys, huggingface_hub
for name in sys.argv[3:]:
    huggingface_hub.hf_hub_download(sys.argv[1], name, revision=sys.argv[2])
"""
FIND = """
import sys, huggingface_hub
print(huggingface_hub.snapshot_download(sys.argv[1], revision=sys.argv[2], local_files_only=True))
"""
LOAD = """
import sys, huggingface_hub
print(huggingface_hub.try_to_load_from_cache(sys.argv[1], sys.argv[3], revision=sys.argv[2]))
"""


class Hub(http.server.BaseHTTPRequestHandler):
    """GET and HEAD of /ORG/NAME/resolve/REVISION/FILE, with the headers that huggingface_hub asks for."""

    def answer(self, with_body):
        for revision, commit in COMMITS.items():
            for name, path in FILES.items():
                quoted = revision.replace("/", "%2F")
                if f"/resolve/{quoted}/{name}" in self.path or f"/resolve/{commit}/{name}" in self.path:
                    content = path.read_bytes()
                    self.send_response(200)
                    self.send_header("ETag", f'"{len(content):x}{name[0]}"')
                    self.send_header("X-Repo-Commit", commit)
                    self.send_header("Content-Length", str(len(content)))
                    self.end_headers()
                    if with_body:
                        self.wfile.write(content)
                    return
        self.send_error(404)

    def do_GET(self):
        self.answer(True)

    def do_HEAD(self):
        self.answer(False)

    def log_message(self, *arguments):
        pass


@contextlib.contextmanager
def serving():
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Hub)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def environment(extra):
    return {k: v for k, v in os.environ.items() if not VARIABLES.match(k)} | extra


def ask(script, *words, env):
    done = subprocess.run([sys.executable, "-c", script, *words], env=environment(env), capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def info(model_id, env):
    return subprocess.run([PROGRAM, "info", "--json", "--offline", "--model-id", model_id], env=environment(env), cwd="/",
                          capture_output=True, text=True)


@pytest.fixture(scope="module")
def cache(tmp_path_factory):
    """A hub cache with three revisions of one model and one without an organisation."""
    home = tmp_path_factory.mktemp("hf")
    with serving() as address:
        env = {"HF_HOME": str(home), "HF_ENDPOINT": address, "HF_HUB_DISABLE_XET": "1"}
        for revision in COMMITS:
            ask(DOWNLOAD, "an-org/M2_bert.80M", revision, *FILES, env=env)
        ask(DOWNLOAD, "bare-name", "main", *FILES, env=env)
    assert (home / "hub/models--an-org--M2_bert.80M/refs/refs/pr/7").read_text() == COMMITS["refs/pr/7"]
    return home / "hub"


DOWNLOADED = [("an-org/M2_bert.80M", revision) for revision in [None, *COMMITS, COMMITS["v1.5"]]]
DOWNLOADED += [("bare-name", None), ("bare-name", "main")]


@pytest.mark.parametrize("model, revision", DOWNLOADED)
def test_the_same_snapshot(cache, model, revision):
    env = {"HF_HUB_CACHE": str(cache)}
    found = info(model if revision is None else f"{model}@{revision}", env)
    assert found.returncode == 0, found.stderr
    folder = ask(FIND, model, revision or "main", env=env)
    assert json.loads(found.stdout)["files"] == [f"{folder}/8k_checkpoint_model.safetensors"]
    loaded = ask(LOAD, model, revision or "main", "8k_checkpoint_model.safetensors", env=env)
    assert loaded == f"{folder}/8k_checkpoint_model.safetensors"
    assert os.path.islink(loaded)


@pytest.mark.parametrize("variables", [
    {"HF_HUB_CACHE": "{hub}"},
    {"HUGGINGFACE_HUB_CACHE": "{hub}"},
    {"HF_HOME": "{home}"},
    {"XDG_CACHE_HOME": "{parent}"},
    {"HF_HUB_CACHE": "{hub}", "HF_HOME": "/nowhere"},
    {"HUGGINGFACE_HUB_CACHE": "/nowhere", "HF_HUB_CACHE": "{hub}"},
    {"HF_HOME": "{home}", "XDG_CACHE_HOME": "/nowhere"},
    {"HF_HOME": "~/huggingface", "HOME": "{parent}"},
    {"HOME": "{grandparent}"},
], ids=str)
def test_the_same_folder_from_the_variables(cache, tmp_path, variables):
    home = tmp_path / ".cache/huggingface"
    shutil.copytree(cache, home / "hub", symlinks=True)
    places = {"hub": home / "hub", "home": home, "parent": home.parent, "grandparent": tmp_path}
    env = {name: value.format(**places) for name, value in variables.items()}
    found = info("an-org/M2_bert.80M", env)
    assert found.returncode == 0, found.stderr
    folder = ask(FIND, "an-org/M2_bert.80M", "main", env=env)
    assert json.loads(found.stdout)["files"] == [f"{folder}/8k_checkpoint_model.safetensors"]


def test_what_neither_finds(cache):
    env = {"HF_HUB_CACHE": str(cache)}
    for model, revision in [("an-org/other", "main"), ("an-org/M2_bert.80M", "v2"),
                            ("an-org/M2_bert.80M", "c" * 40), ("an-org/M2_bert.80M", "0123456789")]:
        with pytest.raises(AssertionError, match="LocalEntryNotFoundError"):
            ask(FIND, model, revision, env=env)
        found = info(f"{model}@{revision}", env)
        assert found.returncode == 3 and found.stderr.count("\n") == 1
        assert f"hf download {model}" in found.stderr and str(cache) in found.stderr
