"""`m2 serve` as a process of its own, on a free port of this machine."""

import json
import re
import signal
import subprocess
import threading

from m2_program import PROGRAM, environment

PATIENCE = 60  # seconds, for a loaded machine


class ServerProcess:
    """Serving once made; a context at whose end it must have stopped by itself on SIGTERM."""

    def __init__(self, model, *words, port=0, env=None, ready=True):
        command = [PROGRAM, "serve", "--model-id", model, "--port", port, *words]
        self.process = subprocess.Popen([str(word) for word in command], env=environment(env),
                                        stdin=subprocess.DEVNULL, stderr=subprocess.PIPE)
        self.log = []  # its lines, as objects
        self.ended = False
        self.changed = threading.Condition()
        self.reader = threading.Thread(target=self._read_log, daemon=True)
        self.reader.start()
        address = re.search(r"(\S+):(\d+)$", self.wait_for("listening on "))
        if address:  # and no socket's path
            self.host, self.port = address[1], int(address[2])
            self.url = f"http://{self.host}:{self.port}"
        if ready:
            self.wait_for("ready: ")

    def _read_log(self):
        for line in self.process.stderr:
            # An error that keeps it from starting is plain text.
            entry = json.loads(line) if line.startswith(b"{") else {"message": line.decode()}
            with self.changed:
                self.log.append(entry)
                self.changed.notify_all()
        with self.changed:
            self.ended = True
            self.changed.notify_all()

    def messages(self):
        return [line.get("message", "") for line in self.log]

    def wait_for(self, begin):
        """The first message that begins so."""

        def found():
            return next((message for message in self.messages() if message.startswith(begin)), None)

        with self.changed:
            self.changed.wait_for(lambda: found() or self.ended, PATIENCE)
            assert found(), (begin, self.log)
            return found()

    def stop(self):
        """Its exit status after SIGTERM."""
        self.process.send_signal(signal.SIGTERM)
        return self.wait()

    def wait(self):
        status = self.process.wait(PATIENCE)
        self.reader.join()
        return status

    def __enter__(self):
        return self

    def __exit__(self, kind, *_):
        if kind is None and self.process.poll() is None:
            assert self.stop() == 0, self.log
        elif self.process.poll() is None:
            self.process.kill()
            self.wait()
