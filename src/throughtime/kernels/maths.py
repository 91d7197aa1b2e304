"""Mathematical functions of vectors, branch-free, accurate to a few units in the last place over the whole range.

The polynomials interpolate at Chebyshev nodes, computed with 60 digits; their own error is below the last place.
"""

import math
from typing import Any

from llvmlite import ir

from throughtime.kernels.term import DOUBLE, FLOAT, INT, LONG, NUMBERS, Term, pointwise

# In this order: float32, float64.
FRACTION_BITS = {FLOAT: 23, DOUBLE: 52}
BIAS = {FLOAT: 127, DOUBLE: 1023}
# Added to a small number, it leaves no bits for a fraction: the sum ends in the nearest integer, in two's complement.
ROUNDER = {FLOAT: 1.5 * 2.0**23, DOUBLE: 1.5 * 2.0**52}
ROUNDER_BITS = {FLOAT: 0x4B400000, DOUBLE: 0x4338000000000000}
SQRT_HALF_BITS = {FLOAT: 0x3F3504F3, DOUBLE: 0x3FE6A09E667F3BCD}
SMALLEST_NORMAL = {FLOAT: 2.0**-126, DOUBLE: 2.0**-1022}
LN2_HIGH = {FLOAT: 0.6931471824645996, DOUBLE: 0.6931471805599453}
LN2_LOW = {FLOAT: -1.9046542121259336e-09, DOUBLE: 2.3190468138462996e-17}
EXP_RANGE = {FLOAT: (-104.0, 89.0), DOUBLE: (-746.0, 710.0)}  # beyond it e^x is 0 or infinity
ONE_RANGE = {FLOAT: 20.0, DOUBLE: 42.0}  # beyond it 1 + e^-x is 1

# fmt: off
# (e^r - 1 - r) / r^2, in powers of r, |r| <= ln 2 / 2
EXPONENTIAL = {
    FLOAT: (
        0.5, 0.1666657667, 0.04166655421, 0.008363232884, 0.001392625083,
    ),
    DOUBLE: (
        0.5, 0.16666666666666671, 0.0416666666666666698, 0.00833333333332608312, 0.00138888888888837112,
        0.000198412698750022788, 0.0000248015873256774619, 2.75572551700008874e-6, 2.75572734787185805e-7,
        2.51053127296221018e-8, 2.09147553258932022e-9,
    ),
}
# R(z) / z, in powers of z, z <= 0.0295
LOGARITHM = {
    FLOAT: (
        0.666666851, 0.3998875772, 0.2958098593,
    ),
    DOUBLE: (
        0.666666666666666971, 0.399999999998988905, 0.285714286262538376, 0.222222110893794962,
        0.181828924325368712, 0.153316117220550079, 0.14617807153417325,
    ),
}
# erf(x) / x - 1, in powers of x^2, |x| <= 1
ERROR_NEAR = {
    FLOAT: (
        0.1283791658, -0.3761262667, 0.1128359472, -0.02685421201, 0.005189087423, -0.0008016864287,
        7.875875063e-5,
    ),
    DOUBLE: (
        0.128379167095512567, -0.376126389031835404, 0.112837916709450063, -0.0268661706432377704,
        0.00522397760711642273, -0.000854832597538969208, 0.000120552949048397079,
        -0.0000149247369074196603, 1.64474247033173624e-6, -1.62084838018717059e-7, 1.37200645467776856e-8,
        -7.79589882700214224e-10,
    ),
}
# e^(a^2) erfc(a) / t with t = 1 / (1 + a/2), in powers of t - centre, 1 <= a <= limit
ERROR_FAR = {
    FLOAT: (
        0.5107913526, 0.6871608089, 0.5589439944, 0.1457330486, -0.1720302009, -0.1010786, 0.09489634377,
    ),
    DOUBLE: (
        0.483118996865305751, 0.641389373959885406, 0.539009822479261601, 0.172513195117099812,
        -0.148065858751537287, -0.126100109617004207, 0.0792463459084531815, 0.0806562918322155666,
        -0.075454759835257458, -0.0421092436136768263, 0.0835461899216817904, -0.00381108806886568357,
        -0.0796360274153610468, 0.0569606012907660575, 0.0458055446472760079, -0.0840096210576416528,
    ),
}
# fmt: on
ERROR_CENTRE = {FLOAT: 0.5, DOUBLE: 11 / 24}
ERROR_LIMIT = {FLOAT: 4.0, DOUBLE: 6.0}  # beyond it erf is 1


def fma(factor: Term, other: float | Term, addend: float | Term) -> Term:
    """factor * other + addend, rounded once."""
    return factor.call("fma", other, addend)


def polynomial(x: Term, coefficients: tuple[float, ...]) -> Term:
    """coefficients[0] + coefficients[1] x + ..., by Horner's rule."""
    result = x.number(coefficients[-1])
    for coefficient in reversed(coefficients[:-1]):
        result = fma(result, x, coefficient)
    return result


