"""schemathesis asks what /openapi.json allows and what it does not, and finds nothing.

The model has a classification head of one label, so that every route serves it. What the document leaves to the model
(names, prompts, the vocabulary, how many numbers a vector has) is filled in before the run; that ids begin with [CLS]
and end with [SEP] is more than a JSON schema can say, so bare ids are allowed.
"""

import json
import pathlib
import struct
import subprocess
import sys

import m2_program
import numpy
import pytest
import server_calls
from client_calls import KEY

LENGTH = 2048
VOCABULARY = 8192
SEED, EXAMPLES = 7, 60  # of each operation


def add_tensors(path, tensors):
    """To a safetensors file: arrays of float32."""
    content = path.read_bytes()
    size, = struct.unpack("<Q", content[:8])
    header, data = json.loads(content[8:8 + size]), content[8 + size:]
    for name, values in tensors.items():
        added = values.astype("<f4").tobytes()
        header[name] = {"dtype": "F32", "shape": values.shape, "data_offsets": [len(data), len(data) + len(added)]}
        data += added
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    path.write_bytes(struct.pack("<Q", len(text)) + text + data)


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    folder = tmp_path_factory.mktemp("models")
    model = m2_program.init(folder, folder / "judge", length=LENGTH,
                            config={"num_labels": 1, "long_conv_l_max": LENGTH, "max_position_embeddings": LENGTH})
    generator = numpy.random.default_rng(1)
    add_tensors(model / "model.safetensors", {"classifier.weight": generator.normal(size=(1, m2_program.HIDDEN)),
                                              "classifier.bias": generator.normal(size=1)})
    with server_calls.Server(model, "--api-key", KEY, "--allow-bare-ids") as server:
        yield server


def narrowed(document):
    """The document for this server's model."""
    schemas = document["components"]["schemas"]
    schemas["ModelName"]["enum"] = ["judge", None]
    schemas["TokenId"]["maximum"] = VOCABULARY - 1
    schemas["TokenIds"]["maxItems"] = LENGTH
    for name in ("EmbeddingsRequest", "EmbedRequest"):
        schemas[name]["properties"]["dimensions"]["maximum"] = m2_program.HIDDEN
    for name in ("EmbedRequest", "TokenizeRequest"):
        schemas[name]["properties"]["prompt_name"]["type"] = "null"
    schemas["SimilarityRequest"]["properties"]["parameters"]["properties"]["prompt_name"]["type"] = "null"
    # A deadline that chance sets is missed by right.
    for item in document["paths"].values():
        for operation in item.values():
            operation["parameters"] = [one for one in operation["parameters"] if "Timeout" not in one["$ref"]]
    return document


def test_it_finds_nothing(server, tmp_path):
    headers = {"Authorization": f"Bearer {KEY}"}
    document = narrowed(server.json("GET", "/openapi.json", headers=headers))
    (tmp_path / "openapi.json").write_text(json.dumps(document))
    # Too many inputs are 413 on some routes, which is no status that it expects.
    (tmp_path / "schemathesis.toml").write_text("[checks.negative_data_rejection]\n"
                                                "expected-statuses = [\"4XX\"]\n")
    program = pathlib.Path(sys.executable).with_name("schemathesis")
    done = subprocess.run([program, "run", "openapi.json", "--url", server.url, "--checks", "all", "--seed", str(SEED),
                           "--max-examples", str(EXAMPLES), "--header", f"Authorization: Bearer {KEY}",
                           "--generation-database", "none", "--continue-on-failure", "--no-color"],
                          cwd=tmp_path, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=600)
    (tmp_path / "report.txt").write_text(done.stdout)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "No issues found" in done.stdout
