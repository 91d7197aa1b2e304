"""Vectors against NumPy in higher precision: every function, at its edges, for each number of lanes."""

import importlib.util
import math

import numpy as np
import pytest
import torch
from numba import njit
from numba.core.errors import TypingError

from throughtime.kernels import maths, vector

SIZES = [("float32", 4), ("float32", 8), ("float32", 16), ("float64", 4), ("float64", 8), ("float64", 16)]
TOLERANCE = {"float32": 4e-7, "float64": 2e-15}


def address(array):
    return array.ctypes.data


def samples(element, lanes):
    """Both signs of everything: fine near 0 and 1, every magnitude, denormals, and what is not a number."""
    kind = np.finfo(element)
    wide = np.geomspace(kind.tiny, kind.max / 2, 1500)
    middle = np.concatenate([np.linspace(0, 30, 3000), np.geomspace(1e-6, 1000, 3000), np.linspace(0.6, 1.6, 500)])
    edges = [0.0, kind.tiny / 8, kind.smallest_subnormal, kind.max, kind.eps, 0.5, 1.0, 1.5, 2.5, math.inf, math.nan]
    limits = [87.3, 88.02, 88.72, 88.73, 103.9, 104.1, 708.3, 709.7, 709.8, 745.1, 746.0, 1e6 + 0.5]
    half = np.concatenate([wide, middle, edges, limits])
    both = np.concatenate([half, -half]).astype(element)
    return np.concatenate([both, np.zeros(-len(both) % lanes, element)])


NAMES = ["exp", "expm1", "sigmoid", "tanh", "log", "log1p", "erf", "sin", "cos", "sqrt", "rsqrt", "reciprocal"]
EXACT = ["sqrt", "absolute", "sign", "floor", "ceil", "trunc", "round", "negative"]
WIDE = {
    "sigmoid": lambda x: 1 / (1 + np.exp(-x)),
    "erf": lambda x: np.vectorize(math.erf, otypes=["float64"])(x.astype("float64")),
    "rsqrt": lambda x: 1 / np.sqrt(x),
    "reciprocal": lambda x: 1 / x,
    "absolute": np.abs,
    "sign": lambda x: np.where(np.isnan(x), 0, np.sign(x)),
    "round": np.rint,
}


def unary_kernel(element, lanes):
    """One kernel with every function of one argument; result number k lies k * n elements after `out`."""
    load, store, size = vector.load(element, lanes), vector.store(element, lanes), np.dtype(element).itemsize
    whole = lanes

    @njit(nogil=True)
    def kernel(source, out, n):
        step = n * size
        for i in range(0, n, lanes):
            x = load(source, i, whole)
            store(out, i, whole, maths.exp(x))
            store(out + step, i, whole, maths.expm1(x))
            store(out + 2 * step, i, whole, maths.sigmoid(x))
            store(out + 3 * step, i, whole, maths.tanh(x))
            store(out + 4 * step, i, whole, maths.log(x))
            store(out + 5 * step, i, whole, maths.log1p(x))
            store(out + 6 * step, i, whole, maths.erf(x))
            store(out + 7 * step, i, whole, maths.sin(x))
            store(out + 8 * step, i, whole, maths.cos(x))
            store(out + 9 * step, i, whole, maths.sqrt(x))
            store(out + 10 * step, i, whole, maths.rsqrt(x))
            store(out + 11 * step, i, whole, maths.reciprocal(x))
            store(out + 12 * step, i, whole, maths.absolute(x))
            store(out + 13 * step, i, whole, maths.sign(x))
            store(out + 14 * step, i, whole, maths.floor(x))
            store(out + 15 * step, i, whole, maths.ceil(x))
            store(out + 16 * step, i, whole, maths.trunc(x))
            store(out + 17 * step, i, whole, maths.round(x))
            store(out + 18 * step, i, whole, -x)

    return kernel


ROWS = [*NAMES, *EXACT[1:]]


