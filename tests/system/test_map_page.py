"""The page of a map in headless Chromium: opened, asked, steered, and given words that were made to harm."""

import html
import json
import re
import shutil
import subprocess
from urllib.parse import quote

import numpy as np
import pytest

from throughtime.inspect.layout import lay_out
from throughtime.inspect.maps import page
from throughtime.vectors.table import Table

CHROMIUM = next(filter(None, map(shutil.which, ["chromium", "chromium-browser", "google-chrome"])), None)
pytestmark = [
    pytest.mark.system,
    pytest.mark.skipif(CHROMIUM is None, reason="there is no chromium, chromium-browser or google-chrome here"),
]
HOSTILE = [
    "</script><script>document.documentElement.dataset.harmed = 1</script>",
    "</SCRIPT x=1 ><script >document.documentElement.dataset.harmed = 1</script >",
    "<img src=x onerror=document.documentElement.dataset.harmed=1>",
    "\"><svg onload='document.documentElement.dataset.harmed=1'>",
    "שלום",
    "مرحبا",
    "漢字",
    "c++",
    "50 %",
    "a&b=c#d",
    "tab\there",
    "\u202egnp.exe",
    "x" * 3000,
    "👩‍👩‍👧",
    "__proto__",
    "constructor",
]
POLICY = re.compile(r"<meta http-equiv[^>]*>\n")
# Chooses every word, by the page's address and then by searching for it.
VISIT = """
const seen = [], part = (id) => document.getElementById(id), wait = () => new Promise((done) => setTimeout(done, 50));
const see = () => seen.push([part("word").textContent, part("neighbours").querySelectorAll("button").length]);
(async () => {
  see();
  const words = JSON.parse(part("data").textContent).words;
  for (const word of words) { location.hash = "#word=" + encodeURIComponent(word); await wait(); see(); }
  for (const word of words) {
    part("search").value = word; part("search").dispatchEvent(new Event("input")); await wait();
    part("search").dispatchEvent(new KeyboardEvent("keydown", { key: "Enter" })); await wait(); see();
  }
  document.documentElement.dataset.seen = JSON.stringify(seen);
})();
"""
# Steers the page as a reader would, and writes down after each step what is there to see.
STEER = """
const seen = [], part = (id) => document.getElementById(id);
const see = (what) => seen.push(`${what}: ${part("chosen").hidden ? "none" : part("word").textContent}`
  + ` | ${decodeURIComponent(location.hash).replace(/&?view=[^&]*/, "")}`);
const key = (on, name) => on.dispatchEvent(
  new KeyboardEvent("keydown", { key: name, bubbles: true, cancelable: true }));
const point = (kind, x, y) => part("canvas").dispatchEvent(
  new PointerEvent(kind, { clientX: x, clientY: y, pointerId: 1, pointerType: "mouse", button: 0, bubbles: true }));
const wait = (milliseconds) => new Promise((done) => setTimeout(done, milliseconds));
part("canvas").setPointerCapture = () => {};
(async () => {
  key(document.body, "/");
  seen.push(`focus: ${document.activeElement.id}`);
  part("search").value = "W1"; part("search").dispatchEvent(new Event("input"));
  seen.push(`found: ${[...part("found").children].map((item) => item.textContent)}`);
  seen.push(`told: ${part("told").textContent}`);
  key(part("search"), "ArrowDown"); key(part("search"), "Enter"); await wait(700); see("enter");
  key(document.body, "Escape"); see("escape");
  part("search").value = "zebra"; part("search").dispatchEvent(new Event("input"));
  seen.push(`told: ${part("told").textContent}`);
  key(part("search"), "Escape"); seen.push(`told: ${part("told").textContent}`);
  key(part("canvas"), "0"); await wait(700);
  key(part("canvas"), "Enter"); see("middle"); key(document.body, "Escape");
  location.hash = "#word=w7"; await wait(700); see("address");
  const middle = part("canvas").getBoundingClientRect(), x = middle.width / 2, y = middle.height / 2;
  key(document.body, "Escape");
  point("pointermove", x, y); see("hover");
  point("pointermove", 1, 1); point("pointerleave", 1, 1); see("left");
  point("pointerdown", x, y); point("pointerup", x, y); see("click");
  point("pointerdown", x, y); point("pointermove", x + 50, y); point("pointerup", x + 50, y); see("drag");
  point("pointermove", x + 50, y); key(document.body, "Escape"); point("pointermove", x + 50, y); see("dragged along");
  part("canvas").dispatchEvent(
    new WheelEvent("wheel", { deltaY: -300, clientX: x + 50, clientY: y, cancelable: true }));
  point("pointermove", 1, 1); point("pointermove", x + 50, y); see("zoomed about the pointer");
  point("pointerleave", 1, 1);
  part("neighbours").querySelectorAll("button")[2].click(); see("neighbour");
  document.querySelector("input[value=bias]").click(); see("bias"); await wait(700);
  seen.push(`legend: ${part("scale").hidden} ${part("low").textContent} ${part("high").textContent}`);
  part("clear").click(); see("clear");
  part("nearer").click(); part("farther").click(); part("all").click(); await wait(700);
  history.back(); await wait(700); see("back");
  document.documentElement.dataset.seen = JSON.stringify(seen);
})();
"""


@pytest.fixture(scope="module")
def table():
    chance = np.random.default_rng(3)
    return Table([f"w{i}" for i in range(40)], chance.normal(size=(40, 8)).astype(np.float32))


