"""The page at GET / in headless Chromium, as a user drives it, against `m2 embed` on the same texts."""

import json
import urllib.request

import m2_program
import numpy
import pytest
from browser import CHROMIUM, Browser
from server_process import ServerProcess

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(CHROMIUM is None, reason="chromium is missing: tools/install_packages.sh browser"),
]

KEY = "a key, <b>\"quoted\"</b>"
TEXTS = ["The ship came into the harbour.", "Bread needs flour and <b id='intruder'>salt</b>.", "née Müller 船"]
MATRIX = "[...document.querySelectorAll('#matrix tbody tr')].map((row) => [...row.querySelectorAll('td')].map("
FACTS = "[...document.querySelectorAll('.facts')].map((facts) => facts.textContent)"
DONE = "!document.querySelector('#run').disabled"


@pytest.fixture
def server(model):
    with ServerProcess(model) as running:
        yield running


@pytest.fixture
def browser(tmp_path):
    with Browser(tmp_path / "browser") as page:
        yield page
        assert page.problems == []


def open_page(browser, server):
    browser.open(server.url + "/")
    browser.wait_for("document.querySelector('#about').textContent.includes('numbers a vector')")


def compare(browser, text):
    browser.type("#input", text)
    browser.value("document.querySelector('#run').focus()")
    browser.press("Enter")
    browser.wait_for(f"{DONE} && document.querySelectorAll('#texts > li').length")


def matrix(browser):
    return browser.value(MATRIX + "(cell) => Number(cell.textContent)))")


def cosines(model, texts):
    """From what the program writes."""
    found = numpy.stack([m2_program.vectors(model, text)[0] for text in texts]).astype(float)
    found /= numpy.linalg.norm(found, axis=1, keepdims=True)
    return found @ found.T


def test_the_matrix_is_of_the_programs_vectors(browser, server, model, tmp_path):
    open_page(browser, server)
    compare(browser, "\n".join(TEXTS))
    found, expected = numpy.array(matrix(browser)), cosines(model, TEXTS)
    assert found.shape == expected.shape
    assert numpy.abs(found - expected).max() <= 5.001e-4, (found, expected)  # three digits are shown
    # Vectors of random weights are all alike; the colours, which are spread from the least value to 1, tell them apart.
    shares = numpy.array(browser.value(MATRIX + "(cell) => Number(cell.style.getPropertyValue('--share'))))"))
    spread = (expected - expected.min()) / (1 - expected.min())
    assert numpy.abs(shares - spread).max() < 1e-5
    swapped = [1, 0, 2]
    assert numpy.abs(shares - spread[swapped][:, swapped]).max() > 0.1
    image = tmp_path / "page.png"
    browser.screenshot(image)
    assert image.read_bytes().startswith(b"\x89PNG") and image.stat().st_size < 200_000


def test_each_text_has_its_tokens_and_its_time(browser, server, model):
    open_page(browser, server)
    compare(browser, "\n".join(TEXTS))
    facts = browser.value(FACTS)
    for fact, text in zip(facts, TEXTS, strict=True):
        assert fact.startswith(f"{len(m2_program.ids_of(model, text))} tokens, ") and fact.endswith(" ms"), facts
    # Opened by the keyboard; markup in a text stays text.
    browser.value("document.querySelectorAll('#texts summary')[1].focus()")
    browser.press("Enter")
    tokens = "[...document.querySelectorAll('.tokens')[1].querySelectorAll('span')]"
    browser.wait_for(f"{tokens}.length > 0")
    line = m2_program.succeed("tokenize", "--model-id", model, stdin=TEXTS[1].encode() + b"\n")
    assert browser.value(f"{tokens}.map((token) => token.textContent)") == json.loads(line)["tokens"]
    assert browser.value("document.querySelector('#intruder')") is None


def test_long_texts_are_refused_or_cut_as_asked(browser, server, model):
    long_text = "harbour\n" * 200
    open_page(browser, server)
    browser.value("document.querySelector('[value=blocks]').click()")
    compare(browser, long_text + "\n\n" + TEXTS[0] + "\n \n" + TEXTS[1])
    assert browser.value(FACTS)[0] == "failed"
    total = len(m2_program.ids_of(model, long_text.replace("\n", " ")))
    refusal = browser.value("document.querySelector('#texts [role=alert]').textContent")
    assert refusal.startswith(f"400: the input has {total} tokens, "), refusal
    assert numpy.abs(numpy.array(matrix(browser)) - cosines(model, TEXTS[:2])).max() <= 5.001e-4
    headings = browser.value("[...document.querySelectorAll('#matrix th')].map((head) => head.textContent)")
    assert headings == ["2", "3", "2", "3"]  # of the columns, then of the rows

    browser.value("document.querySelector('#truncate').click()")
    compare(browser, long_text)
    limit = m2_program.MAX_LENGTH
    assert browser.value(FACTS)[0].startswith(f"{limit} tokens, {total - limit} cut off, ")
    assert browser.value("document.querySelector('#similarities').hidden")  # one text has no neighbour
    assert len(browser.problems) == 1 and "400" in browser.problems.pop()


