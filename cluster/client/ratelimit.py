"""How long a failing item waits before it is tried again, as client-go's queues decide it."""

import random

BASE_DELAY = 0.005
MAX_DELAY = 1000.0
_JITTER = 0.1
_MAX_EXPONENT = 60


class ItemExponentialLimiter:
    """`BASE_DELAY` seconds, doubled for each failure of that item, up to `MAX_DELAY`.

    The source is client-go's ItemExponentialFailureRateLimiter. With a generator each delay is
    stretched by up to a tenth, so that items that failed together come back apart.
    """

    def __init__(
        self,
        generator: random.Random | None = None,
        *,
        base: float = BASE_DELAY,
        maximum: float = MAX_DELAY,
    ) -> None:
        self._random = generator
        self._base = base
        self._maximum = maximum
        self._failures: dict[str, int] = {}

    def when(self, key: str) -> float:
        """Count a failure of `key`; the seconds that it has to wait."""
        failures = self._failures.get(key, 0)
        self._failures[key] = failures + 1
        delay = min(self._base * 2.0 ** min(failures, _MAX_EXPONENT), self._maximum)
        return delay * (1 + _JITTER * self._random.random()) if self._random else delay

    def forget(self, key: str) -> None:
        """The item succeeded, or nobody cares for it any more: start from the base again."""
        self._failures.pop(key, None)

    def failures(self, key: str) -> int:
        """How often `key` failed since it was last forgotten."""
        return self._failures.get(key, 0)
