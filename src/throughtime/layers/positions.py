"""Positions: how attention, which sees a set, is told where in a sequence things stand."""

import math
from typing import Literal, NamedTuple

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from throughtime.errors import ArgumentError

PositionName = Literal["sinusoidal", "learnt", "rotary", "none"]
BASE = 10_000.0  # the longest wave is 2π of it


class Sinusoidal(nn.Module):
    """Adds to what stands at a place the sines and cosines of that place, in waves from short to long.

    Formula: y = x + P_t, P_t[2i] = sin(t / 10000^{2i/D}), P_t[2i + 1] = cos(t / 10000^{2i/D})
    Shapes: x B T D, places B T (or 1 T).
    Source: Vaswani et al. (2017), section 3.5. Angles are worked out in float64, so that far places stay apart.

    >>> Sinusoidal(4)(torch.zeros(1, 1, 4), torch.tensor([[0]])).tolist()
    [[[0.0, 1.0, 0.0, 1.0]]]
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        self.width = width

    def forward(self, x: Float[Tensor, "B T D"], places: Int[Tensor, "#B T"]) -> Float[Tensor, "B T D"]:
        """x, moved by its places."""
        angles = places[..., None] * frequencies(-(-self.width // 2), self.width, places.device)
        waves = torch.stack([angles.sin(), angles.cos()], -1).flatten(-2)[..., : self.width]
        return x + waves.to(x)


class Learnt(nn.Module):
    """Adds to what stands at a place a vector of that place, which is learnt.

    Formula: y = x + P_t; what stands beyond the last place has its P.
    Shapes: x B T D, places B T (or 1 T), P `places` D.
    Source: Gehring et al. (2017), section 3.1.

    >>> learnt = Learnt(2, 4)
    >>> y = learnt(torch.zeros(1, 3, 4), torch.tensor([[0, 1, 5]]))
    >>> torch.equal(y[0, 0], y[0, 1]), torch.equal(y[0, 1], y[0, 2])
    (False, True)
    """

    def __init__(self, places: int, width: int) -> None:
        super().__init__()
        if places < 1:
            raise ArgumentError(f"places must be at least 1; got {places}")
        self.weight = nn.Parameter(torch.empty(places, width))
        nn.init.normal_(self.weight, std=width**-0.5)

    def forward(self, x: Float[Tensor, "B T D"], places: Int[Tensor, "#B T"]) -> Float[Tensor, "B T D"]:
        """x, moved by its places."""
        return x + self.weight[places.clamp(max=len(self.weight) - 1)]


class Turns(NamedTuple):
    """The angles by which queries and keys of each place are turned."""

    cos: Tensor  # T d
    sin: Tensor  # T d


def turns(steps: int, width: int, like: Tensor) -> Turns:
    """The turns of the places 0 to `steps` − 1, for heads `width` wide, of the type and on the device of a tensor.

    Formula: angle[t, i] = angle[t, i + d/2] = t / 10000^{2i/d}
    Source: Su et al. (2021), "RoFormer", section 3.2.2.
    """
    rates = frequencies(width // 2, width, like.device)
    angles = torch.arange(steps, device=like.device)[:, None] * torch.cat([rates, rates])
    return Turns(angles.cos().to(like), angles.sin().to(like))


def turned(x: Float[Tensor, "*B T d"], by: Turns) -> Float[Tensor, "*B T d"]:
    """Queries or keys, turned by the angles of their places, so that their products depend on distances alone.

    Formula: (y_i, y_{i+d/2}) = (x_i cos a_i − x_{i+d/2} sin a_i, x_{i+d/2} cos a_i + x_i sin a_i)
    Source: Su et al. (2021), equation 34, with the pairs made of the two halves of a head, not of neighbours, which is
    the same but for the order of features.

    >>> q, k = torch.randn(2, 1, 4).expand(2, 6, 4)
    >>> products = turned(q, turns(6, 4, q)) @ turned(k, turns(6, 4, k)).T
    >>> torch.allclose(products[0, 2], products[3, 5], atol=1e-5)
    True
    """
    first, second = x.chunk(2, -1)
    return x * by.cos + torch.cat([-second, first], -1) * by.sin


def frequencies(count: int, width: int, device: torch.device) -> Float[Tensor, " count"]:
    """1 / 10000^{2i/D} for i from 0 on, in float64."""
    places = torch.arange(count, dtype=torch.float64, device=device)
    return torch.exp(places * (-2.0 / width * math.log(BASE)))


def make_positions(name: PositionName, width: int, places: int) -> Sinusoidal | Learnt | None:
    """What is added to inputs; nothing where positions are turns of queries and keys, or there are none."""
    if name not in ("sinusoidal", "learnt", "rotary", "none"):
        raise ArgumentError(f"positions must be 'sinusoidal', 'learnt', 'rotary' or 'none'; got {name!r:.80}")
    if name == "sinusoidal":
        return Sinusoidal(width)
    return Learnt(places, width) if name == "learnt" else None
