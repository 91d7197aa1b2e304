"""Evaluations of these tests write a line, not a page: with types checked, a page takes longer than all the updates."""

import pytest

from throughtime import Language
from throughtime.models import Writer


@pytest.fixture(autouse=True)
def _brief(monkeypatch):
    def sample(self, model, data, *, final):
        return Writer(model, data.units).generate(length=12, temperature=0.8, seed=self.seed)

    monkeypatch.setattr(Language, "sample", sample)