def bits(x: Term) -> Term:
    """The same bits as integers."""
    kind = ir.VectorType(INT if x.type.element == FLOAT else LONG, x.lanes)
    return x.of(x.builder.bitcast(x.value, kind))


def floats(n: Term) -> Term:
    """The same bits as floating-point numbers."""
    kind = ir.VectorType(FLOAT if n.type.element == INT else DOUBLE, n.lanes)
    return n.of(n.builder.bitcast(n.value, kind))


def clamp(x: Term, low: float, high: float) -> Term:
    """x between low and high; NaN stays NaN."""
    x = (x < low).choose(x.number(low), x)
    return (x > high).choose(x.number(high), x)


def with_sign(x: Term, sign: Term) -> Term:
    """|x| with the sign of `sign`."""
    return x.call("copysign", sign)


def two_to(n: Term) -> Term:
    """2^n for integers n of the exponent's range."""
    kind = FLOAT if n.type.element == INT else DOUBLE
    return floats((n + BIAS[kind]) << FRACTION_BITS[kind])


def nearest_two(x: Term) -> tuple[Term, Term]:
    """The integer n and e^r - 1, where x = n ln 2 + r and |r| <= ln 2 / 2.

    Source: Cody and Waite (1980), Software Manual for the Elementary Functions, chapter 6: ln 2 in two parts.
    """
    kind = x.type.element
    shifted = fma(x, 1 / math.log(2), ROUNDER[kind])
    n = shifted - ROUNDER[kind]
    r = fma(n, -LN2_LOW[kind], fma(n, -LN2_HIGH[kind], x))
    return bits(shifted) - ROUNDER_BITS[kind], fma(r * r, polynomial(r, EXPONENTIAL[kind]), r)


def exponential(x: Term) -> Term:
    """e^x = (1 + (e^r - 1)) 2^n; 2^n is applied in two halves, so that nothing overflows or underflows too early."""
    n, rest = nearest_two(clamp(x, *EXP_RANGE[x.type.element]))
    half = n >> 1
    return (rest + 1) * two_to(half) * two_to(n - half)


def exponential_minus_one(x: Term, low: float, high: float) -> Term:
    """e^x - 1 = 2 (2^(n-1) (e^r - 1) + (2^(n-1) - 1/2)), relatively accurate near 0; x is clamped."""
    n, rest = nearest_two(clamp(x, low, high))
    scale = two_to(n - 1)
    result = fma(scale, rest, scale - 0.5)
    return with_sign(result + result, x)


@pointwise()
def exp(x: Term) -> Term:
    """e^x."""
    return exponential(x)


@pointwise()
def expm1(x: Term) -> Term:
    """e^x - 1, relatively accurate near 0."""
    kind = x.type.element
    return exponential_minus_one(x, -ONE_RANGE[kind], EXP_RANGE[kind][1])


@pointwise()
def sigmoid(x: Term) -> Term:
    """1 / (1 + e^-x), relatively accurate for very negative x too."""
    kind = x.type.element
    n, rest = nearest_two(clamp(-x, -ONE_RANGE[kind], EXP_RANGE[kind][1]))
    return 1 / fma(fma(rest, 2, 2), two_to(n - 1), 1)


@pointwise()
def tanh(x: Term) -> Term:
    """tanh x = d / (d + 2) with d = e^2x - 1, relatively accurate near 0."""
    limit = ONE_RANGE[x.type.element]
    d = exponential_minus_one(x + x, -limit, limit)
    return d / (d + 2)


def logarithm(x: Term, correction: Term | None = None) -> Term:
    """ln x = k ln 2 + ln (1 + f), where x = 2^k (1 + f) and 1 + f lies between sqrt(1/2) and sqrt(2).

    Formula: ln (1 + f) = 2 artanh s = f - s (f - R(s^2)), s = f / (2 + f), where R(s^2) = 2/3 s^2 + 2/5 s^4 + ...
    Source: Cody and Waite (1980), chapter 5. `correction` is added to the small part.
    """
    kind = x.type.element
    fraction = FRACTION_BITS[kind]
    tiny = x < SMALLEST_NORMAL[kind]
    pattern = bits(tiny.choose(x * 2.0 ** (fraction + 1), x))
    k = (pattern - SQRT_HALF_BITS[kind]) >> fraction
    f = floats(pattern - (k << fraction)) - 1
    k = tiny.choose(k - (fraction + 1), k)
    k_real = floats(k + ROUNDER_BITS[kind]) - ROUNDER[kind]
    s = f / (f + 2)
    square = s * s
    near = fma(-s, f - square * polynomial(square, LOGARITHM[kind]), f)
    near = near if correction is None else near + correction
    result = fma(k_real, LN2_HIGH[kind], fma(k_real, LN2_LOW[kind], near))
    result = (x < math.inf).choose(result, x)
    outside = x.equals(0).choose(x.number(-math.inf), math.nan)
    return (x > 0).choose(result, outside)


