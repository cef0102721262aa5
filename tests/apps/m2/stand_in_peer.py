"""A peer.py for tests of `m2 bench --against`: its name says how it behaves, a log beside it what it was asked."""

import json
import os
import pathlib
import sys
import time

FOLDER = pathlib.Path(__file__).resolve().parent
NAME = sys.argv[1]
SECONDS = (0.5, 4.0, 0.25, 1.0, 3.0)  # of the requests in turn, told and not taken
SETTINGS = ("OMP_NUM_THREADS", "MALLOC_MMAP_MAX_", "MALLOC_TRIM_THRESHOLD_", "MALLOC_TOP_PAD_")


def say(value):
    print(value if isinstance(value, str) else json.dumps(value), flush=True)


def log(what):
    with open(FOLDER / "log.jsonl", "a") as file:
        file.write(json.dumps([NAME, os.getpid(), what]) + "\n")


def misbehave(request):
    """Whether the name asks for another answer than a time."""
    if NAME == "refuses" and request["length"] > 50:
        say({"error": "no room for so long a text"})
    elif NAME == "dies":
        print("first words\nout of luck", file=sys.stderr)
        sys.exit(3)
    elif NAME == "hangs":
        time.sleep(600)
    elif NAME == "rubbish":
        say("Loading weights: 100 %")
    elif NAME == "list":
        say("[1, 2]")
    elif NAME == "zero":
        say({"seconds": 0})
    elif NAME == "wordy":
        say({"seconds": "0.5"})
    else:
        return False
    return True


def main():
    log({"argv": sys.argv[1:], "settings": {key: os.environ.get(key) for key in SETTINGS}})
    if NAME == "absent":
        say({"error": "there is no peer named absent"})
        sys.exit(1)
    if NAME == "mute":
        time.sleep(600)
    if NAME == "breaks":
        raise ModuleNotFoundError("No module named 'torch'")
    say({"peer": NAME, "title": f"Stand-in {NAME} <1>", "family": "bert",
         "dtype": "bf16" if NAME == "bfloat" else "fp32"})
    for number, line in enumerate(sys.stdin):
        request = json.loads(line)
        log(request)
        if not misbehave(request):
            say({"seconds": SECONDS[number % len(SECONDS)], "peak_bytes": 123456789 + number})
    log("end")


main()
