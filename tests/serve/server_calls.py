"""A server process with plain HTTP calls to it."""

import base64
import contextlib
import http.client
import json
import pathlib
import re
import socket
import time

import numpy
from server_process import PATIENCE, ServerProcess


class Server(ServerProcess):
    def connect(self, timeout=PATIENCE):
        return http.client.HTTPConnection(self.host, self.port, timeout=timeout)

    def socket(self):
        return socket.create_connection((self.host, self.port), timeout=PATIENCE)

    def ask(self, method, path, body=None, headers=None):
        """Status, headers and body of one request; a body that is no bytes is sent as JSON."""
        headers = dict(headers or {})
        if body is not None and not isinstance(body, bytes):
            body = json.dumps(body).encode()
        if body is not None:
            headers.setdefault("Content-Type", "application/json")
        with contextlib.closing(self.connect()) as connection:
            connection.request(method, path, body, headers)
            answer = connection.getresponse()
            return answer.status, answer.headers, answer.read()

    def json(self, method, path, body=None, status=200, headers=None):
        """The JSON of an answer that has this status."""
        found, _, text = self.ask(method, path, body, headers)
        assert found == status, (found, text[:500])
        return json.loads(text)

    def post(self, path, body, status=200, headers=None):
        return self.json("POST", path, body, status, headers)

    def vectors(self, texts, **fields):
        """Of /v1/embeddings, by base64."""
        answer = self.post("/v1/embeddings", {"input": texts, "encoding_format": "base64"} | fields)
        return numpy.stack([decode(entry["embedding"]) for entry in answer["data"]])

    def metric(self, name, labels=""):
        """A value of /metrics; 0 where it has no such line."""
        wanted = f"{name}{{{labels}}}" if labels else name
        for line in self.ask("GET", "/metrics")[2].decode().splitlines():
            if line.rsplit(" ", 1)[0] == wanted:
                return float(line.rsplit(" ", 1)[1])
        return 0

    def reached(self, limit):
        """How often a limit was."""
        return self.metric("m2_limit_reached_total", f'limit="{limit}"')

    def resident(self, field="RssAnon"):
        """Bytes of memory."""
        text = pathlib.Path(f"/proc/{self.process.pid}/status").read_text()
        return int(re.search(rf"{field}:\s+(\d+) kB", text)[1]) * 1024


def wait_until(condition, what):
    deadline = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < deadline, what
        time.sleep(0.01)


def decode(text):
    return numpy.frombuffer(base64.b64decode(text), dtype="<f4")
