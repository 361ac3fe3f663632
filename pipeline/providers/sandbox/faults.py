"""What the sandbox does wrong on purpose: a spec such as ``latency=200ms,429=3x,drop-after=0.05,seed=7``, and its dice."""

from __future__ import annotations

import random
import re
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field

from pipeline.errors import UsageError

FAULTS: dict[str, str] = {
    "refuse": "400: the call is refused for an address Mailgun does not name",
    "401": "401: the key is refused",
    "429": "429: throttled, with how long to wait in the text",
    "5xx": "500 before anything is stored",
    "5xx-after": "503 although the call was taken and stored",
    "drop-before": "the connection is closed without an answer and nothing was stored",
    "drop-after": "the connection is closed without an answer although the call was taken and stored",
    "accept-then-timeout": "the call was taken and stored, and no answer comes until the caller has given up",
    "half": "the call was taken and stored, and the connection is closed in the middle of the answer",
    "drip": "the call was taken and stored, and the answer comes byte by byte, five a second",
    "json": "the call was taken and stored, and the answer is a 200 whose JSON breaks off",
}
"""Every fault that can be asked for by probability or count; ``latency``, ``lag`` and ``seed`` come on top."""

_DURATION = re.compile(r"(\d+(?:\.\d+)?)(ms|s)")
_COUNT = re.compile(r"(\d+)x")


@dataclass(frozen=True, slots=True)
class Often:
    """How often a fault strikes: a probability for each call, or the first ``count`` calls."""

    probability: float = 0.0
    count: int | None = None


@dataclass(frozen=True, slots=True)
class Faults:
    """What was asked for. The empty one is a provider without faults."""

    latency_s: float = 0.0
    lag_s: float = 0.0
    #: The search shows a mail only so long after it was taken.
    often: Mapping[str, Often] = field(default_factory=dict)
    seed: int = 0


class Dice:
    """Decides call by call; the same faults and the same order of calls give the same fates. Safe from several threads."""

    def __init__(self, faults: Faults, chance: random.Random) -> None:
        self.latency_s, self.lag_s = faults.latency_s, faults.lag_s
        self._often = faults.often
        self._chance = chance
        self._left = {name: often.count for name, often in faults.often.items() if often.count is not None}
        self._lock = threading.Lock()

    def strikes(self, name: str) -> bool:
        """Whether the fault of that name happens to this call."""
        often = self._often.get(name)
        if often is None:
            return False
        with self._lock:
            if name not in self._left:
                return self._chance.random() < often.probability
            self._left[name] -= 1
            return self._left[name] >= 0


def parse_faults(spec: str) -> Faults:
    """Reads a spec: ``name=0.05`` a probability, ``name=3x`` the first three calls, a bare name always, ``latency=200ms``, ``lag=5s``.

    UsageError for an unknown name (naming the known ones), a name given twice or a value that is none.
    """
    latency_s, lag_s, seed = 0.0, 0.0, 0
    often: dict[str, Often] = {}
    seen: set[str] = set()
    for item in filter(None, (item.strip() for item in spec.split(","))):
        name, _, value = (part.strip() for part in item.partition("="))
        if name in seen:
            raise UsageError(f"the fault {name!r} is given twice")
        seen.add(name)
        if name == "latency":
            latency_s = _seconds(name, value)
        elif name == "lag":
            lag_s = _seconds(name, value)
        elif name == "seed":
            seed = _seed(value)
        elif name in FAULTS:
            often[name] = _often(name, value)
        else:
            known = ", ".join(["latency", "lag", *FAULTS, "seed"])
            raise UsageError(f"the sandbox knows no fault {name!r}", hint=f"It knows: {known}.")
    return Faults(latency_s=latency_s, lag_s=lag_s, often=often, seed=seed)


def _often(name: str, value: str) -> Often:
    if not value:
        return Often(probability=1.0)
    if count := _COUNT.fullmatch(value):
        return Often(count=int(count[1]))
    try:
        probability = float(value)
    except ValueError:
        probability = -1.0
    if not 0.0 <= probability <= 1.0:
        hint = "For instance 0.05, or 3x for the first three."
        raise UsageError(f"{name}={value} is neither a probability (0 to 1) nor a count", hint=hint)
    return Often(probability=probability)


def _seconds(name: str, value: str) -> float:
    if not (found := _DURATION.fullmatch(value)):
        raise UsageError(f"{name}={value} is not a duration", hint=f"For instance {name}=200ms or {name}=2s.")
    return float(found[1]) / (1000 if found[2] == "ms" else 1)


def _seed(value: str) -> int:
    if not value.isdecimal():
        raise UsageError(f"seed={value} is not a whole number", hint="For instance seed=7.")
    return int(value)
