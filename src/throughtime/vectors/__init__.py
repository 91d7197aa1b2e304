"""Word vectors: counted, learned, asked, judged, mended, drawn. In the order of the work:

corpus       a text as numbers; numbering gives them, vocabulary cuts and joins
cooccurrence, counting, runs    words beside words, counted in bounded memory
svd, glove   tables from such counts
word2vec     tables from the text itself, by settings in one frozen class; progress is what all training yields
draws, huffman, subwords, rows  what word2vec draws; its tree; parts of words; rows as the loops want them
crew, merging                   threads that learn together; how rows that learned apart become one
checkpoint, ranks               where training stands, on disk; several processes
table        words and their vectors, and what is asked of them: measures, queries, spelling
formats      files, by their endings: store (our folder), lines (text), binary
judge        analogies and similarity: questions, lists and lookup read and find
debias, soften, association     a direction taken out, hard and soft, and what words still lean to
found        words of another vocabulary, looked up for a model that begins with a table

Names are fetched when they are first used. Two functions are called as their rooms are, and are fetched from there:
`throughtime.vectors.glove.glove` and `throughtime.vectors.svd.svd`.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from throughtime.vectors.association import weat as weat
    from throughtime.vectors.cooccurrence import Counts as Counts
    from throughtime.vectors.cooccurrence import cooccur as cooccur
    from throughtime.vectors.corpus import Corpus as Corpus
    from throughtime.vectors.corpus import corpus_of as corpus_of
    from throughtime.vectors.corpus import open_corpus as open_corpus
    from throughtime.vectors.corpus import read_corpus as read_corpus
    from throughtime.vectors.debias import direct_bias as direct_bias
    from throughtime.vectors.debias import direction as direction
    from throughtime.vectors.debias import hard as hard
    from throughtime.vectors.judge import judge_analogies as judge_analogies
    from throughtime.vectors.judge import judge_similarity as judge_similarity
    from throughtime.vectors.progress import Progress as Progress
    from throughtime.vectors.questions import Pairs as Pairs
    from throughtime.vectors.questions import Questions as Questions
    from throughtime.vectors.questions import read_pairs as read_pairs
    from throughtime.vectors.questions import read_questions as read_questions
    from throughtime.vectors.soften import soft as soft
    from throughtime.vectors.subwords import Subwords as Subwords
    from throughtime.vectors.svd import reweigh as reweigh
    from throughtime.vectors.table import Table as Table
    from throughtime.vectors.vocabulary import Vocabulary as Vocabulary
    from throughtime.vectors.word2vec import Word2Vec as Word2Vec

_HOMES = {
    "Corpus": "corpus",
    "Counts": "cooccurrence",
    "Pairs": "questions",
    "Progress": "progress",
    "Questions": "questions",
    "Subwords": "subwords",
    "Table": "table",
    "Vocabulary": "vocabulary",
    "Word2Vec": "word2vec",
    "cooccur": "cooccurrence",
    "corpus_of": "corpus",
    "direct_bias": "debias",
    "direction": "debias",
    "hard": "debias",
    "judge_analogies": "judge",
    "judge_similarity": "judge",
    "open_corpus": "corpus",
    "read_corpus": "corpus",
    "read_pairs": "questions",
    "read_questions": "questions",
    "reweigh": "svd",
    "soft": "soften",
    "weat": "association",
}

__all__ = [*_HOMES]  # noqa: PLE0604  (names, all of them)


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        return getattr(import_module(f"throughtime.vectors.{_HOMES[name]}"), name)
    raise AttributeError(f"module 'throughtime.vectors' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
