"""examples/serving: nginx before two servers, of which one goes away; the systemd unit."""

import base64
import http.client
import http.server
import itertools
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import threading
import time

import m2_program
import numpy
import pytest
from server_process import PATIENCE, ServerProcess

EXAMPLES = m2_program.ROOT / "examples/serving"
NGINX = shutil.which("nginx", path=os.environ["PATH"] + ":/usr/sbin")
TEXT = "The ship came into the harbour."

needs_nginx = pytest.mark.skipif(NGINX is None, reason="nginx is missing: tools/install_packages.sh tests")


def free_port():
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return one.getsockname()[1]


class Nginx:
    """The example configuration, on a free port, before two ports of this machine."""

    def __init__(self, folder, ports, without=""):
        text = (EXAMPLES / "nginx.conf").read_text()
        self.port = free_port()
        changes = {"127.0.0.1:8081": f"127.0.0.1:{ports[0]}", "127.0.0.1:8082": f"127.0.0.1:{ports[1]}",
                   "listen 80;": f"listen 127.0.0.1:{self.port};"} | ({without: ""} if without else {})
        for old, new in changes.items():
            assert text.count(old) == 1, old
            text = text.replace(old, new)
        (folder / "example.conf").write_text(text)
        places = "".join(f"{name}_temp_path {folder}/{name};"
                         for name in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi"))
        (folder / "main.conf").write_text(
            f"{'user root;' if os.geteuid() == 0 else ''} daemon off; pid {folder}/pid; worker_processes 1;"
            f"events {{}} http {{ access_log off; {places} include {folder}/example.conf; }}")
        words = [NGINX, "-p", folder, "-c", folder / "main.conf", "-e", folder / "errors"]
        self.process = subprocess.Popen(words, stderr=subprocess.DEVNULL)
        end = time.monotonic() + PATIENCE
        while True:
            try:
                return socket.create_connection(("127.0.0.1", self.port)).close()
            except OSError:
                assert self.process.poll() is None and time.monotonic() < end, (folder / "errors").read_text()
                time.sleep(0.02)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.terminate()
        self.process.wait(PATIENCE)

    def connect(self):
        return http.client.HTTPConnection("127.0.0.1", self.port, timeout=PATIENCE)


def embed(connection, text, headers=None):
    """Status, body and headers."""
    body = json.dumps({"input": text, "encoding_format": "base64"})
    connection.request("POST", "/v1/embeddings", body, {"Content-Type": "application/json"} | (headers or {}))
    response = connection.getresponse()
    return response.status, response.read(), response.headers


def vector_of(body):
    return numpy.frombuffer(base64.b64decode(json.loads(body)["data"][0]["embedding"]), dtype="<f4")


def served(server):
    return sum(line.get("route") == "/v1/embeddings" for line in server.log)


class Traffic:
    """Clients that ask one after the other, each on a connection that it keeps."""

    def __init__(self, nginx, clients=6):
        self.nginx, self.answers, self.ended = nginx, [], False
        self.changed = threading.Condition()
        self.threads = [threading.Thread(target=self._client, args=(i,)) for i in range(clients)]

    def _client(self, number):
        connection = self.nginx.connect()
        for i in itertools.count():
            if self.ended:
                return
            text = f"{TEXT} {number} {i} " + "bread " * (i % 60)
            try:
                answer = text, *embed(connection, text)[:2]
            except (OSError, http.client.HTTPException) as error:
                answer = text, repr(error), b""
                connection.close()
            with self.changed:
                self.answers.append(answer)
                self.changed.notify_all()

    def wait_for(self, more):
        with self.changed:
            enough = len(self.answers) + more
            assert self.changed.wait_for(lambda: len(self.answers) >= enough, PATIENCE)

    def __enter__(self):
        for thread in self.threads:
            thread.start()
        return self

    def __exit__(self, *_):
        self.ended = True
        for thread in self.threads:
            thread.join()


@needs_nginx
@pytest.mark.parametrize("end", [signal.SIGTERM, signal.SIGKILL])
def test_a_server_that_goes_away_loses_no_request(model, tmp_path, end):
    with ServerProcess(model) as one, ServerProcess(model) as other:
        with Nginx(tmp_path, [one.port, other.port]) as nginx, Traffic(nginx) as traffic:
            traffic.wait_for(100)
            one.process.send_signal(end)
            assert one.wait() == (0 if end == signal.SIGTERM else -end)
            traffic.wait_for(100)
            with ServerProcess(model, port=one.port) as again:
                before = len(traffic.answers)
                while not served(again):  # nginx takes it back by itself
                    traffic.wait_for(1)
                    assert len(traffic.answers) < before + 100_000
                traffic.wait_for(100)
        assert served(one) and served(other)
    refused = [answer for answer in traffic.answers if answer[1] != 200]
    assert not refused, (len(refused), len(traffic.answers), refused[:3])
    for text, _, body in traffic.answers[:: len(traffic.answers) // 5]:
        assert m2_program.same_bits(vector_of(body), m2_program.vectors(model, text)[0])


class Refuser:
    """Reads a request and answers with a status; with 0 it closes the connection."""

    def __init__(self, status):
        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self):
                self.rfile.read(int(self.headers["Content-Length"]))
                if status:
                    self.send_response(status)
                    self.send_header("Content-Length", "0")
                    self.end_headers()
                self.close_connection = True

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.port = self.server.server_port
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.server.shutdown()
        self.server.server_close()


@needs_nginx
@pytest.mark.parametrize("status, without, seen", [
    (0, "", {200}),
    (0, "error ", {200, 502}),
    (0, " non_idempotent", {200, 502}),
    (503, "", {200}),
    (503, " http_503", {200, 503}),
    (429, "", {200, 429}),
])
def test_a_second_try_is_made_where_it_is_safe(model, tmp_path, status, without, seen):
    with ServerProcess(model) as server, Refuser(status) as refuser:
        with Nginx(tmp_path, [refuser.port, server.port], without) as nginx:
            connection = nginx.connect()
            assert {embed(connection, TEXT)[0] for _ in range(10)} == seen


@needs_nginx
def test_what_passes_and_what_does_not(model, tmp_path):
    with ServerProcess(model) as one, ServerProcess(model) as other:
        with Nginx(tmp_path, [one.port, other.port]) as nginx:
            connection = nginx.connect()
            status, body, headers = embed(connection, TEXT)
            assert status == 200 and re.fullmatch("[0-9a-f]{32}", headers["x-request-id"])
            assert headers["x-compute-tokens"] == str(len(m2_program.ids_of(model, TEXT)))
            assert m2_program.same_bits(vector_of(body), m2_program.vectors(model, TEXT)[0])
            assert embed(connection, TEXT, {"X-Request-Id": "mine-1"})[2]["x-request-id"] == "mine-1"
            large = json.dumps({"input": TEXT, "user": "u" * (2 << 20)})  # kept in a file on its way
            connection.request("POST", "/v1/embeddings", large, {"Content-Type": "application/json"})
            assert connection.getresponse().read().startswith(b'{"object":"list"')
            connection.request("GET", "/metrics")
            assert connection.getresponse().status == 404
            too_large = nginx.connect()
            too_large.putrequest("POST", "/v1/embeddings")
            too_large.putheader("Content-Length", str((32 << 20) + 1))
            too_large.endheaders()
            assert too_large.getresponse().status == 413


def test_the_unit_is_one_that_systemd_reads(tmp_path):
    if shutil.which("systemd-analyze") is None:
        pytest.skip("systemd-analyze is missing")
    text = (EXAMPLES / "m2.service").read_text()
    assert text.count("ExecStart=/usr/local/bin/m2 serve ") == 1
    unit = tmp_path / "m2.service"
    unit.write_text(text.replace("/usr/local/bin/m2", str(m2_program.PROGRAM)))

    def complaints():
        done = subprocess.run(["systemd-analyze", "verify", unit], capture_output=True, text=True)
        return "\n".join(line for line in (done.stdout + done.stderr).splitlines() if str(unit) in line)

    assert complaints() == ""
    unit.write_text(unit.read_text().replace("DynamicUser=yes", "DynamicUsr=yes"))
    assert "DynamicUsr" in complaints()


def test_the_unit_fits_the_programs_limits():
    settings = dict(re.findall(r"^(\w+)=(.*)$", (EXAMPLES / "m2.service").read_text(), re.M))
    help_text = m2_program.succeed("serve", "--help").decode()

    def default(flag):
        return float(re.search(rf"{flag} .*=(\d+)\b", help_text)[1])

    assert float(settings["TimeoutStopSec"]) > default("--shutdown-timeout")
    assert float(settings["LimitNOFILE"]) > default("--max-connections")
    configuration = (EXAMPLES / "nginx.conf").read_text()

    def seconds(directive):
        return float(re.search(rf"\b{directive} (\d+)s;", configuration)[1])

    assert seconds("proxy_read_timeout") > default("--request-timeout")
    assert seconds("keepalive_timeout") < default("--idle-timeout")
    assert "client_max_body_size 32m;" in configuration and "--max-body-bytes TEXT=32MiB" in help_text
