"""From a run folder alone to something that works."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TypeVar

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from throughtime.errors import ArgumentError, RunError
from throughtime.recipes.classify import Classify
from throughtime.recipes.fields import MOST_CLASSES
from throughtime.recipes.language import Language, LanguageData
from throughtime.recipes.read import make_recipe
from throughtime.recipes.transfer import Sha256, VectorFacts

if TYPE_CHECKING:
    from torch import nn

    from throughtime.data.units import Units
    from throughtime.models import Writer
    from throughtime.models.text_classifier import TextClassifier
    from throughtime.recipes.labelled import Divided

M = TypeVar("M", bound="nn.Module")
Count = Annotated[int, Field(ge=0, lt=2**53)]


def distinct(names: list[str]) -> list[str]:
    """The names. Raises `ValueError` when one is there twice."""
    if len(set(names)) < len(names):
        raise ValueError("a name is there twice")
    return names


class ClassifierFacts(BaseModel):
    """What data.json tells of the texts that a classifier was made from."""

    model_config = ConfigDict(strict=True, frozen=True)

    train: str
    train_sha256: str
    train_bytes: Count | None = None
    valid: str
    valid_sha256: str
    valid_bytes: Count | None = None
    classes: Annotated[list[str], Field(min_length=2, max_length=MOST_CLASSES), AfterValidator(distinct)]
    vocab: Count
    skipped_rows: Count
    train_texts: Count
    train_units: Count
    train_unknown: Count
    valid_texts: Count
    valid_units: Count
    valid_unknown: Count
    vectors: VectorFacts | None = None
    vectors_sha256: Sha256 | None = None


class Facts(BaseModel):
    """What data.json tells of the text that a run was made from."""

    model_config = ConfigDict(strict=True, frozen=True)

    text: str
    text_sha256: str
    text_bytes: Count
    valid: str
    valid_sha256: str
    train_sha256: str | None = None
    skipped_bytes: Count
    vocab: Count
    train_units: Count
    train_unknown: Count
    valid_units: Count
    valid_unknown: Count
    vectors: VectorFacts | None = None
    vectors_sha256: Sha256 | None = None


def load(run: str | Path) -> Writer | TextClassifier:
    """The trained model of a run folder, with its best weights; of an unfinished run, those of its last checkpoint.

    What it is depends on what the run learned: a `Writer` of a language model, a `TextClassifier` of a classifier.
    Every file is checked against the manifest, and the weights' shapes against the recipe before memory is taken
    for them. Nothing in the folder is executed.

    Raises `RunError` when the folder is absent, incomplete, altered, or from a newer version.
    """
    return load_from(find_whole(Path(run)))


def load_from(home: Path) -> Writer | TextClassifier:
    """The trained model of a whole folder, as `find_whole` gives it. Raises `RunError` as `load` does."""
    from throughtime import folder

    folder.check_files(home)
    recipe = recipe_of(home)
    return load_writer(home, recipe) if isinstance(recipe, Language) else load_classifier(home, recipe)


def load_writer(home: Path, recipe: Language) -> Writer:
    """The language model of a whole folder. Raises `RunError` as `load` does."""
    from throughtime.models import Writer

    units = _units(home, recipe)
    return Writer(_filled(lambda: recipe.model_of(len(units)), home), units)


def load_classifier(home: Path, recipe: Classify) -> TextClassifier:
    """The classifier of a whole folder. Raises `RunError` as `load` does."""
    from throughtime.models.text_classifier import TextClassifier

    units, classes = _units(home, recipe), classifier_facts_of(home).classes
    model = _filled(lambda: recipe.model_of(len(units), len(classes)), home)
    return TextClassifier(model, units, classes, recipe.labels)


def _units(home: Path, recipe: Language | Classify) -> Units:
    from throughtime import folder
    from throughtime.data.units import units_from_json

    units = units_from_json(folder.read_json(home, "vocabulary.json", folder.TEXT_LIMIT))
    if units.kind != recipe.unit:
        raise RunError(f"the vocabulary in {home} is of {units.kind}s, and its recipe is of {recipe.unit}s")
    return units


def _filled(make: Callable[[], M], home: Path) -> M:
    """A model with the weights of a folder, whose shapes are looked at before memory is taken for them."""
    import torch

    from throughtime import folder
    from throughtime.train import course

    with torch.device("meta"):
        empty = make()
        limit = sum(parameter.nbytes for parameter in empty.parameters()) + course.HEADER_BYTES
    weights = folder.read_tensors(home, course.WEIGHTS, limit)
    course.check_weights(empty, weights, home)
    model = make()
    course.restore_weights(model, weights, home)
    return model.eval()


def facts_of(home: Path) -> Facts:
    """What a whole run folder tells of its text. Raises `RunError` when it does not."""
    from throughtime import folder

    return folder.check_form(Facts, folder.read_json(home, "data.json"), home / "data.json")


def classifier_facts_of(home: Path) -> ClassifierFacts:
    """What a whole run folder tells of its labelled texts. Raises `RunError` when it does not."""
    from throughtime import folder

    return folder.check_form(ClassifierFacts, folder.read_json(home, "data.json"), home / "data.json")


def divided_of(home: Path, recipe: Classify) -> Divided:
    """The labelled texts that a classifier was made from, read again.

    Raises `RunError` when they are not what they were, and `DataError` when they cannot be read.
    """
    facts = classifier_facts_of(home)
    sources = (recipe.train, facts.train_bytes), (recipe.valid or recipe.train, facts.valid_bytes)
    for path, size in sources:
        if size is not None and path.is_file() and path.stat().st_size != size:
            raise _changed(path, home)  # before it is read: what stands there now may be of any size
    texts = recipe.divided()
    for (path, _), known in zip(sources, ("train_sha256", "valid_sha256"), strict=True):
        if texts.facts[known] != getattr(facts, known):
            raise _changed(path, home)
    return texts


def _changed(path: Path, home: Path) -> RunError:
    return RunError(
        f"{str(path)!a:.200} was changed since {home} was trained on it; put it back, or give evaluate --data FILE"
    )


def data_of(home: Path, recipe: Language, writer: Writer) -> LanguageData:
    """The data that a run was made from, read again.

    Raises `RunError` when they are not what they were, and `DataError` when they cannot be read.
    """
    facts = facts_of(home)
    changed = RunError(
        f"{facts.text!a:.200} was changed since {home} was trained on it; put it back, or give evaluate --text FILE"
    )
    if recipe.text.is_file() and recipe.text.stat().st_size != facts.text_bytes:
        raise changed  # before it is read: what stands there now may be of any size
    data = recipe.data()
    hashes = data.facts["text_sha256"], data.facts["valid_sha256"], len(data.units)
    if hashes != (facts.text_sha256, facts.valid_sha256, len(writer.units)):
        raise changed
    return data


def recipe_of(home: Path) -> Language | Classify:
    """The recipe of a whole run folder. Raises `RunError` when it is not one of ours."""
    from throughtime import folder

    values = folder.read_json(home, "recipe.json")
    known: dict[str, type[Language] | type[Classify]] = {"language": Language, "classify": Classify}
    application = values.get("application")
    if not isinstance(application, str) or application not in known:
        raise RunError(f"{home} holds a run of {application!a:.60}; this version knows: {', '.join(known)}")
    try:
        return make_recipe(known[application], values)
    except ArgumentError as error:
        raise RunError(f"the recipe in {home} does not fit this version: {error}") from None


def writer_of(run: Path, use: str) -> Writer:
    """The language model of a run. Raises `RunError` as `load` does, and when it is of something else."""
    from throughtime.models import Writer

    found = load(run)
    if not isinstance(found, Writer):
        raise RunError(
            f"{run} holds a classifier, and {use} is for language models; try throughtime predict {run} FILE"
        )
    return found


def classifier_of(run: Path, use: str) -> TextClassifier:
    """The classifier of a run. Raises `RunError` as `load` does, and when it is of something else."""
    from throughtime.models.text_classifier import TextClassifier

    found = load(run)
    if not isinstance(found, TextClassifier):
        raise RunError(f"{run} holds a language model, and {use} is for classifiers; try throughtime generate {run}")
    return found


def find_whole(run: Path) -> Path:
    """The run folder itself if it is whole, else its last whole checkpoint.

    Raises `RunError` when there is neither.
    """
    from throughtime import folder
    from throughtime.train import course

    if not run.is_dir():
        raise RunError(f"no such run folder: {run}; make one with `throughtime train language --text FILE --out {run}`")
    if folder.is_whole(run):
        return run
    checkpoint = course.last_checkpoint(run)
    if checkpoint is None:
        raise RunError(
            f"{run} holds no finished run and no checkpoint; rerun the command that was to make it, or choose another"
        )
    return checkpoint
