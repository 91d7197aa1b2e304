"""What metrics are given: labels, numbers and weights that are what they should be and fit each other."""

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from throughtime.errors import ArgumentError


def labels_of(values: ArrayLike, classes: int, name: str) -> NDArray[np.int64]:
    """(N) the numbers of classes. Raises `ArgumentError` for others than 0 to classes − 1, naming the first."""
    array = np.asarray(values)
    if array.ndim != 1:
        raise ArgumentError(f"{name} must be a row of class numbers (N); got the shape {array.shape}")
    if len(array) and not np.issubdtype(array.dtype, np.integer):
        raise ArgumentError(f"{name} must be whole numbers of classes; got {array.dtype}: number the classes from 0")
    outside = np.flatnonzero((array < 0) | (array >= classes))
    if len(outside):
        place = int(outside[0])
        many = f" ({len(outside)} such)" if len(outside) > 1 else ""
        raise ArgumentError(f"{name}[{place}] is {array[place]}{many}; classes are numbered 0 to {classes - 1}")
    return array.astype(np.int64)


def marks_of(values: ArrayLike, name: str) -> NDArray[np.bool_]:
    """(N K) which labels each item has. Raises `ArgumentError` for what is neither True, False, 0 nor 1."""
    array = np.asarray(values)
    if array.ndim != 2:
        raise ArgumentError(f"{name} must be a table of items by labels (N K); got the shape {array.shape}")
    if not np.isin(array, (0, 1)).all():
        place = tuple(int(axis[0]) for axis in np.nonzero(~np.isin(array, (0, 1))))
        raise ArgumentError(f"{name}{list(place)} is {array[place]}; a label is had (1) or not (0)")
    return array.astype(bool)


def numbers_of(values: ArrayLike, name: str) -> NDArray[np.float64]:
    """The numbers in float64. Raises `ArgumentError` for one that is not finite, naming the first."""
    array = _floats(values, name)
    if not np.isfinite(array).all():
        _refuse(array, ~np.isfinite(array), name, "numbers must be finite: leave out or fill in what is missing")
    return array


def logits_of(values: ArrayLike, labels: ArrayLike, name: str) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """(N K) logits, of which −∞ is one, and (N) the labels. Raises `ArgumentError` where they do not fit."""
    array = _floats(values, name)
    if array.ndim != 2 or array.shape[1] == 0:
        raise ArgumentError(f"{name} must be a table of items by classes (N K); got the shape {array.shape}")
    wrong = np.isnan(array) | (array == np.inf)
    if wrong.any():
        _refuse(array, wrong, name, "a logit is a number, or −inf for what cannot be")
    dead = np.flatnonzero((array == -np.inf).all(axis=1))
    if len(dead):
        raise ArgumentError(f"all of {name}[{dead[0]}] is −inf; some class must be possible")
    whole = labels_of(labels, array.shape[1], "labels")
    same_length(array, whole, (name, "labels"))
    return array, whole


def probabilities_of(values: ArrayLike, labels: ArrayLike) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """(N K) probabilities whose rows sum to 1, and (N) the labels. Raises `ArgumentError` where they do not fit."""
    array = numbers_of(values, "probabilities")
    if array.ndim != 2 or array.shape[1] == 0:
        raise ArgumentError(f"probabilities must be a table of items by classes (N K); got the shape {array.shape}")
    wrong = (array < 0) | (array > 1 + 1e-6)
    if wrong.any():
        _refuse(array, wrong, "probabilities", "a probability lies between 0 and 1")
    off = np.flatnonzero(abs(array.sum(axis=1) - 1) > 1e-3)  # what rounding in half precision may do to a sum
    if len(off):
        total = array[off[0]].sum()
        raise ArgumentError(f"probabilities[{off[0]}] sum to {total:.4g}, not 1; take the softmax of logits first")
    whole = labels_of(labels, array.shape[1], "labels")
    same_length(array, whole, ("probabilities", "labels"))
    return array, whole


def weights_of(values: ArrayLike | None, length: int) -> NDArray[np.float64] | None:
    """(N) what each item counts, or None. Raises `ArgumentError` for one below 0 or for another length."""
    if values is None:
        return None
    array = numbers_of(values, "weights")
    if array.shape != (length,):
        raise ArgumentError(f"weights have the shape {array.shape}; {length} items need ({length},)")
    if (array < 0).any():
        _refuse(array, array < 0, "weights", "a weight is 0 or more")
    return array


def same_length(one: NDArray[Any], other: NDArray[Any], names: tuple[str, str]) -> None:
    """Raises `ArgumentError` unless both have as many items."""
    if len(one) != len(other):
        raise ArgumentError(f"{names[0]} have {len(one)} items and {names[1]} {len(other)}; each item needs both")


def same_shape(one: NDArray[Any], other: NDArray[Any], names: tuple[str, str]) -> None:
    """Raises `ArgumentError` unless both have the same shape."""
    if one.shape != other.shape:
        raise ArgumentError(f"{names[0]} have the shape {one.shape} and {names[1]} {other.shape}; they must be alike")


def _floats(values: ArrayLike, name: str) -> NDArray[np.float64]:
    try:
        return np.asarray(values, dtype=np.float64)
    except (TypeError, ValueError):
        raise ArgumentError(f"{name} must be an array of numbers; got {str(values)!a:.60}") from None


def _refuse(array: NDArray[np.float64], wrong: NDArray[np.bool_], name: str, fits: str) -> None:
    places = np.argwhere(wrong)
    place = [int(axis) for axis in places[0]]
    many = f" ({len(places)} such)" if len(places) > 1 else ""
    raise ArgumentError(f"{name}{place if place else ''} is {array[tuple(place)]}{many}; {fits}")
