"""Items with a depth, one after another, as word processors keep them -> nested lists."""

from __future__ import annotations

from dataclasses import dataclass, field

from pipeline.core.issue import Block, ListBlock


@dataclass(slots=True)
class _Level:
    """A list being filled."""

    level: int
    ordered: bool
    key: str
    start: int
    line: int
    items: list[list[Block]] = field(default_factory=list)

    def block(self) -> ListBlock:
        return ListBlock(ordered=self.ordered, items=tuple(tuple(item) for item in self.items), start=self.start, line=self.line)


class Lists:
    """Gathers list items and puts each finished list into ``out``."""

    def __init__(self, out: list[Block]) -> None:
        self.out = out
        self.open: list[_Level] = []
        self.counted: dict[str, int] = {}
        #: How many items a numbered list has, by its key: one that a paragraph interrupts goes on counting.

    def add(self, block: Block, *, level: int, ordered: bool, key: str, start: int) -> None:
        """Takes one item; ``key`` tells lists apart that follow one another."""
        level = min(level, 5)
        while self.open and self.open[-1].level > max(level, self.open[0].level):
            self._up()
        last = self.open[-1] if self.open else None
        if last is not None and last.level == level and (last.ordered, last.key) != (ordered, key):
            self._up()
        if not self.open or self.open[-1].level < level:
            count = self.counted.get(key, 0) if not self.open and ordered else 0
            self.open.append(_Level(level, ordered, key, start + count, block.line))
        self.open[-1].items.append([block])
        if len(self.open) == 1:
            self.counted[key] = self.counted.get(key, 0) + 1

    def close(self) -> None:
        """Ends all open lists."""
        while self.open:
            self._up()

    def _up(self) -> None:
        done = self.open.pop().block()
        if self.open:
            self.open[-1].items[-1].append(done)
        else:
            self.out.append(done)
