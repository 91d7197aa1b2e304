"""Makes the golden run: a small trained model that every later version must read, and that must say the same words.

Run it only for a new format, beside the old one: python tests/golden/make.py tests/golden/format-1
"""

import json
import random
import sys
import tempfile
from pathlib import Path

import throughtime
from throughtime.train import fit

PLACES = ["house", "river", "garden", "kitchen", "school"]
STORY = "Mary went to the river. Where is Mary? In the river.\n"
NAMES = ["Mary", "John", "Daniel", "Sandra"]


def text() -> str:
    """Stories of who went where."""
    chance = random.Random(0)
    lines = []
    for _ in range(400):
        name, place = chance.choice(NAMES), chance.choice(PLACES)
        lines.append(f"{name} went to the {place}. Where is {name}? In the {place}.\n")
    return "".join(lines)


def main(out: Path) -> None:
    """Trains, and writes down what the model says."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "stories.txt"
        path.write_text(text())
        recipe = throughtime.Language(
            text=path, hidden=24, layers=1, embedding=8, lanes=8, steps=32, epochs=12, learning_rate=0.02, dropout=0.0
        )
        for _ in fit(recipe, out):
            pass
    for name in ("recipe.json", "data.json"):
        body = (out / name).read_text().replace(str(path.parent), "/made/here")
        (out / name).write_text(body)
    from throughtime import folder as folders

    names = folders.read_manifest(out).files
    folders.write_files(out, {name: (out / name).read_bytes() for name in names}, status="finished")
    writer = throughtime.load(out)
    words = {
        "generated": writer.generate("Mary went to the ", length=60, temperature=0.0),
        "sampled": writer.generate("John", length=60, temperature=0.7, seed=1),
        "nats": writer.score(STORY).nats,
    }
    (out.parent / f"{out.name}.json").write_text(json.dumps(words, indent=2) + "\n")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