@pytest.mark.parametrize(("element", "lanes"), SIZES)
def test_functions_of_one_argument(element, lanes):
    x = samples(element, lanes)
    results = np.empty((len(ROWS), len(x)), element)
    unary_kernel(element, lanes)(address(x), address(results), len(x))
    floors = {"exact": 0.0, "sigmoid": np.finfo(element).tiny}  # sigmoid: e^-x is infinity where 1 / e^-x is denormal
    for name, given in zip(ROWS, results, strict=True):
        with np.errstate(all="ignore"):
            true = WIDE.get(name, getattr(np, name, None))(x if name in EXACT else x.astype(np.longdouble))
            rounded = true.astype(element)
        np.testing.assert_array_equal(np.isnan(given), np.isnan(rounded), err_msg=name)
        finite = np.isfinite(rounded) & np.isfinite(given)
        other = ~finite & ~np.isnan(rounded)
        np.testing.assert_array_equal(given[other], rounded[other], err_msg=name)
        tolerance = 0 if name in EXACT else TOLERANCE[element]
        error = np.abs(given[finite].astype(np.longdouble) - true[finite])
        floor = floors.get("exact" if name in EXACT else name, 2 * np.finfo(element).smallest_subnormal)
        allowed = tolerance * np.abs(true[finite]) + floor
        worst = np.argmax(error - allowed)
        assert error[worst] <= allowed[worst], (name, x[finite][worst], given[finite][worst], true[finite][worst])
    for name in ("expm1", "tanh", "log1p", "erf", "negative"):
        row, zero = results[ROWS.index(name)], x == 0
        np.testing.assert_array_equal(np.signbit(row[zero]), np.signbit(x[zero]) ^ (name == "negative"))


def binary_kernel(element, lanes):
    load, store, size = vector.load(element, lanes), vector.store(element, lanes), np.dtype(element).itemsize
    store_bool = vector.store("bool", lanes)

    @njit(nogil=True)
    def kernel(left, right, out, flags, n):
        step = n * size
        for i in range(0, n, lanes):
            a, b = load(left, i, lanes), load(right, i, lanes)
            store(out, i, lanes, a + b)
            store(out + step, i, lanes, a - b)
            store(out + 2 * step, i, lanes, a * b)
            store(out + 3 * step, i, lanes, a / b)
            store(out + 4 * step, i, lanes, vector.minimum(a, b))
            store(out + 5 * step, i, lanes, vector.maximum(a, b))
            store(out + 6 * step, i, lanes, maths.remainder(a, b))
            store(out + 7 * step, i, lanes, vector.select((a < b) | (a > b), a, b))
            store(out + 8 * step, i, lanes, maths.power(a, b))
            store_bool(flags, i, lanes, a < b)
            store_bool(flags + n, i, lanes, a <= b)
            store_bool(flags + 2 * n, i, lanes, a > b)
            store_bool(flags + 3 * n, i, lanes, a >= b)
            store_bool(flags + 4 * n, i, lanes, a == b)
            store_bool(flags + 5 * n, i, lanes, a != b)
            store_bool(flags + 6 * n, i, lanes, ~(a < b) & (a == a))

    return kernel


@pytest.mark.parametrize(("element", "lanes"), SIZES)
def test_operators_and_functions_of_two_arguments(element, lanes):
    few = np.array(
        [0, -0.0, 1, -1, 0.1, -0.3, 7.5, 1e-20, 3e4, 1e30, -1e30, math.inf, -math.inf, math.nan, 5, 2], element
    )
    chance = np.random.default_rng(0).normal(size=(2, 4096)).astype(element) * np.array([[100], [3]], element)
    a = np.concatenate([np.repeat(few, len(few)), chance[0]])
    b = np.concatenate([np.tile(few, len(few)), chance[1]])
    results, flags = np.empty((9, len(a)), element), np.empty((7, len(a)), bool)
    binary_kernel(element, lanes)(address(a), address(b), address(results), address(flags), len(a))
    s, t = torch.from_numpy(a), torch.from_numpy(b)
    expected = [s + t, s - t, s * t, s / t, s.minimum(t), s.maximum(t)]
    with np.errstate(all="ignore"):
        expected.append(torch.from_numpy(np.remainder(a, b)))  # torch's own vectors give NaN where a / b overflows
    expected.append(torch.where((s < t) | (s > t), s, t))
    for given, true in zip(results[:8], expected, strict=True):
        np.testing.assert_array_equal(given, true.numpy())
    np.testing.assert_allclose(results[8], s.pow(t).numpy(), rtol=TOLERANCE[element])
    truths = [s < t, s <= t, s > t, s >= t, s == t, s != t, ~(s < t) & (s == s)]
    for given, true in zip(flags, truths, strict=True):
        np.testing.assert_array_equal(given, true.numpy())


