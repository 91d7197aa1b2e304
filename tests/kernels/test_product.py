"""The packed product against torch's: values, memory left alone, and bits that do not depend on the number of rows."""

import importlib.util
import sys
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path
from typing import Any

import llvmlite.binding as llvm
import pytest
import torch
from torch import Tensor

from throughtime.kernels.product import SIZES, digest, pack, source

DTYPES = {"float32": torch.float32, "float64": torch.float64}
TOLERANCES = {"float32": 1e-5, "float64": 1e-13}
WIDEST = 64 if llvm.get_host_cpu_features().get("avx512f") else 32  # bytes in a vector of this machine
VECTORS = [("float32", WIDEST), ("float64", WIDEST), ("float32", 32), ("float64", 16)]
ODD = (1, 3, 17, 31, 33, 100)
GUARD = 77.0

Product = Callable[..., Tensor]


@pytest.fixture(scope="module", params=VECTORS, ids=lambda kind: f"{kind[0]}-{kind[1]}")
def kind(request: pytest.FixtureRequest) -> tuple[str, int]:
    element, width = request.param
    return element, width // SIZES[element]


@pytest.fixture(scope="module")
def product(kind: tuple[str, int], tmp_path_factory: pytest.TempPathFactory) -> Product:
    """A W, or C + A W, by the compiled function, into memory with guards around every row."""
    element, lanes = kind
    compiled = compile_source(tmp_path_factory.mktemp("product"), source(element, lanes)).ctypes

    def call(a: Tensor, weight: Tensor, c: Tensor | None = None, gap: int = 0) -> Tensor:
        (rows, k), n = a.shape, weight.shape[1]
        packed = pack(weight, lanes)
        memory = torch.full((rows + 2, n + gap), GUARD, dtype=weight.dtype)
        inside = memory[1:-1, :n]
        if c is not None:
            inside.copy_(c)
        size, start = weight.element_size(), memory[1:].data_ptr()
        assert start == memory.data_ptr() + (n + gap) * size
        assert a.stride(1) == 1 or k == 1
        lda = a.stride(0) if rows > 1 else k
        compiled(a.data_ptr(), lda, packed.data_ptr(), start, n + gap, rows, k, n, int(c is not None))
        result = inside.clone()
        inside.fill_(GUARD)
        assert (memory == GUARD).all()
        return result

    return call