@pointwise()
def log(x: Term) -> Term:
    """The natural logarithm; -inf at 0, NaN below."""
    return logarithm(x)


@pointwise()
def log1p(x: Term) -> Term:
    """ln (1 + x), relatively accurate near 0: with u = 1 + x as rounded, ln u + (x - (u - 1)) / u."""
    u = x + 1
    return with_sign(logarithm(u, (x - (u - 1)) / u), x)


@pointwise()
def erf(x: Term) -> Term:
    """The error function.

    Formula: x + x P(x^2) below 1; above, 1 - e^(-a^2) t Q(t), a = |x|, t = 1 / (1 + a/2).
    """
    kind = x.type.element
    near = fma(x, polynomial(x * x, ERROR_NEAR[kind]), x)
    size = x.call("fabs")
    far_size = clamp(size, 1.0, ERROR_LIMIT[kind])
    t = 2 / (far_size + 2)
    far = polynomial(t - ERROR_CENTRE[kind], ERROR_FAR[kind]) * t * exponential(-(far_size * far_size))
    return (size < 1).choose(near, with_sign(1 - far, x))


@pointwise()
def sqrt(x: Term) -> Term:
    """The square root, correctly rounded."""
    return x.call("sqrt")


@pointwise()
def rsqrt(x: Term) -> Term:
    """1 / sqrt(x)."""
    return 1 / x.call("sqrt")


@pointwise()
def reciprocal(x: Term) -> Term:
    """1 / x."""
    return 1 / x


@pointwise(NUMBERS)
def absolute(x: Term) -> Term:
    """|x|."""
    return x.call("fabs") if x.real else (x < 0).choose(-x, x)


@pointwise(NUMBERS)
def sign(x: Term) -> Term:
    """1, 0 or -1; 0 for NaN, as torch.sign."""
    return (x > 0).choose(x.number(1), (x < 0).choose(x.number(-1), 0))


@pointwise()
def floor(x: Term) -> Term:
    """The largest integer that is not above x."""
    return x.call("floor")


@pointwise()
def ceil(x: Term) -> Term:
    """The smallest integer that is not below x."""
    return x.call("ceil")


@pointwise()
def trunc(x: Term) -> Term:
    """x without its fraction."""
    return x.call("trunc")


@pointwise()
def round(x: Term) -> Term:
    """The nearest integer; of two equally near ones the even one."""
    return x.call("rint")


@pointwise()
def sin(x: Term) -> Term:
    """The sine, by the C library, lane by lane."""
    return x.call("sin")


@pointwise()
def cos(x: Term) -> Term:
    """The cosine, by the C library, lane by lane."""
    return x.call("cos")


@pointwise()
def power(x: Term, exponent: Term) -> Term:
    """x to the power of the exponent, by the C library, lane by lane."""
    return x.call("pow", exponent)


def _division_rest(a: Term, b: Term, quotient: Term) -> Term:
    """The exact rest of a / b for sizes a and b, where the quotient has no more bits than a fraction holds."""
    rest = fma(-quotient.call("trunc"), b, a)
    return (rest < 0).choose(rest + b, rest)  # the quotient was rounded up to the next integer


@pointwise()
def remainder(a: Term, b: Term) -> Term:
    """The rest of a / b with the sign of b, as torch.remainder; exact, but for adding b when the signs differ.

    Lanes with a quotient that is too large for one fused multiply-add, or with an infinite b, send the vector to
    the C library.
    """
    builder, kind = a.builder, a.type.element
    size_a, size_b = a.call("fabs"), b.call("fabs")
    quotient = size_a / size_b
    hard = (quotient >= 2.0 ** FRACTION_BITS[kind]) | size_b.equals(math.inf)
    fast = _division_rest(size_a, size_b, quotient)
    with builder.if_else(_any(hard)) as (then, otherwise):
        with then:
            slow, slow_block = builder.frem(size_a.value, size_b.value), builder.block
        with otherwise:
            fast_block = builder.block
    rest = builder.phi(a.type)
    rest.add_incoming(slow, slow_block)
    rest.add_incoming(fast.value, fast_block)
    signed = with_sign(a.of(rest), a)
    opposite = ((signed < 0) & (b > 0)) | ((signed > 0) & (b < 0))
    return opposite.choose(signed + b, signed)


def _any(mask: Term) -> Any:
    """Whether any lane of the mask is true, a scalar."""
    whole = ir.IntType(mask.lanes)
    return mask.builder.icmp_unsigned("!=", mask.builder.bitcast(mask.value, whole), whole(0))