@pytest.mark.parametrize("lanes", [4, 8, 16])
@pytest.mark.parametrize("element", ["float32", "float64", "int64", "bool"])
def test_memory_is_touched_only_where_counted(element, lanes):
    load, store, spread = (make(element, lanes) for make in (vector.load, vector.store, vector.spread))

    @njit(nogil=True)
    def copy(source, target, index, count):
        store(target, index, count, load(source, index, count))

    @njit(nogil=True)
    def rest_is_zero(source, target, spread_target, count):
        store(target, 0, lanes, load(source, 0, count))
        store(spread_target, 0, lanes, spread(source, 1))

    source = np.frombuffer(np.random.default_rng(0).bytes(64 * 8), np.int64)[:64] % 1000
    source = (source % 2 == 1) if element == "bool" else source.astype(element)
    for count in range(lanes + 1):
        for index in (0, 1, 5):
            target = np.frombuffer(bytearray(b"\xa5" * (64 * source.itemsize)), np.uint8).copy()
            copy(address(source), address(target), index, count)
            expected = np.full(64 * source.itemsize, 0xA5, np.uint8)
            part = slice(index * source.itemsize, (index + count) * source.itemsize)
            expected[part] = source.view(np.uint8)[part]
            np.testing.assert_array_equal(target, expected)
        loaded, all_one = np.ones(lanes, source.dtype), np.zeros(lanes, source.dtype)
        rest_is_zero(address(source), address(loaded), address(all_one), count)
        np.testing.assert_array_equal(
            loaded, np.where(np.arange(lanes) < count, source[:lanes], 0).astype(source.dtype)
        )
        np.testing.assert_array_equal(all_one, np.full(lanes, source[1]))


def test_nothing_is_read_past_the_count():
    load, store = vector.load("float32", 16), vector.store("float32", 16)

    @njit(nogil=True)
    def copy(source, target, count):
        store(target, 0, count, load(source, 0, count))

    copy(0, 0, 0)  # nothing is counted, so address 0 is not touched


def test_a_constant_count_is_a_plain_load_and_store():
    load, store = vector.load("float32", 4), vector.store("float32", 4)

    @njit("void(int64, int64)", nogil=True)
    def copy(source, target):
        store(target, 0, 4, load(source, 0, 4))

    (text,) = copy.inspect_llvm().values()
    assert "load <4 x float>" in text
    assert "call <4 x float> @llvm.masked" not in text


