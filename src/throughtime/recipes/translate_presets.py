"""Settings of the recipe `translate` that suit a task, by its name."""

from typing import Any, Literal

PresetName = Literal["date", "spelling", "translation", "summary"]

PRESETS: dict[str, dict[str, Any]] = {
    "date": {
        "unit": "character",
        "hidden": 128,
        "embedding": 64,
        "dropout": 0.1,
        "tokens": 2048,
        "best": "exact",
        "epochs": 2,
        "beam": 1,
        "learning_rate": 0.004,
    },
    "spelling": {
        "source_unit": "character",
        "target_unit": "word",
        "encoder": "lstm",
        "decoder": "lstm",
        "hidden": 256,
        "embedding": 128,
        "dropout": 0.2,
        "tokens": 2048,
        "best": "exact",
        "epochs": 6,
        "learning_rate": 0.003,
        "evaluate_every": 1000,
    },
    "translation": {
        "unit": "subword",
        "maximum_vocab": 4000,
        "hidden": 320,
        "embedding": 256,
        "dropout": 0.4,
        "word_dropout": 0.1,
        "tokens": 2048,
        "best": "bleu",
        "epochs": 20,
        "evaluate_every": 1000,
    },
    "summary": {
        "unit": "subword",
        "shared": True,
        "longest": 4000,
        "hidden": 256,
        "embedding": 256,
        "coverage": False,
        "dropout": 0.3,
        "best": "nats",
        "epochs": 20,
        "alpha": 1.0,
    },
}
