"""A recipe that is trained into a run, which is held as bytes: what an estimator has learned."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from throughtime.errors import RunError, printable


class Run:
    """A finished run folder in memory. What was trained is loaded from it when it is first asked for.

    It is pickled as the bytes of its files, which are read back as those of any run folder are: checked, and without
    unpickling anything.
    """

    def __init__(self, files: dict[str, bytes]) -> None:
        self.files = files
        self._trained: Any = None

    @property
    def trained(self) -> Any:
        """The trained model, as `throughtime.load` gives it."""
        if self._trained is None:
            from throughtime.runs import load

            with temporary_folder() as home:
                self.save(home / "run")
                self._trained = load(home / "run")
        return self._trained

    def save(self, folder: str | Path) -> None:
        """Writes the run folder, which all commands take. Raises `RunError` where there is something already."""
        from throughtime.folder import write_new

        path = Path(folder)
        if path.exists() and (not path.is_dir() or any(path.iterdir())):
            raise RunError(f"{path} is there already; give save a folder that is new or empty")
        write_new(path, self.files, status="finished")

    def __getstate__(self) -> dict[str, bytes]:
        return self.files

    def __setstate__(self, files: dict[str, bytes]) -> None:
        self.files, self._trained = files, None


def train(recipe: Any, home: Path, *, verbose: bool) -> Run:
    """The run of a recipe, trained in a folder inside `home`. The random numbers of torch go on as if nothing was.

    Raises what `throughtime.fit` does.
    """
    import torch

    from throughtime import folder
    from throughtime.train import fit

    run = home / "run"
    cards = range(torch.cuda.device_count()) if torch.cuda.is_initialized() else ()  # type: ignore[no-untyped-call]
    with torch.random.fork_rng(cards):
        for progress in fit(recipe, run):
            if verbose:
                _tell(recipe, progress)
    return Run({name: folder.read_file(run, name) for name in folder.read_manifest(run).files})


def _tell(recipe: Any, progress: Any) -> None:
    """What a person is told: what was read, once, and what each evaluation found."""
    for note in progress.notes:
        sys.stdout.write(f"{printable(note)}\n")
    if found := progress.evaluation:
        judged, how = recipe.tell(found.score)
        what = f"{judged}, best weights" if found.final else judged
        sys.stdout.write(f"step {progress.step:,}, epoch {progress.epoch}, {progress.seconds:.1f} s: {what}: {how}\n")


@contextmanager
def temporary_folder() -> Iterator[Path]:
    """A folder that is gone afterwards."""
    with TemporaryDirectory(prefix="throughtime-") as home:
        yield Path(home)