@pytest.mark.parametrize(("element", "lanes"), SIZES)
def test_reductions_and_first(element, lanes):
    load, store, fill = (make(element, lanes) for make in (vector.load, vector.store, vector.fill))

    @njit(nogil=True)
    def kernel(source, out, count):
        x = load(source, 0, lanes)
        store(out, 0, lanes, vector.total(x))
        store(out, lanes, lanes, vector.highest(x))
        store(out, 2 * lanes, lanes, vector.first(x, count))
        store(out, 3 * lanes, lanes, vector.first_or(x, count, -math.inf))
        y = fill(1.5)
        y += fill(count)
        store(out, 4 * lanes, lanes, y)

    x = np.random.default_rng(1).normal(size=lanes).astype(element)
    out = np.empty((5, lanes), element)
    for count in range(lanes + 1):
        kernel(address(x), address(out), count)
        np.testing.assert_allclose(out[0], x.sum(dtype="float64"), rtol=1e-5, atol=1e-6)
        assert (out[0] == out[0, 0]).all()
        np.testing.assert_array_equal(out[1], np.full(lanes, x.max()))
        kept = np.arange(lanes) < count
        np.testing.assert_array_equal(out[2], np.where(kept, x, 0))
        np.testing.assert_array_equal(out[3], np.where(kept, x, -math.inf))
        np.testing.assert_array_equal(out[4], np.full(lanes, 1.5 + count))
    x[lanes // 2] = math.nan
    kernel(address(x), address(out), lanes)
    assert np.isnan(out[:2]).all()


def test_integers_and_casts():
    lanes = 8
    load, store = vector.load("float64", lanes), vector.store("float64", lanes)
    store_float, store_int, store_bool = (vector.store(name, lanes) for name in ("float32", "int64", "bool"))
    fill = vector.fill("int64", lanes)

    @njit(nogil=True)
    def kernel(source, out, single, whole, flag):
        x = load(source, 0, lanes)
        n, mask = vector.as_int64(x), vector.as_bool(x)
        store_float(single, 0, lanes, vector.as_float32(x))
        store_int(whole, 0, lanes, n)
        store_int(whole, lanes, lanes, maths.absolute(-n * fill(3) + fill(1)))
        store_int(whole, 2 * lanes, lanes, vector.as_int64(n > fill(0)))
        store_int(whole, 3 * lanes, lanes, vector.minimum(n, fill(2)))
        store_bool(flag, 0, lanes, mask)
        store_bool(flag, lanes, lanes, vector.as_bool(n))
        store(out, 0, lanes, vector.as_float64(vector.as_float32(mask)))
        store(out, lanes, lanes, vector.as_float64(n))

    x = np.array([0, -0.0, 0.4, -1.7, 3.2, math.nan, 1e9, -7])
    out, single = np.empty((2, lanes)), np.empty(lanes, "float32")
    whole, flag = np.empty((4, lanes), "int64"), np.empty((2, lanes), bool)
    kernel(*map(address, (x, out, single, whole, flag)))
    n = np.array([0, 0, 0, -1, 3, 0, 10**9, -7])
    np.testing.assert_array_equal(single, x.astype("float32"))
    np.testing.assert_array_equal(whole, [n, np.abs(1 - 3 * n), n > 0, np.minimum(n, 2)])
    np.testing.assert_array_equal(flag, [x != 0, n != 0])
    np.testing.assert_array_equal(out, [x != 0, n])


def test_remainder_is_exact_for_any_quotient():
    load, store = vector.load("float32", 16), vector.store("float32", 16)

    @njit(nogil=True)
    def kernel(left, right, out, n):
        for i in range(0, n, 16):
            store(out, i, 16, maths.remainder(load(left, i, 16), load(right, i, 16)))

    chance = np.random.default_rng(0)
    a, b = (chance.normal(size=4096) * 10 ** chance.uniform(-12, 12, 4096) for _ in range(2))
    a, b = a.astype("float32"), b.astype("float32")
    a[::4] = np.round(a[::4]) * b[::4]  # quotients at and near whole numbers
    out = np.empty_like(a)
    kernel(address(a), address(b), address(out), len(a))
    np.testing.assert_array_equal(out, np.remainder(a, b))


@pytest.mark.parametrize(
    ("operation", "message"),
    [
        (lambda single, double, mask: single + double, "it takes vectors of one type"),
        (lambda single, double, mask: mask * mask, "it takes elements float32, float64, int64"),
        (lambda single, double, mask: single & single, "it takes elements bool"),
        (lambda single, double, mask: maths.exp(mask), "it takes elements float32, float64"),
        (lambda single, double, mask: vector.select(single, single, single), "it takes a bool vector"),
        (lambda single, double, mask: single * 2.0, "Use fill"),
        (lambda single, double, mask: vector.first(2.0, 1), "it takes a vector"),
        (lambda single, double, mask: vector.scalar(2.0), "it takes a vector"),
    ],
)
def test_types_are_not_mixed(operation, message):
    single, double, mask = (vector.fill(name, 4) for name in ("float32", "float64", "bool"))
    inner = njit(operation)

    @njit
    def kernel():
        inner(single(1.0), double(1.0), mask(True))

    with pytest.raises(TypingError, match=message):
        kernel()


def test_the_first_lane_is_a_number():
    load, mask = vector.load("float32", 4), vector.fill("bool", 4)

    @njit(nogil=True)
    def kernel(source):
        x = load(source, 0, 4)
        return vector.scalar(x), vector.scalar(vector.as_int64(x)), vector.scalar(x > x), vector.scalar(mask(True))

    values = np.array([7.5, 1, 2, 3], "float32")
    assert kernel(address(values)) == (7.5, 7, False, True)


def test_prefetch_is_one_instruction_and_no_address_is_wrong():
    @njit("int64(int64, int64)", nogil=True)
    def kernel(near, wrong):
        vector.prefetch(near)
        vector.prefetch(wrong)
        return vector.word(near, 0)

    assert kernel(address(np.array([7])), 64) == 7  # 64 is nobody's memory: reading it would end the process
    (code,) = kernel.inspect_llvm().values()
    assert code.count("call void @llvm.prefetch") == 2


MODULE = """
from numba import cfunc, njit
from throughtime.kernels import maths, vector
load, store = vector.load("float64", 8), vector.store("float64", 8)

@njit("void(int64)", cache=True, nogil=True)
def pointers(table):
    x = load(vector.word(table, 0), 0, 5)
    store(vector.word(table, 1), 0, 5, maths.power(maths.sin(x), maths.round(x)) + maths.tanh(x))

@cfunc("void(int64)", cache=True, nopython=True)
def entry(table):
    pointers(table)
"""


def imported(path, name):
    spec = importlib.util.spec_from_file_location(name, path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_kernels_are_kept_on_disk_and_called_through_a_table_of_addresses(tmp_path):
    path = tmp_path / "emitted.py"
    path.write_text(MODULE)
    imported(path, "emitted")
    module = imported(path, "emitted")
    assert sum(module.pointers.stats.cache_hits.values()) == 1
    x, out = np.linspace(0.5, 1, 5), np.full(6, 7.0)
    table = np.array([address(x), address(out)])
    module.entry.ctypes(address(table))
    np.testing.assert_allclose(out[:5], np.sin(x) ** np.rint(x) + np.tanh(x), rtol=1e-14)
    assert out[5] == 7.0


def test_names_that_do_not_exist_say_what_fits():
    with pytest.raises(TypingError, match="'float16'; choose one of float32"):
        vector.Vector("float16", 8)
    with pytest.raises(TypingError, match="lanes is 6; it has to be a power of two"):
        vector.Vector("float32", 6)
    assert vector.host_lanes("float32") == 2 * vector.host_lanes("float64") >= 4
