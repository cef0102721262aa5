"""A stand-in for the Hugging Face hub on this machine: one server that knows repositories and hands small files out,
another, at another port and so another host, that holds the large ones, where the first redirects to.

It answers as the hub does (commit, ETag, X-Linked-…, ranges, X-Error-Code) and misbehaves where a test says so.
"""

import dataclasses
import hashlib
import http.server
import json
import pathlib
import threading
import urllib.parse

COMMIT = "0123456789abcdef0123456789abcdef01234567"
LARGE = (".safetensors", ".bin", ".pt")


@dataclasses.dataclass
class Fault:
    """What goes wrong with one GET of a file's bytes."""

    status: int = 0  # answered instead
    fields: dict = dataclasses.field(default_factory=dict)  # of that answer
    cut: int = -1  # the connection ends after so many bytes of the body
    hold: threading.Event | None = None  # waited for there instead
    ignores_range: bool = False
    wrong_range: bool = False
    content: bytes | None = None  # other bytes, with a length of their own


@dataclasses.dataclass
class Request:
    host: str  # "hub" or "store"
    method: str
    path: str
    fields: dict


def git_blob_id(content):
    return hashlib.sha1(b"blob %d\0" % len(content) + content).hexdigest()


def files_of(folder):
    folder = pathlib.Path(folder)
    return {str(p.relative_to(folder)): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}


class StandInHub:
    """Repositories by name: {revision or commit: (commit, {file: bytes})}. Use as a context manager."""

    def __init__(self, scheme="http", tls=None):
        self.repositories, self.requests, self.faults = {}, [], {}
        self.token = None  # wanted of who asks, where set
        self.error_code, self.refusal = "", 401  # of an answer to who has not got it
        self.etags, self.sizes = {}, {}  # announced instead of the true ones
        self.listed, self.sha = [], None  # more names in the list of files; another commit
        self.moved = {}  # a repository's older name to its present one
        self.redirect = None  # where all bytes are said to be
        self.lock = threading.Lock()
        self.scheme, self.tls = scheme, tls

    def add(self, name, files, revision="main", commit=COMMIT):
        self.repositories.setdefault(name, {}).update({revision: (commit, files), commit: (commit, files)})

    def fail(self, file, *faults):
        self.faults[file] = list(faults)

    def __enter__(self):
        self.servers = [http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler(self, host))
                        for host in ("hub", "store")]
        if self.tls:
            self.servers[0].socket = self.tls.wrap_socket(self.servers[0].socket, server_side=True)
        self.threads = [threading.Thread(target=server.serve_forever, args=(0.05,)) for server in self.servers]
        for thread in self.threads:
            thread.start()
        hub, store = (server.server_port for server in self.servers)
        self.url, self.store_url = f"{self.scheme}://127.0.0.1:{hub}", f"http://127.0.0.1:{store}"
        return self

    def __exit__(self, *_):
        for server, thread in zip(self.servers, self.threads):
            server.shutdown()
            thread.join()
            server.server_close()

    def asked(self, host=None, method=None, ending=""):
        return [r for r in self.requests if host in (None, r.host) and method in (None, r.method)
                and r.path.endswith(ending)]

    def find(self, repository, revision):
        """(status, X-Error-Code, commit, files)."""
        revisions = self.repositories.get(repository)
        if revisions is None:
            return 404, "RepoNotFound", None, None
        if revision not in revisions:
            return 404, "RevisionNotFound", None, None
        return 200, "", *revisions[revision]