def test_nothing_to_do_is_said(browser, server):
    open_page(browser, server)
    state = "document.querySelector('#state').textContent"
    for text, says in ((" \n \n", "there is no text"), ("a\n" * 65, "65 texts; the page takes 64")):
        browser.type("#input", text)
        browser.value("document.querySelector('#form').requestSubmit()")
        assert browser.value(state) == says


def test_a_server_that_ended_is_said(browser, server):
    open_page(browser, server)
    assert server.stop() == 0
    browser.value("document.querySelector('#form').requestSubmit()")
    browser.wait_for("!document.querySelector('#error').hidden")
    assert browser.value("document.querySelector('#error').textContent").startswith("The server does not answer")
    assert browser.value(FACTS)[0] == "failed"
    browser.problems.clear()  # the console says so, too


def test_the_key_is_asked_for_and_forgotten(browser, model):
    asks = "!document.querySelector('#key-form').hidden"
    with ServerProcess(model, "--api-key", KEY) as server:
        browser.open(server.url + "/")
        browser.wait_for(asks)
        assert browser.value("document.activeElement.id") == "key"
        browser.type("#key", "another key")
        browser.press("Enter")
        browser.wait_for("!document.querySelector('#error').hidden")
        assert browser.value("document.querySelector('#error').textContent").startswith("401: ")
        assert browser.value(asks)
        browser.type("#key", KEY)
        browser.press("Enter")
        browser.wait_for("document.querySelector('#about').textContent.includes('numbers a vector')")
        assert not browser.value(asks) and browser.value("document.querySelector('#error').hidden")
        compare(browser, "\n".join(TEXTS))
        assert numpy.abs(numpy.array(matrix(browser)) - cosines(model, TEXTS)).max() <= 5.001e-4

        kept = "[localStorage.length, sessionStorage.length, document.cookie, location.href]"
        assert browser.value(kept) == [0, 0, "", server.url + "/"]
        assert KEY not in browser.value("document.documentElement.outerHTML")
        browser.reload()
        browser.wait_for(asks)
        assert KEY not in json.dumps(server.log)
    assert browser.problems and all("401" in problem for problem in browser.problems)
    browser.problems.clear()


@pytest.mark.parametrize("dark", [False, True])
def test_it_is_readable_on_a_phone(server, tmp_path, dark):
    with Browser(tmp_path / "browser", width=360, height=640, dark=dark) as browser:
        open_page(browser, server)
        compare(browser, "\n".join(f"{text} {i}" for i in range(4) for text in TEXTS))
        assert browser.value("document.documentElement.scrollWidth") <= 360
        assert browser.value("document.querySelector('.scroll').scrollWidth") > 360, "nothing is wider than the screen"
        unlabelled = "[...document.querySelectorAll('input, select, textarea')].filter((one) => !one.labels.length)"
        assert browser.value(f"{unlabelled}.map((one) => one.outerHTML)") == []
        assert lowest_contrast(browser) >= 4.5


def lowest_contrast(browser):
    """Of a number in the matrix on its cell, as WCAG 2 defines it."""
    # A canvas turns whatever notation a colour has into bytes.
    bytes_of = """(colour) => {
      const context = document.createElement('canvas').getContext('2d');
      context.fillStyle = colour;
      context.fillRect(0, 0, 1, 1);
      return [...context.getImageData(0, 0, 1, 1).data];
    }"""
    pairs = browser.value("[...document.querySelectorAll('#matrix tbody td')].map((cell) => getComputedStyle(cell))"
                          f".map((style) => [style.color, style.backgroundColor].map({bytes_of}))")

    def luminance(colour):
        assert colour[3] == 255
        linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in (b / 255 for b in colour[:3])]
        return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]

    def contrast(pair):
        low, high = sorted(luminance(colour) for colour in pair)
        return (high + 0.05) / (low + 0.05)

    return min(contrast(pair) for pair in pairs)


def test_nothing_comes_from_elsewhere(server):
    with urllib.request.urlopen(server.url + "/") as response:
        policy, page = response.headers["Content-Security-Policy"], response.read().decode()
    assert "default-src 'none'" in policy and "connect-src 'self'" in policy
    assert "http:" not in page and "https:" not in page and "innerHTML" not in page
