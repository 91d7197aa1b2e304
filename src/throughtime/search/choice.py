"""Choice: which candidates of a step go on, and which of its ends count."""

from typing import NamedTuple

import torch
from torch import Tensor

from throughtime.search.allowed import Said
from throughtime.search.phrases import Phrases


class Proposed(NamedTuple):
    """What a step may choose from: n beams with w rows each; of each row k symbols that go on, and its end."""

    totals: Tensor  # n w*k, log p so far, float64
    tokens: Tensor  # n w*k
    ends: Tensor  # n w


class Chosen(NamedTuple):
    """What may go on, by its places among the proposed, best first; and what of it and of the ends is among the best.

    An end takes the place of the worst that would go on, so that a beam of one is greedy search.
    """

    places: Tensor  # n W
    going: Tensor  # n W, whether it goes on
    ended: Tensor  # n w


def best(totals: Tensor, ends: Tensor, width: int) -> Chosen:
    """The `width` best that may go on, and which of them and of the ends are among the `width` best of both."""
    going = min(width, totals.shape[1])
    top, places = totals.topk(going)
    possible = ends > -torch.inf
    reached = possible & (ends >= top[:, -1:]) if going == width else possible
    if not bool(reached.any()):
        return Chosen(places, torch.ones_like(places, dtype=torch.bool), torch.zeros_like(possible))
    both = torch.cat((top, ends), 1)
    first = both.topk(min(width, both.shape[1])).indices
    among = torch.zeros_like(both, dtype=torch.bool).scatter_(1, first, True)
    return Chosen(places, among[:, :going], among[:, going:] & possible)


def diverse(proposed: Proposed, width: int, groups: int, diversity: float) -> Chosen:
    """The best of each group, where a symbol loses `diversity` for each time that groups before it chose it."""
    totals, tokens, ends = (part.view(-1, groups, part.shape[1]) for part in proposed)
    said = tokens.new_empty(len(tokens), 0)
    times_ended = ends.new_zeros(len(ends), 1)
    chosen = []
    for group in range(groups):
        own = tokens[:, group]
        lost = diversity * (own[:, :, None] == said[:, None]).sum(-1)
        chosen.append(best(totals[:, group] - lost, ends[:, group] - diversity * times_ended, width))
        said = torch.cat((said, own.gather(1, chosen[-1].places)), 1)
        times_ended = times_ended + chosen[-1].ended.sum(1, keepdim=True)
    return Chosen(*(torch.stack(columns, 1).flatten(0, 1) for columns in zip(*chosen, strict=True)))


def banked(proposed: Proposed, width: int, required: Phrases, said: Said, room: Tensor) -> Chosen:
    """The best where each bank has its share of the places; a bank is how much of the required words was said.

    Those that may not have room for the rest come last. Shapes: room n, how many symbols fit after this one.
    """
    assert said.required is not None
    assert said.met is not None
    beams, rows = proposed.ends.shape
    count = proposed.totals.shape[1] // rows
    nodes = required.next(said.required.repeat_interleave(count), proposed.tokens.flatten())
    met = said.met.repeat_interleave(count, 0) | required.ending[nodes]
    lengths = required.lengths.repeat_interleave(len(met) // max(1, len(required.lengths)), 0)
    whole = required.lengths.sum(1, keepdim=True).expand(-1, rows)
    banks = torch.cat((required.said(nodes, met, lengths).view(beams, -1), whole), 1)
    totals = torch.cat((proposed.totals, proposed.ends), 1)
    fits = whole[:, :1] - banks <= room[:, None]
    keys = _keys(totals, banks, fits, width)
    return best(keys[:, : rows * count], keys[:, rows * count :], width)


def _keys(totals: Tensor, banks: Tensor, fits: Tensor, width: int) -> Tensor:
    """Numbers that order candidates: those that fit first, of these the best of each bank, of these the best."""
    order = totals.argsort(dim=1, descending=True, stable=True)
    possible, none = totals > -torch.inf, int(banks.max()) + 1
    banks = banks.masked_fill(~possible, none)  # a bank of its own for what is impossible, after all others
    by_bank = banks.gather(1, order).argsort(dim=1, stable=True)
    sizes = banks.new_zeros(len(banks), none + 1).scatter_add_(1, banks, torch.ones_like(banks))
    ordered = order.gather(1, by_bank)  # bank after bank, the best of each first
    numbers = torch.arange(order.shape[1], device=order.device).expand_as(order)
    within_bank = numbers - (sizes.cumsum(1) - sizes).gather(1, banks.gather(1, ordered))
    place = torch.empty_like(order).scatter_(1, ordered, within_bank)
    share = _shares(torch.nn.functional.pad(sizes[:, :none] > 0, (0, 1)), width)
    has_place = place < share.gather(1, banks)
    ranks = torch.empty_like(order).scatter_(1, order, numbers)
    tier = 2 * fits + 1 * has_place
    return (tier * order.shape[1] - ranks).double().masked_fill(~possible, -torch.inf)


def _shares(filled: Tensor, width: int) -> Tensor:
    """Even shares of `width` places among the banks (n C) that are filled; what remains is for those that said most."""
    banks = filled.sum(1, keepdim=True).clamp(min=1)
    from_most = filled.flip(1).cumsum(1).flip(1)
    return width // banks * filled + (filled & (from_most <= width % banks))
