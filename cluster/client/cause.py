"""The cause of a write: the revision of the event that made its writer act.

A work queue sets it around each reconciliation; every write issued inside carries it, and the
apiserver's ledger keeps it. A context variable, so it follows awaits and child tasks by itself.
"""

from contextvars import ContextVar, Token

_current: ContextVar[int] = ContextVar("cause", default=0)


def current() -> int:
    """The revision that the running code acts upon; 0 where nothing set one."""
    return _current.get()


class because:
    """Mark everything done inside as caused by `revision`: `with because(revision):`.

    It reads as a function does, and costs less than one that is a context manager.
    """

    __slots__ = ("_revision", "_token")

    def __init__(self, revision: int) -> None:
        self._revision = revision

    def __enter__(self) -> None:
        self._token: Token[int] = _current.set(self._revision)

    def __exit__(self, *exc: object) -> None:
        _current.reset(self._token)
