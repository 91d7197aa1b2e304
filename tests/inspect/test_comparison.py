"""Comparisons: what people read of them, and a page that asks nothing of any network and runs no word of others."""

import base64
import hashlib
import re
import shutil
import subprocess
from dataclasses import replace
from html.parser import HTMLParser

import pytest

from throughtime.inspect.comparison import Comparison, Judged, Measure, Standing, against, cells, columns
from throughtime.inspect.comparison_page import bars, curves, differences, page, round_numbers

EVIL = '<script>alert("1")</script>'


def runs(*values):
    curve = [(1.0, 0.5), (2.0, 0.75)]
    return [Judged(seed, {"accuracy": v, "macro_f1": None}, 61.0, 9, curve) for seed, v in enumerate(values)]


STANDINGS = [
    Standing(EVIL, {"core": "lstm"}, runs(0.5, 0.6), {}, 1234, 56789, 2e-4, (-0.30, -0.05)),
    Standing("gru", {"core": "gru"}, runs(0.75, 0.77), {}, 1000, 50000, 1e-4),
    Standing("average", {"core": "average"}, runs(0.74), {}, 10, 5000, 1e-5, (-0.04, 0.01)),
    Standing("irnn", {"core": "irnn"}, [], {0: f"{EVIL} is nan"}),
]
FOUND = Comparison([Measure("accuracy"), Measure("macro_f1")], STANDINGS, "text", 200, "terms", "accuracy", [EVIL])


def test_rows_tell_means_deviations_and_differences():
    assert columns(FOUND)[1:4] == ["accuracy, %", "macro F1, %", "against the best"]
    rows = [cells(FOUND, one) for one in STANDINGS]
    assert [row[1] for row in rows] == ["55.00 ± 7.07", "76.00 ± 1.41", "74.00 ± –", "–"]
    assert [row[3] for row in rows] == [
        "−21.00 (−30.00 to −5.00)",
        "best",
        "−2.00 (−4.00 to +1.00), within noise",
        "–",
    ]
    assert rows[0][4:] == ["1,234", "56.8 kB", "61 s", "200 µs"]
    assert rows[3][1:] == ["–"] * 7


def test_the_least_is_best_of_what_falls():
    error = Measure("accuracy", share=False, rising=False)
    found = replace(FOUND, measures=[error])
    assert found.best is STANDINGS[0]
    assert against(found, STANDINGS[1]) == "+0.2100"
    assert cells(found, STANDINGS[1])[1] == "0.7600 ± 0.0141"


class Reader(HTMLParser):
    def __init__(self):
        super().__init__()
        self.tags, self.data = [], ""

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data):
        self.data += data


def test_a_page_asks_nothing_of_any_network_and_runs_our_script_alone():
    text = page(FOUND, title=EVIL)
    reader = Reader()
    reader.feed(text)
    names = [tag for tag, _ in reader.tags]
    assert names.count("script") == 1
    assert reader.data.count(EVIL) >= 4  # as text: the title, the row, the note, the legend
    for tag, attributes in reader.tags:
        assert {"src", "srcset", "onclick", "style"}.isdisjoint(attributes), tag
        assert attributes.get("href", "data:,") == "data:,"
    assert not re.search(r"https?:|url\(|@import", text)
    policy = next(a["content"] for _, a in reader.tags if a.get("http-equiv") == "Content-Security-Policy")
    for kind, tag in (("script", "script"), ("style", "style")):
        body = re.search(f"<{tag}>(.*?)</{tag}>", text, re.DOTALL)[1]
        assert f"{kind}-src 'sha256-{base64.b64encode(hashlib.sha256(body.encode()).digest()).decode()}'" in policy


@pytest.mark.parametrize(("item", "items"), [("text", "200 texts that no"), ("series", "200 series that no")])
def test_the_verdict_says_on_how_many_of_what(item, items):
    assert items in page(replace(FOUND, item=item), title="some")


