"""A kernel as readable Numba source: one function of one table of 8-byte words, with all addresses and sizes.

Nothing in the source depends on sizes, so one compilation serves a cell of any width. The emitter lists which words
it reads; whoever runs the kernel fills them in, in that order.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field

from throughtime.kernels import vector
from throughtime.kernels.expression import REDUCTIONS, Graph, Node, Source
from throughtime.kernels.schedule import Area, Kernel, Level, Multiply, Pass, Sink
from throughtime.kernels.values import Product

# A word of the table: what it is, of which area, size or product. Rows and steps are strides; all are in bytes.
Word = tuple[str, Area | int | None]

FIXED = ("chunks", "starts", "order", "lengths", "descending", "resets", "resets_rows", "resets_steps")
TIMED = ("z", "output", "saved", "spare", "z_grad")  # areas with a place for every row and time
SYMBOLS = {
    "add": "{} + {}", "subtract": "{} - {}", "multiply": "{} * {}", "divide": "{} / {}", "negative": "-{}",
    "less": "{} < {}", "at_most": "{} <= {}", "more": "{} > {}", "at_least": "{} >= {}",
    "equal": "{} == {}", "differs": "{} != {}", "and": "{} & {}", "or": "{} | {}", "not": "~{}",
}  # fmt: skip
BYTES = {"float32": 4, "float64": 8, "int64": 8, "bool": 1}
STORED = {"sum": "total", "max": "highest"}


@dataclass(frozen=True)
class Emitted:
    """Source of a module with a cfunc `sweep(table)`, and the words that its table holds after the first."""

    text: str
    words: list[Word]


def emit(
    graph: Graph, kernel: Kernel, products: Sequence[Product], state: list[Area], lanes: int, title: str
) -> Emitted:
    """The source of a kernel. `state` are the areas that are handed on from step to step."""
    return _Emitter(graph, kernel, products, state, lanes, title).emit()


@dataclass
class _Emitter:
    graph: Graph
    kernel: Kernel
    products: Sequence[Product]
    state: list[Area]
    lanes: int
    title: str
    words: list[Word] = field(default_factory=list)
    names: dict[Word, str] = field(default_factory=dict)
    imports: set[str] = field(default_factory=set)
    memory: dict[str, str] = field(default_factory=dict)
    kept: set[int] = field(default_factory=set)  # uniform values already named in this loop over rows
    rows: dict[str, str] = field(default_factory=dict)  # row addresses in this loop: name to expression
    elements: dict[Area, str] = field(default_factory=dict)

    def emit(self) -> Emitted:
        fixed = {name: self.word(name, None) for name in FIXED}
        assert list(fixed) == list(FIXED)
        groups = self._groups()
        lines = ["for step in range(longest):", "    t = longest - 1 - step if descending else step"]
        lines += ["    " + line for line in (*ACTIVE.splitlines(), *self._reset(), *groups, *self._after())]
        lines += [f"    {old}, {new} = {new}, {old}" for old, new in map(self._buffers, self.state)]
        body = [*self._begin(), *lines, *self._end()]
        reads = [f"{self.names[word]} = word(table, {n + 1})" for n, word in enumerate(self.words)]
        text = HEAD.format(title=re.sub(r"[^\w .]", "_", self.title), imports=self._imports())
        text += "\n".join("    " + line for line in reads) + CHUNKS
        body.append("chunk = take(table)")
        return Emitted(text + "\n".join("        " + line for line in body) + "\n", self.words)

    def word(self, kind: str, which: Area | int | None) -> str:
        """The name of a word of the table."""
        key = (kind, which)
        if key not in self.names:
            if kind == "size":
                name = f"n{sum(word[0] == 'size' for word in self.words)}"
            else:
                owner = "".join(str(part) for part in which) if isinstance(which, tuple) else f"product{which}"
                name = kind if which is None else f"{owner}_{kind}"
            self.names[key] = name
            self.words.append(key)
        return self.names[key]

    def size(self, units: int) -> str:
        """A width or offset: a number only when it is nothing or one."""
        return str(units) if units in (0, 1) else self.word("size", units)

    def use(self, function: str) -> str:
        """Imports a function of the vectors."""
        self.imports.add(function)
        return function

    def touch(self, what: str, element: str) -> str:
        """load, store, spread or fill for an element type."""
        name = f"{what}_{element}"
        self.memory[name] = f'{name} = {self.use(what)}("{element}", {self.lanes})'
        return name

    def _imports(self) -> str:
        vectors = {name for name in self.imports if hasattr(vector, name)} | {"word"}
        lines = [f"from throughtime.kernels.maths import {', '.join(sorted(self.imports - vectors))}"]
        lines = lines if self.imports - vectors else []
        lines += [f"from throughtime.kernels.vector import {', '.join(sorted(vectors))}", ""]
        return "\n".join([*lines, *sorted(self.memory.values())])

    def _buffers(self, area: Area) -> tuple[str, str]:
        kind, which = area
        return f"{kind}{which}_old", f"{kind}{which}_new"

    def _begin(self) -> list[str]:
        """Both buffers of the state start as the state that came."""
        lines = ["longest = word(lengths, begin) if end > begin else 0", "active = 0"]
        for area in self.state:
            old, new = self._buffers(area)
            lines += [f"{old} = {self.word('first', area)}", f"{new} = {self.word('second', area)}"]
        lines += ["for slot in range(begin, end):", "    row = word(order, slot)"]
        for area in self.state:
            given = f"{self.word('given', area)} + row * {self.word('bytes', area)}"
            for buffer in self._buffers(area):
                target = f"{buffer} + slot * {self.word('stride', area)}"
                lines.append(f"    copy({target}, {given}, {self.word('bytes', area)})")
        return lines

    def _end(self) -> list[str]:
        """The state that each row ended with: which buffer it is in depends on how many steps were taken till then."""
        lines = ["for slot in range(begin, end):", "    row = word(order, slot)"]
        lines += ["    taken = longest if descending else word(lengths, slot)"]
        for area in self.state:
            first, second = self.word("first", area), self.word("second", area)
            source = f"({second} if taken & 1 else {first}) + slot * {self.word('stride', area)}"
            target = f"{self.word('final', area)} + row * {self.word('bytes', area)}"
            lines.append(f"    copy({target}, {source}, {self.word('bytes', area)})")
        return lines

    def _marked(self) -> list[str]:
        return [
            "if resets:",
            "    for slot in range(begin, begin + active):",
            "        row = word(order, slot)",
            "        if byte(resets + row * resets_rows + t * resets_steps):",
        ]

    def _reset(self) -> list[str]:
        """Before a step of the forward kernel: rows that are marked begin anew."""
        if any(area[0] != "state" for area in self.state):
            return []
        lines = self._marked()
        for area in self.state:
            source = f"{self.word('anew', area)} + row * {self.word('bytes', area)}"
            target = f"{self._buffers(area)[0]} + slot * {self.word('stride', area)}"
            lines.append(f"            copy({target}, {source}, {self.word('bytes', area)})")
        return lines if self.state else []

    def _after(self) -> list[str]:
        """After a step of the backward kernel: a gradient that reaches a reset goes to the state it was reset to."""
        if not self.state or self.state[0][0] != "cotangent":
            return []
        lines = self._marked()
        for area in self.state:
            element = self.elements_of(area)
            load, store = self.touch("load", element), self.touch("store", element)
            source = f"{self._buffers(area)[1]} + slot * {self.word('stride', area)}"
            width = f"{self.word('bytes', area)} // {BYTES[element]}"
            lines += [f"            source = {source}"]
            lines += [f"            target = {self.word('anew', area)} + row * {self.word('bytes', area)}"]
            lines += [f"            for j in range(0, {width}, {self.lanes}):"]
            lines += [f"                n = min({self.lanes}, {width} - j)"]
            lines += [f"                {store}(target, j, n, {load}(target, j, n) + {load}(source, j, n))"]
            lines += [f"            clear(source, {self.word('bytes', area)})"]
        return lines

    def elements_of(self, area: Area) -> str:
        """The element type of an area, known once anything is stored there."""
        if area in self.elements:
            return self.elements[area]
        for level in self.kernel.levels:
            for one in level.passes:
                for sink in one.sinks:
                    self.elements[sink.area] = self.graph[sink.node].element
            for m in level.multiplies:
                self.elements[m.target] = self.products[m.product].element
        return self.elements[area]

    def _groups(self) -> list[str]:
        """The levels; those with no product between them share one loop over rows."""
        lines: list[str] = []
        loop: list[str] = []
        for level in self.kernel.levels:
            if level.multiplies:
                lines += self._rows(loop)
                loop = []
                lines += [self._multiply(multiply) for multiply in level.multiplies]
            for one in level.passes:
                loop += self._pass(one, level)
        return lines + self._rows(loop)

    def _rows(self, loop: list[str]) -> list[str]:
        """A loop over the active rows around what is done for each."""
        addresses = [f"    {name} = {value}" for name, value in self.rows.items()]
        self.rows, self.kept = {}, set()
        if not loop:
            return []
        head = ["for slot in range(begin, begin + active):", "    row = word(order, slot)"]
        return [*head, *addresses, *("    " + line for line in loop)]

    def _multiply(self, multiply: Multiply) -> str:
        product, element = self.products[multiply.product], self.products[multiply.product].element
        inside = sum(piece.width for piece in product.rows.pieces)

        def side(area: Area, new: bool) -> tuple[str, str]:
            base = self._buffers(area)[new] if area in self.state else self.word("base", area)
            stride = self.word("stride", area)
            return f"{base} + begin * {stride}", f"{stride} // {BYTES[element]}"

        (a, lda), (c, ldc) = side(multiply.source, False), side(multiply.target, True)
        weight = self.word("weight", multiply.product)
        numbers = f"active, {self.size(inside)}, {self.size(product.width)}, {int(multiply.adds)}"
        function = self.word("function", ("product", element))
        return f"multiply({function}, {a}, {lda}, {weight}, {c}, {ldc}, {numbers})"

    def _address(self, source: Source, new: bool = False) -> str:
        """The name of the address of this row (and time) in an area."""
        kind, which = source
        name = f"{kind}{which}"
        if kind == "shared":
            return self.word("base", source)
        if source in self.state:
            buffer = self._buffers(source)[new]
            name, value = f"{buffer}_row", f"{buffer} + slot * {self.word('stride', source)}"
        elif kind in TIMED or source == ("cotangent", 0):
            strides = f"row * {self.word('rows', source)} + t * {self.word('steps', source)}"
            name, value = f"{name}_row", f"{self.word('base', source)} + {strides}"
        else:
            place = "row" if kind == "total" else "slot"
            name, value = f"{name}_row", f"{self.word('base', source)} + {place} * {self.word('stride', source)}"
        self.rows[name] = value
        return name

    def _pass(self, one: Pass, level: Level) -> list[str]:
        """One loop over units, with the values that are the same at every unit worked out before it."""
        sinks = [sink for sink in one.sinks if sink.node not in one.reductions]
        roots = [sink.node for sink in sinks] + [self.graph[r].operands[0] for r in one.reductions]
        needed = self._needed(roots, one)
        before = [line for number in needed if self.graph[number].uniform for line in self._name(number, one)]
        inside = [line for number in needed if not self.graph[number].uniform for line in self._name(number, one)]
        inside += [self._accumulate(number) for number in one.reductions]
        inside += [line for sink in sinks for line in self._store(sink)]
        start = [f"{self._variable(number)} = {self._nothing(number)}" for number in one.reductions]
        finish = [
            f"{self._variable(n)} = {self.use(STORED[self.graph[n].operation])}({self._variable(n)})"
            for n in one.reductions
        ]
        finish += [
            line
            for n in one.reductions
            if (sink := self.kernel.stored.get((n, 1)))
            for line in self._store(sink, single=True)
        ]
        self.kept.update(one.reductions)
        return [*before, *start, *self._loop(one.width, inside), *finish]

    def _loop(self, width: int, inside: list[str]) -> list[str]:
        """A vector of units at a time, the last one masked; a single unit needs no loop."""
        if not inside:
            return []
        if width == 1:
            return ["j, n = 0, 1", *inside]
        units = self.size(width)
        head = [f"for j in range(0, {units}, {self.lanes}):", f"    n = min({units} - j, {self.lanes})"]
        return [*head, *("    " + line for line in inside)]

    def _needed(self, roots: list[int], one: Pass) -> list[int]:
        """What a pass has to work out, operands first; not what a row's loop or scratch has already."""

        def inside(number: int) -> tuple[int, ...]:
            known = number in self.kept or self._in_scratch(number, one)
            return () if known or self.graph[number].operation in REDUCTIONS else self.graph[number].operands

        return [number for number in self.graph.ordered(roots, inside) if number not in self.kept]

    def _in_scratch(self, number: int, one: Pass) -> Sink | None:
        """Where an earlier pass has left the value for this one."""
        sink = self.kernel.stored.get((number, 1 if self.graph[number].uniform else one.width))
        return None if sink in one.sinks or number in one.reductions else sink

    def _variable(self, number: int) -> str:
        return f"v{number}"

    def _name(self, number: int, one: Pass) -> list[str]:
        """The line that works out a value."""
        node = self.graph[number]
        if node.uniform:
            self.kept.add(number)
        if sink := self._in_scratch(number, one):
            how = "spread" if node.uniform else "load"
            node = Node(how, (), (*sink.area, sink.offset), node.element, node.uniform)
        return [f"{self._variable(number)} = {self._expression(node)}"]

    def _expression(self, node: Node) -> str:
        operands = [self._variable(operand) for operand in node.operands]
        match node.operation:
            case "constant":
                value = node.detail[0]
                text = repr(value).replace("inf", "np.inf").replace("nan", "np.nan")
                return f"{self.touch('fill', node.element)}({text})"
            case "size":
                return f"{self.touch('fill', node.element)}({self.size(node.detail[0])})"
            case "load":
                address, offset = self._address(node.source), self.size(node.offset)
                place = "j" if offset == "0" else f"{offset} + j"
                return f"{self.touch('load', node.element)}({address}, {place}, n)"
            case "spread":
                return f"{self.touch('spread', node.element)}({self._address(node.source)}, {self.size(node.offset)})"
        if node.operation in SYMBOLS:
            return SYMBOLS[node.operation].format(*operands)
        return f"{self.use(node.operation)}({', '.join(operands)})"

    def _nothing(self, number: int) -> str:
        node = self.graph[number]
        return f"{self.touch('fill', node.element)}({'0' if node.operation == 'sum' else '-np.inf'})"

    def _accumulate(self, number: int) -> str:
        node, name = self.graph[number], self._variable(number)
        operand = self._variable(node.operands[0])
        if node.operation == "sum":
            return f"{name} = {name} + {self.use('first')}({operand}, n)"
        return f"{name} = {self.use('maximum')}({name}, {self.use('first_or')}({operand}, n, -np.inf))"

    def _store(self, sink: Sink, single: bool = False) -> list[str]:
        element = self.graph[sink.node].element
        self.elements[sink.area] = element
        address, offset = self._address(sink.area, new=True), self.size(sink.offset)
        place = offset if single else "j" if offset == "0" else f"{offset} + j"
        value, count = self._variable(sink.node), "1" if single else "n"
        store = self.touch("store", element)
        if sink.adds:
            value = f"{self.touch('load', element)}({address}, {place}, {count}) + {value}"
        return [f"{store}({address}, {place}, {count}, {value})"]


ACTIVE = """\
while active < end - begin and word(lengths, begin + active) > t:
    active += 1
while active > 0 and word(lengths, begin + active - 1) <= t:
    active -= 1"""

HEAD = '''"""{title}

Emitted by throughtime; rows are sorted by length, longest first, and split in chunks that threads take in turn.
"""

import numpy as np
from numba import cfunc, types

from throughtime.kernels.launch import take
from throughtime.kernels.machine import byte, clear, copy, multiply
from throughtime.kernels.passes import Straight
{imports}


@cfunc(types.void(types.int64), nopython=True, cache=True, error_model="numpy", pipeline_class=Straight)
def sweep(table):
'''

CHUNKS = """
    chunk = take(table)
    while chunk < chunks:
        begin, end = word(starts, chunk), word(starts, chunk + 1)
"""
