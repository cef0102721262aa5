"""Chromium without a window, driven through a pipe by its DevTools protocol."""

import base64
import json
import os
import select
import shutil
import subprocess
import time

CHROMIUM = shutil.which("chromium")
PATIENCE = 60  # seconds, for a loaded machine


class Browser:
    """One page. A context at whose end the browser is gone."""

    def __init__(self, folder, width=1000, height=900, dark=False):
        to_browser, self.writing = os.pipe()
        self.reading, from_browser = os.pipe()
        flags = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run",
                 "--disable-background-networking", f"--user-data-dir={folder}", "--remote-debugging-pipe"]
        # The browser reads its descriptor 3 and writes its descriptor 4.
        script = f'exec "$@" 3<&{to_browser} 4>&{from_browser}'
        self.process = subprocess.Popen(["bash", "-c", script, "bash", CHROMIUM, *flags, "about:blank"],
                                        pass_fds=(to_browser, from_browser), stderr=subprocess.DEVNULL)
        os.close(to_browser)
        os.close(from_browser)
        self.unread, self.sent, self.session = b"", 0, None
        self.problems = []  # what the page's console complains of
        self.loaded = 0  # pages that came whole
        target = next(t for t in self.call("Target.getTargets")["targetInfos"] if t["type"] == "page")
        self.session = self.call("Target.attachToTarget", targetId=target["targetId"], flatten=True)["sessionId"]
        for domain in ("Page", "Runtime", "Log"):
            self.call(f"{domain}.enable")
        self.call("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=False)
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self.call("Emulation.setEmulatedMedia", features=[scheme])

    def _message(self):
        while b"\0" not in self.unread:
            assert select.select([self.reading], [], [], PATIENCE)[0], "the browser says nothing"
            piece = os.read(self.reading, 1 << 16)
            assert piece, "the browser ended"
            self.unread += piece
        piece, self.unread = self.unread.split(b"\0", 1)
        message = json.loads(piece)
        match message.get("method"):
            case "Runtime.exceptionThrown":
                self.problems.append(message["params"]["exceptionDetails"]["exception"]["description"])
            case "Log.entryAdded":
                self.problems.append(message["params"]["entry"]["text"])
            case "Page.loadEventFired":
                self.loaded += 1
        return message

    def call(self, method, **parameters):
        self.sent += 1
        message = {"id": self.sent, "method": method, "params": parameters}
        if self.session:
            message["sessionId"] = self.session
        os.write(self.writing, json.dumps(message).encode() + b"\0")
        while True:
            answer = self._message()
            if answer.get("id") == self.sent:
                assert "error" not in answer, answer
                return answer["result"]

    def _load(self, method, **parameters):
        """Until the new page is there: what is asked in between may be asked of the one that goes."""
        loaded = self.loaded
        self.call(method, **parameters)
        while self.loaded == loaded:
            self._message()

    def open(self, url):
        self._load("Page.navigate", url=url)
        self.wait_for("document.readyState === 'complete' && location.href !== 'about:blank'")

    def reload(self):
        self._load("Page.reload")

    def value(self, expression):
        """What a JavaScript expression is, as far as JSON can say it."""
        result = self.call("Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True)
        assert "exceptionDetails" not in result, result
        return result["result"].get("value")

    def wait_for(self, expression):
        end = time.monotonic() + PATIENCE
        while not self.value(f"Boolean({expression})"):
            assert time.monotonic() < end, (expression, self.value("document.body.innerText"), self.problems)
            time.sleep(0.02)

    def type(self, selector, text):
        """As a user would: into what has the focus, in place of what was there."""
        self.value(f"document.querySelector({json.dumps(selector)}).select()")
        self.value(f"document.querySelector({json.dumps(selector)}).focus()")
        self.call("Input.insertText", text=text)

    def press(self, name):
        """A key."""
        code = {"Tab": 9, "Enter": 13, " ": 32}[name]
        text = {"Enter": "\r", " ": " "}.get(name, "")
        for kind in ("keyDown", "keyUp"):
            self.call("Input.dispatchKeyEvent", type=kind, key=name, code=name.replace(" ", "Space"), text=text,
                      windowsVirtualKeyCode=code)

    def screenshot(self, path):
        height = self.value("document.documentElement.scrollHeight")
        width = self.value("innerWidth")
        clip = {"x": 0, "y": 0, "width": width, "height": height, "scale": 1}
        image = self.call("Page.captureScreenshot", clip=clip, captureBeyondViewport=True)
        path.write_bytes(base64.b64decode(image["data"]))

    def __enter__(self):
        return self

    def __exit__(self, *_):
        os.close(self.writing)  # it ends when its pipe does
        try:
            self.process.wait(PATIENCE)
        finally:
            self.process.kill()
            os.close(self.reading)
