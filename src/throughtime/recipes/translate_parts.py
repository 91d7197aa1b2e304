"""The model of a translator, part by part, from the settings of its recipe."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

from throughtime.recipes.parts import both_ways, one_way
from throughtime.recipes.translate_checks import recurrent

if TYPE_CHECKING:
    from collections.abc import Callable

    from throughtime.layers import Attend, Core, Design, Score, Where
    from throughtime.models.translation import Decoder, TranslationModel
    from throughtime.recipes.cells import CellName
    from throughtime.recipes.translate import Translate


def translation_model(recipe: Translate, sources: int, targets: int, end: int) -> TranslationModel:
    """A new model for so many symbols of sources and targets."""
    from torch import nn

    from throughtime.heads import Softmax
    from throughtime.layers import Bridge
    from throughtime.models.translation import Encoder, Reader, TranslationModel

    readers = [
        Reader(nn.Embedding(vocab, recipe.embedding), dropout=recipe.dropout, word_dropout=recipe.word_dropout)
        for vocab in (sources, targets)
    ]
    for reader in readers:
        nn.init.normal_(reader.embedding.weight, std=recipe.embedding**-0.5)
    if recipe.shared:
        readers[0].embedding = readers[1].embedding
    core = _encoder(recipe)
    inner = _inner(recipe) if recurrent(recipe) else None
    bridge = None if inner is None else Bridge(core, inner)
    encoder = Encoder(readers[0], core, bridge, dropout=recipe.dropout)
    decoder = _self_attentive(recipe, core) if inner is None else _attentive(recipe, core, inner)
    head = Softmax(
        decoder.hidden, targets, tied=cast("nn.Parameter", readers[1].embedding.weight) if recipe.tied else None
    )
    return TranslationModel(
        encoder,
        readers[1],
        decoder,
        head,
        end=end,
        dropout=recipe.dropout,
        smoothing=recipe.smoothing,
        feedback=recipe.feedback,
    )


def _encoder(recipe: Translate) -> Core[Any]:
    """What reads sources."""
    if recipe.encoder == "self-attention":
        from throughtime.layers import TransformerEncoder

        return TransformerEncoder(
            recipe.embedding,
            recipe.hidden,
            layers=recipe.layers,
            heads=recipe.self_heads,
            positions=recipe.positions,
            dropout=recipe.dropout,
            design=_design(recipe),
        )
    make = both_ways if recipe.both else one_way
    return make(recipe.encoder, recipe.embedding, recipe.hidden, recipe.layers, dropout=recipe.dropout)


def _inner(recipe: Translate) -> Core[Any]:
    """What is recurrent in a decoder: it reads a symbol, and with feeding what it saw at the step before."""
    width = recipe.embedding + (_readout(recipe) if recipe.feeding else 0)
    return one_way(cast("CellName", recipe.decoder), width, recipe.hidden, recipe.layers, dropout=recipe.dropout)


def _readout(recipe: Translate) -> int:
    """The width of what the softmax sees."""
    return recipe.embedding if recipe.tied else recipe.hidden


def _attentive(recipe: Translate, encoder: Core[Any], inner: Core[Any]) -> Decoder:
    from throughtime.layers import Attentive

    attend = None if recipe.attention == "none" else _attend(recipe, encoder.hidden)
    return Attentive(inner, attend, hidden=_readout(recipe), feeding=recipe.feeding)


def _attend(recipe: Translate, width: int) -> Attend:
    """How a step looks at a source whose places have this width."""
    from throughtime.layers import Attend

    scores = [_score(recipe, width) for _ in range(recipe.attend_heads)]
    return Attend(scores, _where(recipe), join=recipe.join, coverage=recipe.coverage)


def _score(recipe: Translate, width: int) -> Score:
    from throughtime import layers

    query, each = recipe.hidden, max(1, recipe.hidden // recipe.attend_heads)
    kinds: dict[str, Callable[[], Score]] = {
        "additive": lambda: layers.Additive(query, width, each),
        "dot": lambda: layers.Dot(query, width),
        "general": lambda: layers.General(query, width),
        "scaled": lambda: layers.ScaledDot(query, width, each),
        "cosine": lambda: layers.Cosine(query, width, each),
    }
    return kinds[recipe.attention]()


def _where(recipe: Translate) -> Where:
    from throughtime import layers

    kinds: dict[str, Callable[[], Where]] = {
        "global": layers.Global,
        "local": lambda: layers.Local(recipe.window),
        "local-predicted": lambda: layers.LocalPredicted(recipe.hidden, recipe.window),
        "hard": layers.Hard,
        "hard-reinforce": lambda: layers.Reinforced(recipe.hidden),
    }
    return kinds[recipe.attend]()


def _self_attentive(recipe: Translate, encoder: Core[Any]) -> Decoder:
    from throughtime.layers import TransformerDecoder

    return TransformerDecoder(
        recipe.embedding,
        recipe.hidden,
        memory=encoder.hidden,
        layers=recipe.layers,
        heads=recipe.self_heads,
        positions=recipe.positions,
        dropout=recipe.dropout,
        design=_design(recipe),
    )


def _design(recipe: Translate) -> Design:
    """Layers as they are by themselves; of positions that are learnt, as many as a line and its end may have."""
    from throughtime.layers import Design

    return Design(places=recipe.longest + 1)
