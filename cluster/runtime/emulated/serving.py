"""Programs that sleep: servers, which as a container's main process do nothing until spoken to.

    @server(stop_code=0)
    async def nginx(call: Call) -> int: ...

Such a container has no task and no kernel until somebody connects to its pod, executes in it,
attaches to it or reads its log; then the program is started as any other, and who connects waits
until it listens. What it logs up to then carries the time at which the container started: until
the first `accept` (or `receive` of a datagram) `call.kernel.clock` stands still at that moment.
"""

import functools
import signal
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, Final

from cluster.runtime.vos.kernel import Call, Program

_MARK: Final = "__kubemu_stop_code__"
_WHEN: Final = "__kubemu_sleeps_when__"
_STARTS: Final = "__kubemu_starts__"
_ASKED: Final = (int(signal.SIGTERM), int(signal.SIGINT), int(signal.SIGQUIT))


def server(
    stop_code: int = 0,
    *,
    when: Callable[[Sequence[str]], bool] | None = None,
    starts: Callable[[Sequence[str], Mapping[str, str]], bool] | None = None,
) -> Callable[[Program], Program]:
    """Mark a program as one that sleeps, and that ends with `stop_code` when it is asked to
    (SIGTERM, SIGINT, SIGQUIT), asleep or awake. A program that wants to do something at its end
    puts handlers of its own into `call.process.handlers`.

    One that does many things, by its command line, is marked `when` it sleeps: other command lines
    run as any program. `starts` tells whether its command line and environment let it start at
    all: one that they do not runs at once, to say so and end.
    """

    def marked(program: Callable[[Call], Awaitable[int]]) -> Program:
        @functools.wraps(program)
        async def run(call: Call) -> int:
            if when is None or when(call.argv):
                handlers = call.process.handlers
                for number in _ASKED:
                    handlers.setdefault(number, lambda _number: call.process.exit(stop_code))
            return await program(call)

        setattr(run, _MARK, stop_code)
        setattr(run, _WHEN, when)
        setattr(run, _STARTS, starts)
        return run

    return marked


def stop_code(program: Any, argv: Sequence[str] = ()) -> int | None:
    """The exit code of a sleeping program that is asked to end; None for one that, called with
    `argv`, does not sleep.
    """
    found, when = getattr(program, _MARK, None), getattr(program, _WHEN, None)
    return found if isinstance(found, int) and (when is None or when(argv)) else None


def starts(program: Any, argv: Sequence[str], env: Mapping[str, str]) -> bool:
    """Whether a sleeping program would start, called with `argv` in an environment."""
    found = getattr(program, _STARTS, None)
    return found is None or bool(found(argv, env))
