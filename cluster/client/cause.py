"""The cause of a write: the revision of the event that made its writer act.

A work queue sets it around each reconciliation; every write issued inside carries it, and the
apiserver's ledger keeps it. A context variable, so it follows awaits and child tasks by itself.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

_current: ContextVar[int] = ContextVar("cause", default=0)


def current() -> int:
    """The revision that the running code acts upon; 0 where nothing set one."""
    return _current.get()


@contextmanager
def because(revision: int) -> Iterator[None]:
    """Mark everything done inside as caused by `revision`."""
    token = _current.set(revision)
    try:
        yield
    finally:
        _current.reset(token)
