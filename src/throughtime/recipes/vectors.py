"""The recipe of a table of word vectors: every setting, and how the parts are made from it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from throughtime.errors import ArgumentError

if TYPE_CHECKING:
    from throughtime.data.texts import Texts
    from throughtime.vectors.cooccurrence import Counts
    from throughtime.vectors.corpus import Corpus
    from throughtime.vectors.progress import Progress
    from throughtime.vectors.ranks import Ranks
    from throughtime.vectors.word2vec import Join, State, Word2Vec

Method = Literal["skipgram", "cbow", "glove", "svd", "fasttext"]
LEARNED = ("skipgram", "cbow", "fasttext")  # from the text itself
COUNTED = ("glove", "svd")  # from counts of words beside words
STDIN = Path("-")

# The methods that have a setting; all have the others.
METHODS: dict[str, tuple[str, ...]] = {
    "objective": LEARNED,
    "negatives": LEARNED,
    "shared_negatives": LEARNED,
    "sample": LEARNED,
    "mean": ("cbow",),
    "shortest": ("fasttext",),
    "longest": ("fasttext",),
    "buckets": ("fasttext",),
    "side": COUNTED,
    "weighting": COUNTED,
    "memory_gb": COUNTED,
    "maximum": ("glove",),
    "power": ("glove",),
    "association": ("svd",),
    "shift": ("svd",),
    "smoothing": ("svd",),
    "eigenvalues": ("svd",),
    "epochs": (*LEARNED, "glove"),
    "learning_rate": (*LEARNED, "glove"),
    "deterministic": (*LEARNED, "glove"),  # which always is
}


class Vectors(BaseModel):
    """A table of word vectors, learned from a text."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    text: Path = Field(description="the text: a file (.gz too), a table (.csv .tsv .jsonl .parquet), a folder, or -")
    column: str | None = Field(None, description="of a table: the column with the texts")
    invalid_bytes: Literal["refuse", "skip"] = Field(
        "refuse", description="what to do with bytes that are not UTF-8: refuse the file, or skip and count them"
    )
    lower: bool = Field(False, description="turn all letters into small ones")
    token: str | None = Field(None, description="a regular expression that finds words (else they end at white space)")
    minimum_count: int = Field(5, ge=1, description="words seen less often are left out, and counted")
    maximum_vocab: int | None = Field(None, ge=2, description="most words of the vocabulary; the rest is left out")

    method: Method = Field("skipgram", description="how vectors are learned")
    dimension: int = Field(100, ge=1, le=65536, description="numbers of a vector")
    window: int = Field(5, ge=1, le=1024, description="words on each side that count as beside")
    epochs: int | None = Field(None, ge=1, description="passes over the text (5), or over the counts (glove: 25)")
    learning_rate: float | None = Field(
        None, gt=0, description="at the beginning (skipgram, fasttext 0.025; cbow, glove 0.05)"
    )
    objective: Literal["negative", "hierarchical", "softmax"] = Field(
        "negative", description="of word2vec: negative sampling, a tree, or all words (for small vocabularies)"
    )
    negatives: int | None = Field(
        None, ge=1, le=1024, description="wrong words for each right one (10 under 1 M words, 3 from 1,000 M, else 5)"
    )
    shared_negatives: bool = Field(True, description="one draw of negatives for all words of a window: faster")
    sample: float = Field(1e-3, ge=0, lt=1, description="words of a larger share of the text are left out now and then")
    mean: bool = Field(True, description="of cbow: the mean of a window's vectors, else their sum")
    shortest: int = Field(3, ge=1, description="of fasttext: letters of the shortest parts of words")
    longest: int = Field(6, ge=1, description="of fasttext: letters of the longest parts")
    buckets: int = Field(2_000_000, ge=1, le=2**28, description="of fasttext: numbers that parts are hashed to")
    side: Literal["both", "left", "right"] = Field("both", description="of counts: on which side words are beside")
    weighting: Literal["distance", "none"] = Field("distance", description="of counts: 1/distance, or 1 for each pair")
    memory_gb: float = Field(2.0, gt=0, description="of counts: memory that counting may take, in units of 10^9 bytes")
    maximum: float = Field(100.0, gt=0, description="of glove: the count from which pairs weigh no more (x_max)")
    power: float = Field(0.75, gt=0, le=1, description="of glove: the power by which weights rise up to there")
    association: Literal["raw", "log", "pmi", "ppmi"] = Field("ppmi", description="of svd: what counts are turned into")
    shift: float = Field(1.0, gt=0, description="of svd: k, where log k is taken off each pmi")
    smoothing: float = Field(0.75, gt=0, le=1, description="of svd: power of the frequencies of contexts")
    eigenvalues: float = Field(0.5, ge=0, description="of svd: power of the singular values")
    deterministic: bool = Field(
        False, description="the same bits with any number of threads; word2vec takes three times the memory for it"
    )
    seed: int = Field(0, ge=0, lt=2**32, description="of everything random")

    @model_validator(mode="after")
    def _consistent(self) -> Vectors:
        for name, methods in METHODS.items():
            if self.method not in methods and getattr(self, name) != type(self).model_fields[name].default:
                raise ValueError(f"{name} is for --method {', '.join(methods)}; got --method {self.method}")
        if self.longest < self.shortest:
            raise ValueError(f"longest must be at least shortest; got {self.longest} and {self.shortest}")
        if self.objective != "negative" and self.negatives is not None:
            raise ValueError(f"negatives is for --objective negative; got --objective {self.objective}")
        for name in ("text", "column", "token"):
            if any("\ud800" <= letter <= "\udfff" for letter in str(getattr(self, name))):
                raise ValueError(f"{name} has bytes that are not UTF-8, and cannot be noted; give another name")
        return self

    @property
    def identity(self) -> dict[str, Any]:
        """The settings that make a table the table it is: all but where the text lies, and what memory there was."""
        return self.model_dump(mode="json", exclude={"text", "memory_gb"})

    def texts(self) -> Texts:
        """The text, to be read. Raises `DataError` and `ArgumentError` when there is none."""
        from throughtime.data.texts import Texts

        source = None if self.text == STDIN else self.text
        return Texts.open(source, column=self.column, invalid_bytes=self.invalid_bytes)

    def corpus(
        self, folder: Path, tell: Callable[[int, int], None] | None = None, ranks: Ranks | None = None
    ) -> Corpus:
        """The text as numbers, or one process's share of it, which are kept in `folder`.

        Raises `DataError` when it is not one to learn from.
        """
        from throughtime.vectors.corpus import read_corpus

        if ranks is not None:
            self._refuse_to_share()
        texts, least, most = self.texts(), self.minimum_count, self.maximum_vocab
        if ranks is not None:
            return ranks.corpus(
                texts, folder, token=self.token, lower=self.lower, minimum_count=least, maximum_vocab=most, tell=tell
            )
        return read_corpus(
            texts, folder, token=self.token, lower=self.lower, minimum_count=least, maximum_vocab=most, tell=tell
        )

    def train(
        self,
        corpus: Corpus,
        *,
        threads: int = 1,
        state: State | None = None,
        join: Join | None = None,
        folder: Path | None = None,
    ) -> Iterator[Progress]:
        """Learns the table; the last of what it yields has it. `state` and `join` are those of `Word2Vec.train`.

        Counts that do not fit into memory are kept in files without a name in `folder`.
        """
        if self.method in LEARNED:
            deterministic = self.deterministic
            return self.word2vec.train(corpus, threads=threads, deterministic=deterministic, state=state, join=join)
        if join is not None:
            self._refuse_to_share()
        learn = self._glove if self.method == "glove" else self._svd
        return learn(corpus, threads, folder)

    @property
    def word2vec(self) -> Word2Vec:
        """What trains the methods that learn from the text itself."""
        from throughtime.vectors.word2vec import Word2Vec

        return Word2Vec(
            architecture="cbow" if self.method == "cbow" else "skipgram",
            objective=self.objective,
            dimension=self.dimension,
            window=self.window,
            negatives=self.negatives,
            shared=self.shared_negatives,
            mean=self.mean,
            sample=self.sample,
            epochs=self.epochs or 5,
            learning_rate=self.learning_rate,
            subwords=(self.shortest, self.longest, self.buckets) if self.method == "fasttext" else None,
            seed=self.seed,
        )

    def _refuse_to_share(self) -> None:
        if self.method not in LEARNED:
            raise ArgumentError(f"several processes train {', '.join(LEARNED)} together; got --method {self.method}")

    def _counts(self, corpus: Corpus, threads: int, folder: Path | None) -> Counts:
        """Words beside words, in bounded memory."""
        from throughtime.vectors.cooccurrence import cooccur

        return cooccur(
            corpus,
            window=self.window,
            side=self.side,
            weighting=self.weighting,
            memory_bytes=int(self.memory_gb * 1e9),
            threads=threads,
            folder=folder,
        )

    def _glove(self, corpus: Corpus, threads: int, folder: Path | None) -> Iterator[Progress]:
        from throughtime.vectors.glove import glove

        yield from glove(
            self._counts(corpus, threads, folder),
            dimension=self.dimension,
            epochs=self.epochs or 25,
            learning_rate=self.learning_rate or 0.05,
            maximum=self.maximum,
            power=self.power,
            threads=threads,
            seed=self.seed,
        )

    def _svd(self, corpus: Corpus, threads: int, folder: Path | None) -> Iterator[Progress]:
        import time

        from throughtime.vectors.progress import Progress
        from throughtime.vectors.svd import svd

        began = time.perf_counter()
        table = svd(
            self._counts(corpus, threads, folder),
            dimension=self.dimension,
            weighting=self.association,
            shift=self.shift,
            smoothing=self.smoothing,
            eigenvalues=self.eigenvalues,
            seed=self.seed,
        )
        yield Progress(1.0, 1, corpus.words, time.perf_counter() - began, None, lambda: table)
