"""Allowed: the rules of a batch of sources, as tensors that say what each hypothesis may say next."""

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from throughtime import tree
from throughtime.errors import ArgumentError
from throughtime.search.forbidden import Forbidden
from throughtime.search.phrases import Phrases
from throughtime.search.rules import Phrase, Rules


class Said(NamedTuple):
    """What the rules need to know of each hypothesis (N rows, as a state has): where automata are, and what was met."""

    forbidden: Tensor | None  # N
    required: Tensor | None  # N
    met: Tensor | None  # N P


class Allowed(NamedTuple):
    """The rules of a batch of B sources; the hypotheses of a source stand together, as in a state."""

    end: int
    shortest: Tensor  # B
    longest: Tensor  # B
    prefixes: Tensor  # B P, -1 past the end of each
    forbidden: Forbidden | None
    begun: Tensor  # B, where the automaton of forbidden words begins
    required: Phrases | None
    slowest: int  # the largest shortest, of the sources that began
    first_limit: int  # the least longest, of the sources that began

    @classmethod
    def of(
        cls, rules: Sequence[Rules], longest: Sequence[int], prefixes: Sequence[Phrase], log_probabilities: Tensor
    ) -> "Allowed":
        """The rules of sources whose first log-probabilities are these (B V)."""
        sources, vocab = log_probabilities.shape
        if sources != len(longest):
            raise ArgumentError(f"there are {sources} sources and {len(longest)} limits: longest has one for each")
        for at, (one, prefix) in enumerate(zip(rules, prefixes, strict=True)):
            if at == 0 or one is not rules[at - 1] or prefix != prefixes[at - 1]:
                one.check_symbols(prefix, vocab)
        if len({one.spelling for one in rules}) > 1:
            raise ArgumentError("all rules need the same spelling")
        device = log_probabilities.device
        most = max(map(len, prefixes), default=0)
        begins = [[*prefix, *[-1] * (most - len(prefix))] for prefix in prefixes]
        shortest = [one.shortest for one in rules]
        forbidden, begun = Forbidden.of(rules, vocab, device) or (None, torch.zeros(sources, device=device))
        return cls(
            end=rules[0].end if rules else 0,
            shortest=torch.tensor(shortest, dtype=torch.int64, device=device),
            longest=torch.tensor(list(longest), dtype=torch.int64, device=device),
            prefixes=torch.tensor(begins, dtype=torch.int64, device=device).view(sources, most),
            forbidden=forbidden,
            begun=begun,
            required=Phrases.of([one.wanted for one in rules], vocab, device),
            slowest=max(shortest, default=0),
            first_limit=min(longest, default=0),
        )

    def begin(self) -> Said:
        """What was said before the first symbol, a row a source."""
        return Said(
            self.begun if self.forbidden else None,
            self.required.roots if self.required else None,
            self.required.lengths == 0 if self.required else None,
        )

    def follow(self, said: Said, tokens: Tensor) -> Said:
        """What was said after one more symbol each (N)."""
        forbidden, required, met = said
        if self.forbidden is not None and forbidden is not None:
            forbidden = self.forbidden.next(forbidden, tokens)
        if self.required is not None and required is not None and met is not None:
            required = self.required.next(required, tokens)
            met = met | self.required.ending[required]
        return Said(forbidden, required, met)

    def restricts(self, time: int) -> bool:
        """Whether anything that a model could say after `time` symbols is not allowed."""
        return self.forbidden is not None or self.required is not None or self._is_early(time)

    def restrict(self, table: Tensor, said: Said, time: int) -> None:
        """Makes what is not allowed after `time` symbols impossible, in place. Shapes: table N V or wider."""
        if self.forbidden is not None and said.forbidden is not None:
            self.forbidden.restrict(table, said.forbidden)
        if said.met is not None:
            table[:, self.end].masked_fill_(~said.met.all(1), -torch.inf)
        if not self._is_early(time):
            return
        copies = len(table) // max(1, len(self.shortest))
        early = (time < self.shortest).repeat_interleave(copies)
        table[:, self.end].masked_fill_(early, -torch.inf)
        if time < self.prefixes.shape[1]:
            forced = self.prefixes[:, time].repeat_interleave(copies)[:, None]
            is_forced, symbol = forced >= 0, forced.clamp(min=0)
            kept = table.gather(1, symbol)
            table.masked_fill_(is_forced, -torch.inf).scatter_(1, symbol, kept)

    def take(self, groups: Tensor) -> "Allowed":
        """The rules of some of the sources."""
        shortest, longest, prefixes = tree.take((self.shortest, self.longest, self.prefixes), groups)
        return self._replace(
            shortest=shortest,
            longest=longest,
            prefixes=prefixes,
            begun=self.begun[groups],
            required=self.required and self.required.take(groups),
        )

    def _is_early(self, time: int) -> bool:
        """Whether a prefix or a shortest length may still rule after `time` symbols."""
        return time < max(self.slowest, self.prefixes.shape[1])
