"""What a plugin is, and what it is given."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, ClassVar

from cluster.runtime.emulated.coredns.corefile import Directive, Key
from cluster.runtime.emulated.coredns.messages import SERVFAIL, Query, Reply
from cluster.runtime.emulated.coredns.metrics import Metrics
from cluster.runtime.emulated.web.messages import Handler
from cluster.runtime.vos.kernel import Call

if TYPE_CHECKING:
    from cluster.client.client import Client

Following = Callable[[Query], Awaitable[Reply]]


class Failed(Exception):
    """A question could not be answered; the message is what `errors` prints of it."""


@dataclass(slots=True)
class Server:
    """What plugins of one server block have in common."""

    call: Call
    keys: tuple[Key, ...]
    metrics: Metrics
    log: Callable[[str, str], Awaitable[None]]
    """Prints a line: severity (INFO, WARNING, ERROR) and text."""
    client: Callable[[], "Client"]
    """The way to the cluster's API. incluster.Outside where there is none."""
    look: Following
    """Asks the whole server, as a client would."""
    sites: dict[tuple[str, int], dict[str, Handler]] = field(default_factory=dict)
    """What is served by HTTP: handlers by path, by address and port."""
    plugins: list["Plugin"] = field(default_factory=list)
    """All plugins of all server blocks."""
    lame: Callable[[float], None] = lambda _seconds: None
    """Have the server go on for so long after it was asked to end."""
    reload: Callable[[], Awaitable[bool]] | None = None
    """Reads the Corefile anew; whether it was another one."""

    @property
    def zones(self) -> tuple[str, ...]:
        """The zones of the block."""
        return tuple(key.zone for key in self.keys)


class Plugin:
    """One plugin of a server block."""

    name: ClassVar[str] = ""
    waits: ClassVar[bool] = False
    """Whether `ready` says something about it."""

    async def answer(self, query: Query, following: Following) -> Reply:
        """Answer, or let what follows do it. Failed."""
        return await following(query)

    async def begin(self) -> None:
        """Before questions are answered."""

    async def run(self) -> None:
        """What it does besides, until it is cancelled."""
        await asyncio.get_running_loop().create_future()

    @property
    def ready(self) -> bool:
        """Whether it can answer."""
        return True


async def last(_query: Query) -> Reply:
    """What is answered where no plugin does: nothing handles it."""
    return Reply(SERVFAIL)


def no_args(directive: Directive) -> None:
    """Refuse words. corefile.Unusable."""
    if directive.args:
        raise directive.wrong("Wrong argument count or unexpected line ending after "
                              f"'{directive.args[-1]}'")  # fmt: skip


def whole(directive: Directive, text: str, least: int = 0, most: int = 1 << 31) -> int:
    """A number. corefile.Unusable."""
    if not (text.isascii() and text.isdigit() and len(text) < 11 and least <= int(text) <= most):
        raise directive.wrong(f'strconv.Atoi: parsing "{text}": invalid syntax')
    return int(text)


def one(directive: Directive, args: Sequence[str]) -> str:
    """The only word. corefile.Unusable."""
    if len(args) != 1:
        last_word = args[-1] if args else directive.name
        raise directive.wrong(f"Wrong argument count or unexpected line ending after '{last_word}'")
    return args[0]
