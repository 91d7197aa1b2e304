"""Every recipe says of what its losses and its validation are."""

import pytest

from throughtime.recipes import Act, Classify, Forecast, Perceptron, Sentences, Tag, Translate

SAID = [
    (Classify(train="x.csv"), "nats", "share of wrong texts"),
    (Classify(train="x.ts"), "nats", "share of wrong series"),
    (Classify(train="x.csv", best="nats"), "nats", "nats per text"),
    (Classify(train="x.csv", labels="multiple"), "nats", "nats per text"),
    (Perceptron(train="x.csv", loss="mse"), None, None),
    (Sentences(text="x"), "nats", "nats per word"),
    (Sentences(text="x", unit="subword"), "nats", "nats per subword"),
    (Tag(train="x"), "nats", "1 − F1 of entities, or share of wrong tags"),
    (Tag(train="x", scheme="none"), "nats", "share of wrong tags"),
    (Act(env="CartPole-v1"), "loss", "minus the mean return"),
    (Act(demonstrations="x"), "loss", "loss per step"),
    (Translate(pairs="x"), "nats", "nats per symbol"),
    (Translate(pairs="x", best="bleu"), "nats", "1 − BLEU / 100"),
    (Forecast(data="x"), "deviations", "deviations per value"),
    (Forecast(data="x", loss="squared"), "squared deviations", "squared deviations per value"),
    (Forecast(data="x", loss="huber"), "Huber's loss", "deviations per value"),
]


@pytest.mark.parametrize(("recipe", "loss", "score"), SAID)
def test_losses_and_validation_have_units(recipe, loss, score):
    assert recipe.loss_unit == (loss or recipe.loss_unit)
    assert recipe.score_unit == (score or f"{recipe.loss_unit} per {recipe.item}")