@pytest.fixture(scope="module")
def layout(table):
    return lay_out(table, np.arange(40), method="tsne", clusters=4, pairs=[("w1", "w2"), ("w3", "w4")])


def opened(text, tmp_path, hash_=""):
    """The page as it stands in Chromium, after the second in which it comes to rest."""
    path = tmp_path / "map.html"
    path.write_text(text)
    words = [
        CHROMIUM,
        "--headless=new",
        "--no-sandbox",
        "--disable-gpu",
        "--virtual-time-budget=20000",
        "--force-prefers-reduced-motion",
    ]
    words += [
        f"--user-data-dir={tmp_path / 'profile'}",
        "--window-size=1200,800",
        "--dump-dom",
        f"{path.as_uri()}{hash_}",
    ]
    shown = subprocess.run(words, capture_output=True, timeout=120, check=True).stdout.decode()
    shutil.rmtree(tmp_path / "profile", ignore_errors=True)
    return shown


def root_of(shown):
    return re.search(r"<html[^>]*>", shown).group()


def texts_of(shown, pattern):
    return [html.unescape(text) for text in re.findall(pattern, shown, re.DOTALL)]


def seen_in(shown):
    return json.loads(html.unescape(re.search(r'data-seen="([^"]*)"', root_of(shown)).group(1)))


def chosen(shown):
    [word] = texts_of(shown, r'<bdi id="word">(.*?)</bdi>')
    return word, texts_of(shown, r'<button type="button" data-number="\d+"><bdi>(.*?)</bdi>')


def test_an_address_with_a_word_shows_its_neighbours(layout, table, tmp_path):
    shown = opened(page(layout, name="table"), tmp_path, "#word=w5")
    assert 'data-ready="yes"' in root_of(shown)
    assert "data-failure" not in root_of(shown)
    nearest = table.nearest(["w5"], 10)[0]
    assert chosen(shown) == ("w5", [word for word, _ in nearest])
    cosines = re.findall(r"</bdi><span>(-?\d\.\d{3})</span></button>", shown)
    np.testing.assert_allclose([float(cosine) for cosine in cosines], [cosine for _, cosine in nearest], atol=6e-4)
    assert int(re.search(r'data-labels="(\d+)"', shown).group(1)) > 10


def test_what_fails_in_the_page_is_seen(layout, tmp_path):
    shown = opened(page(layout, name="table").replace('"words":', '"word":'), tmp_path)
    assert "data-failure" in root_of(shown)
    assert "data-ready" not in root_of(shown)


def test_a_word_that_is_not_on_the_map_is_told(layout, tmp_path):
    shown = opened(page(layout, name="table"), tmp_path, "#word=%3Cb%3Ezebra&colour=%&view=1,2,nan")
    assert texts_of(shown, r'<p id="told" role="status">(.*?)</p>') == ["“<b>zebra” is not on this map."]
    assert "data-failure" not in root_of(shown)


def test_words_that_were_made_to_harm_are_shown(tmp_path):
    vectors = np.random.default_rng(0).normal(size=(len(HOSTILE), 4)).astype(np.float32)
    layout = lay_out(Table(HOSTILE, vectors), np.arange(len(HOSTILE)), method="pca", clusters=2)
    text, policed = POLICY.subn("", page(layout, name=HOSTILE[0]))  # without its second lock
    assert policed == 1
    shown = opened(
        text.replace("</body>", f"<script>{VISIT}</script></body>"), tmp_path, f"#word={quote(HOSTILE[0], safe='')}"
    )
    assert "data-harmed" not in root_of(shown)
    assert "data-failure" not in root_of(shown)
    assert chosen(shown)[0] == HOSTILE[-1]
    assert seen_in(shown) == [[word.replace("\t", "\\u0009"), 10] for word in [HOSTILE[0], *HOSTILE, *HOSTILE]]


def test_the_policy_of_the_page_stops_scripts_that_are_not_ours(layout, tmp_path):
    text = page(layout, name="table").replace("</body>", "<script>document.documentElement.dataset.harmed = 1</script>")
    shown = opened(text, tmp_path)
    assert "data-harmed" not in root_of(shown)
    assert 'data-failure="blocked script-src-elem"' in root_of(shown)


def test_a_reader_finds_hovers_clicks_drags_zooms_and_goes_back(layout, table, tmp_path):
    text = POLICY.sub("", page(layout, name="table")).replace("</body>", f"<script>{STEER}</script></body>")
    shown = opened(text, tmp_path)
    assert "data-failure" not in root_of(shown)
    middle = layout.words[np.linalg.norm(layout.points, axis=1).argmin()]
    third = table.nearest(["w7"], 3)[0][2][0]
    assert seen_in(shown) == [
        "focus: search",
        "found: w1,w10,w11,w12,w13,w14,w15,w16",
        "told: 11 words match",
        "enter: w10 | #word=w10",
        "escape: none | #",
        "told: No word of this map has “zebra” in it.",
        "told: ",
        f"middle: {middle} | #word={middle}",
        "address: w7 | #word=w7",
        "hover: w7 | #",
        "left: none | #",
        "click: w7 | #word=w7",
        "drag: w7 | #word=w7",
        "dragged along: w7 | #",
        "zoomed about the pointer: w7 | #",
        f"neighbour: {third} | #word={third}",
        f"bias: {third} | #word={third}&colour=bias",
        "legend: false w2 −0.79 w1 +0.79",
        "clear: none | #colour=bias",
        f"back: {third} | #word={third}&colour=bias",
    ]