def test_cells_carry_what_they_are_sorted_by():
    text = page(FOUND, title="some")
    body = text[text.index("<tbody>") : text.index("</tbody>")]
    rows = [re.findall(r'data-key="([^"]*)"', row) for row in body.split("<tr")[1:]]
    assert [row[1] for row in rows] == ["0.55", "0.76", "0.74", ""]
    assert [row[4] for row in rows] == ["1234", "1000", "10", ""]
    assert re.findall(r'<tr class="best">\s*<th[^>]*>.*?<bdi>(.*?)</bdi>', body) == ["gru"]


def test_the_script_sorts():
    node = shutil.which("node")
    if node is None:
        pytest.skip("node is not installed")
    from importlib import resources

    script = resources.files("throughtime.inspect").joinpath("comparison.js").read_text()
    keys = [["b", "2"], ["a", ""], ["c", "10"]]
    harness = f"""
    const table = {{ rows: {keys}.map(some => ({{ cells: some.map(key => ({{ dataset: {{ key }} }})) }})) }};
    table.append = (...sorted) => {{ table.rows = sorted; }};
    const heads = [0, 1].map(() => {{
      const head = {{ sort: "none", getAttribute: () => head.sort, setAttribute: (_, to) => {{ head.sort = to; }} }};
      head.querySelector = () => ({{ addEventListener: (_, press) => {{ head.press = press; }} }});
      return head; }});
    globalThis.document = {{ querySelector: () => table, querySelectorAll: () => heads }};
    {script}
    for (const column of [1, 1, 0, 0]) {{
      heads[column].press();
      console.log(table.rows.map(row => row.cells[0].dataset.key).join("") + heads.map(h => h.sort[0]).join(""));
    }}"""
    said = subprocess.run([node, "-e", harness], capture_output=True, text=True, check=True).stdout.split()
    assert said == ["cband", "bcana", "abcan", "cbadn"]


def test_bars_stand_in_proportion_and_whiskers_are_deviations():
    chart = bars(FOUND, FOUND.measures[0])
    one, two, alone, none = chart.bars
    scale = one.width / 0.55
    assert [bar.width for bar in (two, alone, none)] == pytest.approx([0.76 * scale, 0.74 * scale, 0])
    deviation = STANDINGS[0].deviation(FOUND.measures[0])
    low, high = one.whisker
    assert high - low == pytest.approx(2 * deviation * scale)
    assert (alone.whisker, none.whisker, none.dots, none.shown) == (None, None, [], "–")
    assert [tick.shown for tick in chart.ticks] == ["0", "20", "40", "60", "80"]
    assert bars(FOUND, FOUND.measures[1]).bars[0].shown == "–"


def test_differences_are_drawn_around_none():
    (chart,) = differences(FOUND)
    assert [bar.name for bar in chart.bars] == [EVIL[:19] + "…", "average"]
    zero = next(tick.at for tick in chart.ticks if tick.shown == "0")
    assert zero == pytest.approx(chart.zero)
    low, high = chart.bars[1].whisker
    assert low < chart.bars[1].dots[0] < zero < high
    assert differences(replace(FOUND, standings=STANDINGS[1:2])) == []


def test_curves_end_where_training_did():
    drawn = curves(FOUND)
    assert len(drawn.lines) == 5
    points = [tuple(map(float, point.split(","))) for point in drawn.lines[0].points.split()]
    assert points[0][0] < points[1][0]
    assert points[0][1] > points[1][1]  # upwards is less
    assert curves(replace(FOUND, standings=STANDINGS[3:])) is None
    many = replace(STANDINGS[1], runs=[Judged(0, {}, 9.0, 9, [(float(i), i / 1e4) for i in range(10_000)])])
    assert 200 < len(curves(replace(FOUND, standings=[many])).lines[0].points.split()) < 400
    assert page(replace(FOUND, standings=STANDINGS[3:], notes=[]), title="none")


@pytest.mark.parametrize(("low", "high"), [(0.0, 1e-9), (0.5, 0.5), (0.0, 0.0), (-3.0, 2.0), (0.61, 0.6101), (0, 7e6)])
def test_axes_reach_from_round_numbers_to_round_numbers(low, high):
    ticks = round_numbers(low, high)
    assert ticks[0] <= low + 1e-12
    assert ticks[-1] >= high - 1e-12 * max(1, high)
    assert 2 <= len(ticks) <= 9
