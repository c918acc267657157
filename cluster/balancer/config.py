"""What a balancer is told."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Backend:
    """A server: where connections go, and where its health is asked for (`host:port` each)."""

    address: str
    check: str = ""

    @property
    def checked(self) -> str:
        """Where its health is asked for."""
        return self.check or self.address


@dataclass(frozen=True, slots=True)
class Config:
    """ValueError, with a sentence, where a setting cannot be used. Times are in seconds.

    A server is asked for `path` and for `live_path` every `period`. It is ready where it answers
    the first with 200, and lost where it answers neither within `timeout`. `connect` bounds a
    connection to a server, `most` the connections at a time.
    """

    listen: str
    backends: tuple[Backend, ...]
    name: str = ""
    """The name that the servers' certificates carry; "": the host that is asked."""
    path: str = "/readyz"
    live_path: str = "/livez?exclude=etcd"
    """What a server answers as long as it lives: without asking its store, for which all of them
    may wait at once."""
    period: float = 0.5
    timeout: float = 0.7
    connect: float = 1.0
    most: int = 10_000

    def __post_init__(self) -> None:
        if not self.backends:
            raise ValueError("a balancer needs servers to spread connections over")
        split(self.listen)
        for backend in self.backends:
            split(backend.address)
            split(backend.checked)
        if len({backend.address for backend in self.backends}) < len(self.backends):
            raise ValueError("a server is named twice")
        if min(self.period, self.timeout, self.connect) <= 0:
            raise ValueError("times must be more than 0 seconds")
        if self.most < 1:
            raise ValueError("there must be room for one connection at least")
        for path in (self.path, self.live_path):
            if not path.startswith("/") or any(letter <= " " for letter in path):
                raise ValueError(f"{path!r} is no path")


def split(address: str) -> tuple[str, int]:
    """Host and port of `host:port`. ValueError."""
    host, colon, port = address.rpartition(":")
    if not colon or not port.isdecimal() or int(port) > 65535:
        raise ValueError(f"{address!r} is not of the form host:port")
    return host.strip("[]"), int(port)
