"""The recipe of a tagger: every setting, and how the parts of a model are made from it.

Its data are made in `tag_data.py`, what is said of a run in `tag_notes.py`.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal, cast

from pydantic import Field, model_validator

from throughtime.recipes import fields, tag_notes
from throughtime.recipes.cells import CellName
from throughtime.recipes.parts import check_attention, device_of
from throughtime.recipes.pretrained import Pretrainable
from throughtime.recipes.read import OptionalPlace, Place
from throughtime.recipes.tagged import Learned, Reading, SchemeName, divide, read_tagged, settle

if TYPE_CHECKING:
    from torch import Tensor, nn

    from throughtime.data.lexicon import Sizes, View
    from throughtime.data.tokens import TokenBatches
    from throughtime.layers import Core
    from throughtime.layers.words import Speller, WordVectors
    from throughtime.metrics import Scheme
    from throughtime.models.tagger import Tagger, TaggingScore
    from throughtime.models.tagging import TaggingModel
    from throughtime.recipes.tag_data import TagData

QUICK_TOKENS = 30_000  # of the held-out part, at most, that are judged while training
CASING, AFFIX, LETTER = 8, 16, 30  # widths of embeddings
OF_LETTERS = {"characters": "none", "affixes": 0, "casing": False, "lower": False, "minimum_count": 1}


class Tag(Pretrainable):
    """A tagger: it learns a tag for each word of a sentence, or each letter, such as parts of speech or entities."""

    makes: ClassVar[str] = "a tagger"
    shows: ClassVar[str] = "its surest mistakes"
    item: ClassVar[str] = "token"
    places: ClassVar[frozenset[str]] = frozenset({"train", "valid", "pretrained"})
    besides: ClassVar[Mapping[str, Any]] = {"lower": False, "casing": False, "affixes": 0, "characters": "none"}

    application: Literal["tag"] = Field("tag", description="which recipe this is")
    train: Place = Field(description="tagged sentences: CoNLL-U, or a token a line in columns (.gz too)")
    valid: OptionalPlace = Field(None, description="sentences to validate on, instead of a part of --train")
    held_out: float = Field(0.1, gt=0, lt=1, description="share of the sentences of --train held out to validate on")
    column: str | None = Field(None, description="the column of tags: upos, ner, ... or a number (else the last, upos)")
    token_column: str | None = Field(None, description="the column of tokens, by name or number (else form, or 0)")
    unit: Literal["word", "character"] = Field("word", description="what gets a tag: tokens, or the letters of tokens")
    longest: int = Field(10_000, ge=1, le=2**24, description="tokens of a sentence, at most: none is cut")

    scheme: SchemeName | Literal["none"] | None = Field(
        None, description="of tags that are of entities (found by itself); none: tags are taken as they are"
    )
    convert: SchemeName | None = Field(None, description="the scheme to learn in; all that is shown is in the file's")
    repair: bool = Field(False, description="mend tags that break their scheme, as conlleval reads them")

    head: Literal["softmax", "crf"] = Field("softmax", description="each tag for itself, or all of a sentence together")
    recall: float = Field(
        0.0, ge=0, le=100, description="of --head crf: nats that a missed entity costs; more are found"
    )
    lower: bool = Field(True, description="words in small letters, their digits as 0")
    casing: bool = Field(True, description="how a word is written is seen: small, capital, digits, ...")
    affixes: int = Field(3, ge=0, le=8, description="letters from each end of a word that are seen (0: none)")
    characters: Literal["convolution", "recurrent", "none"] = Field("convolution", description="how letters are read")
    filters: int = Field(30, ge=1, le=4096, description="of letters: filters of each width, or units of each direction")
    minimum_count: int = Field(2, ge=1, description="words seen less often in training are <unk>")
    maximum_vocab: int | None = Field(None, ge=1, le=200_000, description="most words of the vocabulary from --train")

    core: CellName | Literal["self-attention"] = Field("lstm", description="the recurrent cell, or a transformer")
    both: bool = Field(True, description="read from both ends")
    hidden: fields.Hidden = 128
    layers: fields.Layers = 1
    heads: fields.Heads = 4
    positions: fields.Positions = "rotary"
    dropout: fields.Rate = Field(0.4, description="of the vectors of words and of what the core gives")
    word_dropout: fields.Rate = Field(0.1, description="words that are read as <unk> while training")

    rows: int = Field(32, ge=1, le=65536, description="sentences of a batch")
    learning_rate: fields.LearningRate = 0.004
    evaluate_every: fields.EvaluateEvery = 400

    @model_validator(mode="before")
    @classmethod
    def _by_unit(cls, values: Any) -> Any:
        if isinstance(values, dict) and values.get("unit") == "character":
            return {**OF_LETTERS, **values}
        return values

    @model_validator(mode="after")
    def _consistent(self) -> Tag:
        if self.convert and self.scheme == "none":
            raise ValueError(f"convert needs tags of a scheme; got --convert {self.convert} and --scheme none")
        if self.repair and self.scheme == "none":
            raise ValueError("repair needs tags of a scheme; got --scheme none")
        if self.recall and (self.head != "crf" or self.scheme == "none"):
            raise ValueError(f"recall needs --head crf and tags of a scheme; got {self.recall}, --head {self.head}")
        if self.characters == "none" and self.filters != type(self).model_fields["filters"].default:
            raise ValueError(f"filters is for --characters convolution or recurrent; got {self.filters} and none")
        check_attention(self)
        return self

    @property
    def reads(self) -> Path:
        """What is read."""
        return self.train

    @property
    def score_unit(self) -> str:
        """Of that by which the best weights are chosen."""
        return "share of wrong tags" if self.scheme == "none" else "1 − F1 of entities, or share of wrong tags"

    def advice(self, out: Path) -> tuple[str, ...]:
        """What may be done with a run."""
        return tuple(f"throughtime {words}" for words in (f"predict {out} FILE", f"stream {out}", f"evaluate {out}"))

    @property
    def made_of(self) -> str:
        """The model, for people."""
        letters = {"convolution": ", letters by a convolution", "recurrent": ", letters by an LSTM", "none": ""}
        ways = ", from both ends" if self.both else ""
        if self.core == "self-attention":
            ways = f", heads {self.heads}, {self.positions} positions"
        head = "a random field over tags" if self.head == "crf" else "each tag for itself"
        return f"{self.core}, {self.layers} × {self.hidden}{ways}{letters[self.characters]}; {head}"

    @property
    def reading(self) -> Reading:
        """How files are read."""
        return Reading(self.token_column, self.column, self.unit == "character", self.longest)

    def data(self) -> TagData:
        """Reads the sentences, settles their scheme, learns the vocabularies, and counts what they lack.

        Raises `DataError` when a file is missing or malformed, and as `divided` does.
        """
        from throughtime.recipes.tag_data import learn

        return learn(self, self.divided())

    def divided(self) -> Learned:
        """The sentences to learn from and those that are held out. Raises `DataError` as `divide` and `settle` do."""
        paths = [self.train, self.valid] if self.valid else [self.train]
        files = [read_tagged(path, self.reading) for path in paths]
        (train, *others), scheme = settle(files, self.scheme, repair=self.repair)
        valid = others[0] if others else None
        return Learned(*divide(train, valid, held_out=self.held_out, seed=self.seed), scheme)

    @property
    def view(self) -> View:
        """What is looked at in a word."""
        from throughtime.data.lexicon import View

        letters = self.characters != "none"
        return View(plain=self.lower, casing=self.casing, affixes=self.affixes, letters=letters)

    def begin(self, data: TagData, kept: Path | None) -> TagData:
        """The data, with the vectors that the embeddings begin with, if with any; what only they know is a word too."""
        from throughtime.recipes.tag_data import knowing, known_before, recoded
        from throughtime.vectors.table import Table

        if (begun := self.begun(kept)) is not None:
            return recoded(data, begun)
        if self.vectors is None:
            return data
        table = Table.load(self.vectors) if kept is None else None
        data = knowing(self, data, table.words) if table else known_before(data, cast("Path", kept))
        return self.taking(data, data.lexicon.listed, kept, table)

    def batches(self, data: TagData) -> TokenBatches:
        """The training part in batches of about the same length."""
        import torch

        from throughtime.data.lexicon import WordTable
        from throughtime.data.tokens import TokenBatches
        from throughtime.metrics import convert_tags

        table, index = WordTable(data.lexicon), {tag: number for number, tag in enumerate(data.tags)}
        sentences = [torch.from_numpy(table.rows(tokens)) for tokens in data.train.tokens]
        targets: list[Tensor] = []
        for tags in data.train.tags:
            other = data.scheme is not None and data.learned is not None and data.learned != data.scheme
            learned = convert_tags(tags, cast("Scheme", data.scheme), cast("Scheme", data.learned)) if other else tags
            targets.append(torch.tensor([index[tag] for tag in learned]))
        return TokenBatches(table, sentences, targets, rows=self.rows, seed=self.seed)

    def model(self, data: TagData) -> TaggingModel:
        """A new model, on the device; its embeddings are the vectors that were taken, if any were."""
        model = self.settled(data).model_of(data.lexicon.sizes, data.tags, data.learned)
        if data.taken is not None:
            data.taken.fill(model.words.embedding)
        if data.pretrained is not None:
            data.pretrained.fill(model.words.embedding, cast("Any", model.core), data.units_of_rows)
        return model.to(device_of(self.device))

    def model_of(self, sizes: Sizes, tags: list[str], learned: Scheme | None) -> TaggingModel:
        """A new model for vocabularies of those sizes and these tags."""
        import torch

        from throughtime.heads import CRF
        from throughtime.heads.classes import Classes
        from throughtime.metrics import transitions
        from throughtime.models.tagging import TaggingModel

        words = self._words(sizes)
        core = self._core(words.width)
        head: Classes | CRF = Classes(core.hidden, len(tags))
        if self.head == "crf":
            forbidden = None if learned is None else torch.tensor(transitions(tags, learned).whole, device="cpu")
            head = CRF(core.hidden, len(tags), forbidden=forbidden)
        outside = tags.index("O") if self.recall and "O" in tags else 0
        return TaggingModel(words, core, head, dropout=self.dropout, recall=self.recall, outside=outside)

    def _core(self, width: int) -> Core[Any]:
        from throughtime.recipes.parts import both_ways, one_way, self_attention

        if self.core == "self-attention":
            return self_attention(width, self.hidden, self.layers, self.heads, self.positions, self.dropout)
        make = both_ways if self.both else one_way
        return make(self.core, width, self.hidden, self.layers, dropout=self.dropout)

    def _words(self, sizes: Sizes) -> WordVectors:
        from throughtime.layers.characters import CharacterConvolution, CharacterRecurrence
        from throughtime.layers.words import WordVectors

        letters: Speller | None = None
        if self.characters == "convolution":
            letters = CharacterConvolution(sizes.letters, LETTER, self.filters)
        elif self.characters == "recurrent":
            letters = CharacterRecurrence(sizes.letters, LETTER, self.filters)
        widths = [CASING] * self.casing + [AFFIX] * 2 * self.affixes
        features = list(zip(sizes.features, widths, strict=True))
        return WordVectors(sizes.words, self.embedding or 100, features, letters, word_dropout=self.word_dropout)

    def frozen(self, model: TaggingModel, step: int) -> tuple[nn.Parameter, ...]:
        """The embeddings of words, as long as they are frozen."""
        return self.frozen_of(model.words.embedding, step)

    def tagger(self, model: TaggingModel, data: TagData) -> Tagger:
        """The model with its vocabularies; its weights must not change any more."""
        from throughtime.models.tagger import Tagger

        return Tagger(model, data.lexicon, data.tags, scheme=data.scheme, learned=data.learned)

    def score(self, model: TaggingModel, data: TagData, *, quick: bool) -> TaggingScore:
        """How well the held-out sentences are tagged; `quick` looks at about 30,000 tokens of them at most."""
        part = data.valid.thinned(QUICK_TOKENS) if quick else data.valid
        return self.tagger(model, data).score(part.tokens, part.tags)

    def sample(self, model: TaggingModel, data: TagData, *, final: bool) -> str:
        """The mistakes of which the model is surest, in some of the held-out sentences."""
        return tag_notes.mistakes(self.tagger(model, data), data, final=final)

    def tell(self, score: TaggingScore) -> tuple[str, str]:
        """What was judged, and how well it did."""
        return f"{score.tokens:,} held-out tokens", score.sentence()

    def notes(self, data: TagData) -> tuple[str, ...]:
        """What was read, counted and taken from vectors."""
        return tag_notes.notes(self, data)

    def files(self, data: TagData) -> dict[str, bytes]:
        """recipe.json, vocabulary.json and data.json."""
        from throughtime.folder import to_bytes

        return {
            "recipe.json": to_bytes(json.loads(self.settled(data).model_dump_json())),
            "vocabulary.json": to_bytes(data.lexicon.to_json()),
            "data.json": to_bytes(data.facts),
        }

    def card(self, model: TaggingModel, data: TagData, score: Any) -> str:
        """What the model is, what it was made from, and how good it is."""
        return tag_notes.card(self.settled(data), model, data, score)