def handler(hub, host):
    class Handler(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        timeout = 30

        def do_HEAD(self):
            self.answer()

        def do_GET(self):
            self.answer()

        def answer(self):
            with hub.lock:
                hub.requests.append(Request(host, self.command, self.path, dict(self.headers.items())))
            parts = [urllib.parse.unquote(part) for part in self.path.split("?")[0].strip("/").split("/")]
            if host == "store":
                self.send_stored(parts)
            elif hub.token and self.headers.get("Authorization") != f"Bearer {hub.token}":
                self.send_empty(hub.refusal, {"X-Error-Code": hub.error_code})
            elif parts[:2] == ["api", "models"] and "revision" in parts:
                at = parts.index("revision")
                self.send_list("/".join(parts[2:at]), "/".join(parts[at + 1:]))
            elif "resolve" in parts:
                at = parts.index("resolve")
                self.send_resolved("/".join(parts[:at]), parts[at + 1], "/".join(parts[at + 2:]))
            else:
                self.send_empty(404)

        def send_empty(self, status, fields=None):
            self.send_body(status, fields or {}, b"")

        def send_body(self, status, fields, body):
            self.send_response(status)
            for name, value in fields.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            if self.command == "GET":
                self.wfile.write(body)

        def send_moved(self, repository):
            self.send_empty(307, {"Location": self.path.replace(repository, hub.moved[repository])})

        def send_list(self, repository, revision):
            if repository in hub.moved:
                return self.send_moved(repository)
            status, code, commit, files = hub.find(repository, revision)
            if status != 200:
                return self.send_empty(status, {"X-Error-Code": code})
            names = [*files, *hub.listed]
            info = {"id": repository, "sha": hub.sha or commit, "siblings": [{"rfilename": name} for name in names]}
            self.send_content("list", json.dumps(info).encode(), {"Content-Type": "application/json"})

        def send_resolved(self, repository, revision, name):
            if repository in hub.moved:
                return self.send_moved(repository)
            status, code, commit, files = hub.find(repository, revision)
            if status == 200 and name not in files:
                status, code = 404, "EntryNotFound"
            if status != 200:
                return self.send_empty(status, {"X-Error-Code": code})
            content = files[name]
            fields = {"X-Repo-Commit": commit}
            size = hub.sizes.get(name, len(content))
            if not name.endswith(LARGE):
                fields["ETag"] = f'W/"{hub.etags.get(name, git_blob_id(content))}"'
                if self.command == "HEAD":
                    self.send_response(200)
                    for field, value in (fields | {"Content-Length": str(size)}).items():
                        self.send_header(field, value)
                    return self.end_headers()
                return self.send_content(name, content, fields)
            etag = hub.etags.get(name, hashlib.sha256(content).hexdigest())
            fields |= {"X-Linked-Etag": f'"{etag}"', "X-Linked-Size": str(size), "ETag": '"of-the-redirect"'}
            fields["Location"] = hub.redirect or f"{hub.store_url}/{repository}/{commit}/{name}"
            self.send_empty(302, fields)

        def send_stored(self, parts):
            for at in range(1, len(parts) - 1):
                status, _, _, files = hub.find("/".join(parts[:at]), parts[at])
                if status == 200 and "/".join(parts[at + 1:]) in files:
                    name = "/".join(parts[at + 1:])
                    return self.send_content(name, files[name], {"ETag": '"of-the-store"'})
            self.send_empty(404)

        def next_fault(self, name):
            with hub.lock:
                waiting = hub.faults.get(name, []) if self.command == "GET" else []
                return waiting.pop(0) if waiting else None

        def send_content(self, name, content, fields):
            fault = self.next_fault(name) or Fault()
            if fault.status:
                return self.send_empty(fault.status, fault.fields)
            content = content if fault.content is None else fault.content
            begin, asked = 0, self.headers.get("Range", "")
            if asked and not fault.ignores_range:
                begin = int(asked.removeprefix("bytes=").removesuffix("-"))
                if begin >= len(content):
                    return self.send_empty(416, {"Content-Range": f"bytes */{len(content)}"})
            if fault.wrong_range:
                begin = max(begin - 7, 0)
            self.send_response(206 if asked and not fault.ignores_range else 200)
            if asked and not fault.ignores_range:
                self.send_header("Content-Range", f"bytes {begin}-{len(content) - 1}/{len(content)}")
            for field, value in (fields | {"Content-Length": str(len(content) - begin)}).items():
                self.send_header(field, value)
            self.end_headers()
            if self.command == "GET":
                self.send_bytes(content[begin:], fault)

        def send_bytes(self, body, fault):
            stop = fault.cut if fault.cut >= 0 else len(body)
            self.wfile.write(body[:stop])
            if stop < len(body):
                self.wfile.flush()
                if fault.hold:
                    fault.hold.wait(60)
                self.close_connection = True

        def log_message(self, *_):
            pass

        def handle(self):
            try:
                super().handle()
            except (ConnectionError, TimeoutError):
                pass

    return Handler
