"""Amounts over time, as `kubemu.dev/` annotations write them. Pure.

`250m` is the same at all times; `0s=100m,10m=2,20m=100m` says what it is when.

Between two points the amount goes in a straight line; before the first and after the last it stays
as it is there. With `,repeat` at the end it begins anew at the last point.
"""

import itertools
import math
from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from cluster.api import durations, quantity

MAX_POINTS: Final = 256
MAX_LENGTH: Final = 8192
MAX_SECONDS: Final = 3.2e9
_REPEAT: Final = "repeat"


@dataclass(frozen=True, slots=True)
class Curve:
    """`times` in seconds, ascending from 0 or more, and the amount at each of them.

    At least one of each. A curve that repeats has a last time that is more than 0.
    """

    times: tuple[float, ...]
    amounts: tuple[float, ...]
    repeats: bool = False

    @property
    def constant(self) -> bool:
        """Whether it is the same at all times."""
        return len(self.times) == 1

    def at(self, seconds: float) -> float:
        """The amount so many seconds after the beginning."""
        if self.constant:
            return self.amounts[0]
        if self.repeats:
            seconds %= self.times[-1]
        return self._straight(seconds)

    def area(self, seconds: float) -> float:
        """The amount times seconds that has gathered since the beginning; it never falls."""
        if self.constant:
            return self.amounts[0] * seconds
        if not self.repeats:
            return self._gathered(seconds)
        rounds, rest = divmod(seconds, self.times[-1])
        return rounds * self._gathered(self.times[-1]) + self._gathered(rest)

    def capped(self, most: float) -> "Curve":
        """The same, and never more than `most`."""
        if max(self.amounts) <= most:
            return self
        times, amounts = [self.times[0]], [min(self.amounts[0], most)]
        for index in range(1, len(self.times)):
            (begin, low), (end, high) = self._point(index - 1), self._point(index)
            if (low - most) * (high - most) < 0:
                times.append(begin + (end - begin) * (most - low) / (high - low))
                amounts.append(most)
            times.append(end)
            amounts.append(min(high, most))
        return Curve(tuple(times), tuple(amounts), self.repeats)

    def exceeds(self, most: float) -> float:
        """How many seconds after the beginning it is first more than `most`; inf for never."""
        if self.amounts[0] > most:
            return 0.0
        for index in range(1, len(self.times)):
            (begin, low), (end, high) = self._point(index - 1), self._point(index)
            if high > most:
                return begin + (end - begin) * (most - low) / (high - low)
        return math.inf

    def _point(self, index: int) -> tuple[float, float]:
        return self.times[index], self.amounts[index]

    def _straight(self, seconds: float) -> float:
        after = bisect_right(self.times, seconds)
        if after == 0:
            return self.amounts[0]
        if after == len(self.times):
            return self.amounts[-1]
        (begin, low), (end, high) = self._point(after - 1), self._point(after)
        return low + (high - low) * (seconds - begin) / (end - begin)

    def _gathered(self, seconds: float) -> float:
        total = self.amounts[0] * min(seconds, self.times[0])
        for index in range(1, len(self.times)):
            (begin, low), end = self._point(index - 1), self.times[index]
            if seconds <= begin:
                return total
            until = min(seconds, end)
            total += (low + self._straight(until)) / 2 * (until - begin)
        return total + self.amounts[-1] * max(seconds - self.times[-1], 0.0)


@lru_cache(4096)
def parse(text: str, parts: int = 1) -> Curve:
    """The curve of a text, its amounts in `parts` of their unit. ValueError with a sentence."""
    if "=" not in text:
        return Curve((0.0,), (_amount(text, parts),))
    if len(text) > MAX_LENGTH:
        raise ValueError(f"a curve has {MAX_LENGTH} characters at most")
    points = [point.strip() for point in text.split(",")]
    repeats = points[-1] == _REPEAT
    if repeats:
        points.pop()
    return _checked([_pair(point, parts) for point in points], repeats=repeats)


def _checked(pairs: Sequence[tuple[float, float]], *, repeats: bool) -> Curve:
    if len(pairs) > MAX_POINTS:
        raise ValueError(f"a curve has {MAX_POINTS} points at most")
    times = tuple(time for time, _ in pairs)
    if any(later <= time for time, later in itertools.pairwise(times)):
        raise ValueError("the points of a curve must be in the order of their times")
    if repeats and not times[-1] > 0:
        raise ValueError("a curve that repeats has to last for some time")
    return Curve(times, tuple(amount for _, amount in pairs), repeats)


def _pair(point: str, parts: int) -> tuple[float, float]:
    time, equals, amount = point.partition("=")
    if not equals:
        raise ValueError(f"{point!r} is no point of a curve (say 30s=250m)")
    seconds = durations.parse(time.strip())
    if seconds > MAX_SECONDS:
        raise ValueError(f"{time.strip()!r} is more than a hundred years")
    return seconds, _amount(amount.strip(), parts)


def _amount(text: str, parts: int) -> float:
    found = quantity.parse(text)
    if found < 0:
        raise ValueError(f"{text!r} is negative")
    return min(int(found * parts), quantity.LARGEST)
