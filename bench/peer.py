"""The peer of the training benchmarks: a language model and its loop as one writes them by hand with torch.nn.

The loop is the usual one (as in pytorch/examples, word_language_model, with AdamW): every lane of the text is a row,
chunk follows chunk, the state is carried on detached.
"""

import csv
import platform
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

State = tuple[Tensor, Tensor] | None


class Peer(nn.Module):
    """nn.Embedding, nn.LSTM, nn.Linear.

    `dropout` is nn.LSTM's, between the layers; `outer_dropout` falls on the embeddings and on the outputs.
    """

    def __init__(
        self, vocab: int, embedding: int, hidden: int, layers: int, *, dropout: float = 0.0, outer_dropout: float = 0.0
    ) -> None:
        super().__init__()
        self.embedding = nn.Embedding(vocab, embedding)
        self.lstm = nn.LSTM(embedding, hidden, num_layers=layers, dropout=dropout, batch_first=True)
        self.linear = nn.Linear(hidden, vocab)
        self.drop = nn.Dropout(outer_dropout)

    def forward(self, inputs: Tensor, state: State) -> tuple[Tensor, State]:
        outputs, state = self.lstm(self.drop(self.embedding(inputs)), state)
        return self.linear(self.drop(outputs)), state


def train(
    model: Peer, ids: Tensor, *, lanes: int, steps: int, learning_rate: Callable[[int], float], clip: float
) -> Iterator[float]:
    """Passes over the text, without end; gives the mean loss of each update."""
    optimiser = torch.optim.AdamW(model.parameters(), lr=learning_rate(0))
    length = (len(ids) - 1) // lanes
    inputs, targets = (ids[shift : shift + lanes * length].view(lanes, length).long() for shift in (0, 1))
    update = 0
    while True:
        state: State = None
        for start in range(0, length, steps):
            x, y = inputs[:, start : start + steps], targets[:, start : start + steps]
            if state is not None:
                state = state[0].detach(), state[1].detach()
            for group in optimiser.param_groups:
                group["lr"] = learning_rate(update)
            model.train()
            optimiser.zero_grad()
            logits, state = model(x, state)
            loss = F.cross_entropy(logits.flatten(0, 1), y.flatten())
            loss.backward()
            nn.utils.clip_grad_norm_(model.parameters(), clip)
            optimiser.step()
            update += 1
            yield loss.item()


def seconds(stream: Iterator[Any], updates: int) -> float:
    """What so many updates take."""
    start = time.perf_counter()
    for _ in range(updates):
        next(stream)
    return time.perf_counter() - start


def machine() -> dict[str, Any]:
    """What a figure depends on besides the code."""
    info = Path("/proc/cpuinfo")
    lines = info.read_text().splitlines() if info.exists() else []
    names = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
    cpu = names[0] if names else platform.processor()
    return {"torch": torch.__version__, "threads": torch.get_num_threads(), "cpu": cpu}


def write(path: Path, rows: list[dict[str, Any]]) -> None:
    """Writes rows as CSV, with a head."""
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
