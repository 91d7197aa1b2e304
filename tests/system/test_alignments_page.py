"""The page of alignments in headless Chromium: pointed at, steered by keys, and given lines that were made to harm."""

import html
import json
import re
import shutil
import subprocess

import numpy as np
import pytest

from throughtime.data.alignments import Alignment
from throughtime.inspect.alignments_page import Heading, Pair, Pairs, page

CHROMIUM = next(filter(None, map(shutil.which, ["chromium", "chromium-browser", "google-chrome"])), None)
pytestmark = [
    pytest.mark.system,
    pytest.mark.skipif(CHROMIUM is None, reason="there is no chromium, chromium-browser or google-chrome here"),
]
POLICY = re.compile(r"<meta http-equiv[^>]*>\n")
HOSTILE = "<img src=x onerror=document.documentElement.dataset.harmed=1>"
STEER = """
const seen = [], items = [...document.querySelectorAll("main > ol > li")];
const unit = (i, side, k) => items[i].querySelectorAll(`[data-side=${side}] > span`)[k];
const lit = (i, side) => [...items[i].querySelectorAll(`[data-side=${side}] > span`)]
  .map((span) => Number(span.style.getPropertyValue("--weight") || 0) > 0.5 ? 1 : 0).join("");
const told = (i) => items[i].querySelector("article > .told").textContent.replaceAll("\\u00a0", " ");
const see = (what, i) => seen.push(`${what}: ${lit(i, "source")} ${lit(i, "target")} ${told(i)}`);
const point = (kind, on) => on.dispatchEvent(new PointerEvent(kind, { pointerType: "mouse", bubbles: true }));
const key = (name) => document.activeElement.dispatchEvent(
  new KeyboardEvent("keydown", { key: name, bubbles: true, cancelable: true }));
point("pointerover", unit(0, "target", 1)); see("target", 0);
point("pointerout", unit(0, "target", 1)); see("left", 0);
point("pointerover", unit(0, "source", 2)); see("source", 0);
point("pointerout", unit(0, "source", 2));
document.querySelector("[name=head][value='2']").click();
unit(0, "target", 1).click(); see("second head, tapped", 0);
point("pointerover", unit(1, "target", 0)); see("another", 1);
point("pointerout", unit(1, "target", 0)); see("still tapped", 0);
key("Escape"); document.body.dispatchEvent(new KeyboardEvent("keydown", { key: "Escape", bubbles: true }));
unit(0, "target", 1).dispatchEvent(new KeyboardEvent("keydown", { key: "Escape", bubbles: true })); see("escape", 0);
document.querySelector("[name=head][value=mean]").click();
unit(0, "target", 0).focus(); key("ArrowRight"); see("arrow", 0);
key("ArrowUp"); seen.push(`focus: ${document.activeElement.textContent}`);
key("End"); seen.push(`focus: ${document.activeElement.textContent}`);
unit(1, "source", 0).focus(); key("ArrowLeft"); seen.push(`right to left: ${document.activeElement.textContent}`);
items[0].querySelector(".open").click();
seen.push(`matrices: ${items[0].querySelectorAll("canvas").length}`);
document.getElementById("every").click();
seen.push(`open: ${items.map((item) => !item.querySelector(".matrices").hidden)}`);
document.getElementById("search").value = "ONE"; document.getElementById("search").dispatchEvent(new Event("input"));
seen.push(`found: ${document.getElementById("found").textContent} ${items.map((item) => item.hidden)}`);
document.documentElement.dataset.seen = JSON.stringify(seen);
"""


def shown(text, tmp_path):
    """The page as it stands in Chromium at the end: its root element."""
    path = tmp_path / "page.html"
    path.write_text(text)
    words = [CHROMIUM, "--headless=new", "--no-sandbox", "--disable-gpu", "--virtual-time-budget=5000", "--dump-dom"]
    words += [f"--user-data-dir={tmp_path / 'profile'}", "--window-size=1000,900", path.as_uri()]
    found = subprocess.run(words, capture_output=True, timeout=120, check=True).stdout.decode()
    shutil.rmtree(tmp_path / "profile", ignore_errors=True)
    return re.search(r"<html[^>]*>", found).group()


def pairs():
    first = np.zeros((2, 3, 3), np.float32)
    first[:, 0, 0], first[0, 1, 1], first[1, 1, 2], first[:, 2, 2] = 1, 1, 1, 1
    second = np.zeros((2, 2, 2), np.float32)
    second[:, :, 1] = 1
    made = Pairs()
    made.add(Pair(Alignment(("one", "two", HOSTILE), ("eins", "zwei", "<eos>"), first), "line 1"))
    made.add(Pair(Alignment(("שלום", "עולם"), ("hello", "<eos>"), second), "line 2"))
    return made


def test_a_reader_can_steer_it(tmp_path):
    text = page(pairs(), Heading("run", "word", "word"))
    text = POLICY.sub("", text).replace("</body>", f"<script>{STEER}</script></body>")
    root = shown(text, tmp_path)
    assert "data-failure" not in root
    assert "data-harmed" not in root
    assert json.loads(html.unescape(re.search(r'data-seen="([^"]*)"', root).group(1))) == [
        f"target: 011 000 zwei looked at two 50 %, {HOSTILE} 50 %",
        "left: 000 000 ",
        f"source: 000 011 {HOSTILE} was looked at by end 100 %, zwei 50 %",
        f"second head, tapped: 001 000 zwei looked at {HOSTILE} 100 %",
        "another: 01 00 hello looked at עולם 100 %",
        f"still tapped: 001 000 zwei looked at {HOSTILE} 100 %",
        "escape: 000 000 ",
        f"arrow: 011 000 zwei looked at two 50 %, {HOSTILE} 50 %",
        "focus: two",
        f"focus: {HOSTILE}",
        "right to left: עולם",
        "matrices: 3",
        "open: true,true",
        "found: 1 of 2 false,true",
    ]


def test_the_page_runs_under_its_own_policy(tmp_path):
    root = shown(page(pairs(), Heading(HOSTILE, "word", "word", (HOSTILE,))), tmp_path)
    assert 'data-ready="2"' in root
    assert "data-failure" not in root
    assert "data-harmed" not in root
