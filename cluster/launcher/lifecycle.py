"""The life of one supervised process, as a pure machine: events and time in, commands out.

    STOPPED ──start──► STARTING ──ready──► RUNNING
       ▲                  │ exited            │ exited
       │                  ▼                   ▼
    STOPPING ◄──stop── BACKOFF ──wake──► STARTING

A process that ends by itself is started again after a delay that doubles with each failure, up to
a cap, and starts small again once the process has stayed up for a while. An end by a signal that
was asked for is no failure: the delay is the first one, and does not grow by it. What was asked
last counts: one that shall start while it is STOPPING starts when it has ended. Times are seconds
of a clock that only goes forward.
"""

import signal
from dataclasses import dataclass
from enum import StrEnum


class Phase(StrEnum):
    """Where a process is in its life; the names are those of the control service."""

    STOPPED = "STOPPED"
    STARTING = "STARTING"
    RUNNING = "RUNNING"
    BACKOFF = "BACKOFF"
    STOPPING = "STOPPING"


@dataclass(frozen=True, slots=True)
class Spawn:
    """Start the process."""


@dataclass(frozen=True, slots=True)
class Signal:
    """Send a signal to the process."""

    pid: int
    number: int


@dataclass(frozen=True, slots=True)
class Wake:
    """Call `wake` at this time."""

    at: float


Command = Spawn | Signal | Wake


@dataclass(frozen=True, slots=True)
class Policy:
    """How patient the supervisor is, in seconds."""

    first_delay: float = 0.1
    longest_delay: float = 10.0
    stable_after: float = 10.0
    grace: float = 5.0


class Impossible(Exception):
    """The process is not in a state that allows this; the message says which state it is in."""


class Lifecycle:
    """See the module. Every method gives the commands to carry out, in order."""

    def __init__(self, policy: Policy) -> None:
        self._policy = policy
        self.phase = Phase.STOPPED
        self.pid = 0
        self.restarts = 0
        self.paused = False
        self.last_exit = ""
        self._delay = policy.first_delay
        self._since = 0.0
        self._deadline: float | None = None
        self._grace = policy.grace
        self._again = False
        self._asked: set[int] = set()

    def start(self, _now: float) -> list[Command]:
        """Start it, if it is stopped or waits to be restarted; one that is stopping, when it has
        ended. Impossible.
        """
        if self.phase is Phase.STOPPING:
            self._again = True
            return []
        if self.phase not in (Phase.STOPPED, Phase.BACKOFF):
            raise Impossible(f"it is {self.phase.lower()} already")
        self._delay = self._policy.first_delay
        return self._spawn()

    def spawned(self, pid: int, now: float) -> list[Command]:
        """It runs, as `pid`."""
        self.pid = pid
        self._since = now
        if self.phase is Phase.STOPPING:
            return self._terminate(now)
        return []

    def failed(self, why: str, now: float) -> list[Command]:
        """It could not be started."""
        return self._ended(why, now)

    def ready(self, _now: float) -> list[Command]:
        """It said that it is ready."""
        if self.phase is Phase.STARTING:
            self.phase = Phase.RUNNING
        return []

    def exited(self, status: int | None, now: float) -> list[Command]:
        """It ended: an exit code, a negative signal number, or None where nobody knows."""
        asked = status is not None and -status in self._asked
        return self._ended(described(status), now, asked=asked)

    def wake(self, now: float) -> list[Command]:
        """A time that was asked for has come."""
        if self._deadline is None or now < self._deadline:
            return []
        self._deadline = None
        if self.phase is Phase.BACKOFF:
            return self._spawn()
        if self.phase is Phase.STOPPING and self.pid:
            return [Signal(self.pid, signal.SIGKILL)]
        return []

    def stop(self, now: float, grace: float = 0.0, *, again: bool = False) -> list[Command]:
        """End it, by force after `grace` (0: the policy's); with `again` start it then."""
        self._grace = grace or self._policy.grace
        self._again = again
        if self.phase in (Phase.STOPPED, Phase.BACKOFF):
            self.phase = Phase.STOPPED
            self._deadline = None
            return self.start(now) if again else []
        self.phase = Phase.STOPPING
        return self._terminate(now) if self.pid else []

    def kill(self, number: int) -> list[Command]:
        """Send it a signal. Impossible where it does not run."""
        pid = self._running()
        self._asked.add(number)
        return [Signal(pid, number)]

    def pause(self) -> list[Command]:
        """Let it hang. Impossible where it does not run."""
        pid = self._running()
        self.paused = True
        return [Signal(pid, signal.SIGSTOP)]

    def resume(self) -> list[Command]:
        """Let it go on. Impossible where it does not run."""
        pid = self._running()
        self.paused = False
        return [Signal(pid, signal.SIGCONT)]

    def _running(self) -> int:
        if not self.pid:
            raise Impossible(f"it does not run: it is {self.phase.lower()}")
        return self.pid

    def _spawn(self) -> list[Command]:
        self.phase = Phase.STARTING
        self.paused = False
        self._deadline = None
        self._asked.clear()
        return [Spawn()]

    def _terminate(self, now: float) -> list[Command]:
        self._deadline = now + self._grace
        commands: list[Command] = [Signal(self.pid, signal.SIGTERM)]
        if self.paused:
            commands.append(Signal(self.pid, signal.SIGCONT))
        return [*commands, Wake(self._deadline)]

    def _ended(self, how: str, now: float, *, asked: bool = False) -> list[Command]:
        stable = bool(self.pid) and now - self._since >= self._policy.stable_after
        self.pid = 0
        self.paused = False
        self.last_exit = how
        self._deadline = None
        if self.phase is Phase.STOPPING:
            self.phase = Phase.STOPPED
            again, self._again = self._again, False
            return self.start(now) if again else []
        self.restarts += 1
        self.phase = Phase.BACKOFF
        delay = self._policy.first_delay if stable or asked else self._delay
        if not asked:
            self._delay = min(delay * 2, self._policy.longest_delay)
        self._deadline = now + delay
        return [Wake(self._deadline)]


def described(status: int | None) -> str:
    """How a process ended, in words: `exit code 1`, `killed by SIGKILL`."""
    if status is None:
        return "ended, nobody knows how"
    if status >= 0:
        return f"exit code {status}"
    try:
        return f"killed by {signal.Signals(-status).name}"
    except ValueError:
        return f"killed by signal {-status}"