def compile_source(folder: Path, text: str) -> Any:
    """The cfunc of a module with this text. Numba keeps its machine code only if it finds the module by its name."""
    path = folder / f"product_{sha256(text.encode()).hexdigest()}.py"
    path.write_text(text)
    spec = importlib.util.spec_from_file_location(path.stem, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[path.stem] = module
    spec.loader.exec_module(module)
    return module.product


def draw(kind: tuple[str, int], *shape: int) -> Tensor:
    return torch.randn(shape, dtype=DTYPES[kind[0]], generator=torch.Generator().manual_seed(sum(shape)))


def close(kind: tuple[str, int], got: Tensor, a: Tensor, weight: Tensor, c: Tensor | float = 0.0) -> None:
    """Equal to torch's product in float64, relative to the sum of the sizes of all terms."""
    exact = a.double() @ weight.double() + c
    scale = a.double().abs() @ weight.double().abs() + abs(c)
    assert got.dtype == DTYPES[kind[0]]
    assert ((got.double() - exact).abs() <= TOLERANCES[kind[0]] * scale).all()


@pytest.mark.parametrize("n", ODD)
@pytest.mark.parametrize("k", ODD)
def test_equals_torch(kind: tuple[str, int], product: Product, k: int, n: int) -> None:
    weight = draw(kind, k, n)
    for rows in (1, 2, 3, 4, 7, 13):
        a, c = draw(kind, rows, k), draw(kind, rows, n)
        close(kind, product(a, weight), a, weight)
        close(kind, product(a, weight, c), a, weight, c)


@pytest.mark.parametrize("n", [64, 150, 257])
def test_a_row_has_the_same_bits_whatever_the_rows(kind: tuple[str, int], product: Product, n: int) -> None:
    k = 37
    a, weight, c = draw(kind, 40, k), draw(kind, k, n), draw(kind, 40, n)
    plain = torch.cat([product(row[None], weight) for row in a])
    added = torch.cat([product(row[None], weight, old[None]) for row, old in zip(a, c, strict=True)])
    close(kind, plain, a, weight)
    assert added.equal(c + plain)
    for rows in range(1, 41):
        assert product(a[:rows], weight).equal(plain[:rows])
        assert product(a[:rows], weight, c[:rows]).equal(added[:rows])
    order = torch.randperm(40, generator=torch.Generator().manual_seed(0))
    assert product(a[order], weight).equal(plain[order])


def test_many_rows_are_done_group_by_group(kind: tuple[str, int], product: Product) -> None:
    a, weight = draw(kind, 203, 50), draw(kind, 50, 70)
    close(kind, product(a, weight), a, weight)


def test_one_chain_from_the_first_k_to_the_last(kind: tuple[str, int], product: Product) -> None:
    """1 + u/2 + u/2 is 1 when added in order, and more when the small terms meet first."""
    half = torch.finfo(DTYPES[kind[0]]).eps / 2
    weight = torch.ones(9, 40, dtype=DTYPES[kind[0]])
    terms = torch.tensor([1.0] + [half] * 8, dtype=weight.dtype)
    for rows in range(1, 15):
        assert (product(terms.expand(rows, 9).contiguous(), weight) == 1).all()
        assert (product(terms.flip(0).expand(rows, 9).contiguous(), weight) > 1).all()


@pytest.mark.parametrize("n", [5, 64, 131])
def test_rows_may_lie_apart(kind: tuple[str, int], product: Product, n: int) -> None:
    wide, weight = draw(kind, 30, 29), draw(kind, 21, n)
    for rows in (1, 2, 3, 5, 30):
        a, c = wide[:rows, 4:25], draw(kind, rows, n)
        assert product(a, weight, gap=9).equal(product(a.contiguous(), weight))
        assert product(a, weight, c, gap=9).equal(product(a.contiguous(), weight, c))


def test_no_rows_change_nothing(kind: tuple[str, int], product: Product) -> None:
    assert product(draw(kind, 0, 5), draw(kind, 5, 7)).shape == (0, 7)


@pytest.mark.parametrize("rows", [1, 3, 8])
def test_nan_and_infinity_stay_in_their_row_and_column(kind: tuple[str, int], product: Product, rows: int) -> None:
    a, weight = draw(kind, rows, 11), draw(kind, 11, 39)
    weight[4, 38] = float("nan")
    a[0, 2] = float("inf")
    result = product(a, weight)
    assert result[:, 38].isnan().all()
    assert result[0, :38].isinf().all()
    assert result[1:, :38].isfinite().all()
    a[0, 2] = float("nan")
    assert product(a, weight)[0].isnan().all()


def test_adding_to_zero_keeps_its_sign(kind: tuple[str, int], product: Product) -> None:
    """In whole tiles and in part of one: what is not read must not turn -0.0, from a product too small, into 0.0."""
    dtype = DTYPES[kind[0]]
    tiny = torch.finfo(dtype).smallest_normal
    for n in (5, 2 * kind[1], 2 * kind[1] + 5):
        result = product(torch.full((2, 1), tiny, dtype=dtype), torch.full((1, n), -tiny, dtype=dtype))
        assert (result == 0).all()
        assert result.signbit().all()


def test_packing_takes_any_strides(kind: tuple[str, int]) -> None:
    base = draw(kind, 200, 90)
    long = draw(kind, 150, 1030)
    parts = (base[3:50, 7:80], base[::2, ::3], base.T[::3], base[:, :64], base[:1, :1])
    for weight in (base, base.T, *parts, long, long.T, long[:128].T, long[:3].T):
        packed = pack(weight, kind[1])
        k, n = weight.shape
        assert packed.is_contiguous()
        assert packed.data_ptr() % 64 == 0
        flat = packed.transpose(0, 1).reshape(k, -1)
        assert flat[:, :n].equal(weight)
        assert not flat[:, n:].any()


def test_the_source_names_the_version_of_its_tiles() -> None:
    assert digest() in source("float32", 8)


def test_the_machine_code_is_kept_beside_the_source(tmp_path: Path) -> None:
    text = source("float64", 2)
    assert compile_source(tmp_path, text).cache_hits == 0
    assert compile_source(tmp_path, text).cache_hits == 1
