"""A cluster of `docker compose`: its services are found and hurt by the `docker` command.

Containers are found by the labels that Compose (v1 and v2) gives them, so it does not matter which
of the two started them, nor by which files.
"""

import asyncio
import contextlib
import json
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

from cluster.aio import tasks
from cluster.chaos import acts, reaching
from cluster.chaos.acts import Act
from cluster.chaos.reaching import Doors
from cluster.chaos.targets import Member
from cluster.chaos.world import Unable
from cluster.client.client import Client

_DOCKER_WITHIN: Final = 60.0
_STOPPED_WITHIN: Final = 15.0
"""So long a `docker stop` of docker-compose.yml takes: its grace is 10 s."""
_OF_NODE: Final = re.compile(r"(runtime|kubelet|kube-proxy)-(.+)")
_OF_PLANE: Final = re.compile(
    r"(apiserver|scheduler|controller-manager|etcd|balancer|registry)(-\d+)?"
)
_BACKENDS: Final = ("KUBEMU_STORAGE_BACKEND=", "--storage-backend=")
_SQLITE: Final = "sqlite"
"""What an API server has where nothing is said."""
_PERIOD: Final = 100_000
_LEAST_QUOTA: Final = 1_000
"""Of CPU time, in microseconds."""
_SOCKET: Final = "unix:/var/lib/kubemu/runtime.sock"
"""Where a runtime listens in its container, as docker-compose.yml has it."""


class TooLong(Unable):
    """A docker command did not end in time, and was ended."""


async def docker(*arguments: str, given: bytes = b"", within: float = _DOCKER_WITHIN) -> bytes:
    """What a docker command writes. Unable, with what it complains of; TooLong.

    One that was begun comes to its end also where nobody waits for it any longer (so Ctrl-C in the
    terminal is not for it): the daemon carries it out in any case, and what undoes it must not come
    before.
    """
    async with tasks.Group("docker") as group:
        talk = group.spawn(_converse(arguments, given), arguments[0])
        try:
            async with asyncio.timeout(within):
                said = await asyncio.shield(talk)
        except TimeoutError:
            begun = f"docker {' '.join(arguments[:2])}"
            raise TooLong(f"{begun} took longer than {within:g} s") from None
        except asyncio.CancelledError:
            await _outwait(talk, within)
            raise
    if said is None:
        raise Unable("there is no docker command on this machine")
    code, out, complaint = said
    if code:
        raise Unable(f"docker: {complaint.decode(errors='replace').strip()}")
    return bytes(out)


async def _converse(arguments: Sequence[str], given: bytes) -> tuple[int, bytes, bytes] | None:
    """What the command leaves, writes and complains of; None where there is no such command. It is
    ended with the task.
    """
    try:
        process = await asyncio.create_subprocess_exec(
            "docker", *arguments, stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE, start_new_session=True,
        )  # fmt: skip
    except FileNotFoundError:
        return None
    try:
        out, complaint = await process.communicate(given)
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    return await process.wait(), out, complaint


async def _outwait(talk: asyncio.Task[Any], within: float) -> None:
    """Wait for the end of a task, so long, and however often that is cancelled again."""
    deadline = asyncio.get_running_loop().time() + within
    while not talk.done() and asyncio.get_running_loop().time() < deadline:
        with contextlib.suppress(TimeoutError, asyncio.CancelledError):
            async with asyncio.timeout_at(deadline):
                await asyncio.shield(talk)


def member(service: str, state: str) -> Member | None:
    """What a service is; None where it is no process of the cluster."""
    running, paused = state in ("running", "paused"), state == "paused"
    of_node = _OF_NODE.fullmatch(service)
    if of_node:
        return Member(service, of_node[1], f"node-{of_node[2]}", running, paused)
    of_plane = _OF_PLANE.fullmatch(service)
    return Member(service, of_plane[1], "", running, paused) if of_plane else None


class ComposeWorld:
    """See `world.World`. `folder` is where the project's file is."""

    kind = "compose"

    def __init__(self, folder: str, client: Client, doors: Doors) -> None:
        self.name = folder.rstrip("/").rpartition("/")[2] or folder
        self.client = client
        self._folder = folder
        self._doors = doors
        self._containers: dict[str, str] = {}
        """Their ids, by service."""
        self._disks: dict[str, bool] = {}
        """Of containers of API servers: whether their store is a file of SQLite."""
        self._turns: dict[str, asyncio.Lock] = {}
        """Acts at one member are done one after the other: what undoes one must not overtake it."""
        self._done: dict[str, bool] = {}
        """Whether what was last done here to a service came to its end."""

    async def members(self) -> list[Member]:
        """See `World.members`."""
        label = f"label=com.docker.compose.project.working_dir={self._folder}"
        listed = await docker(
            "ps", "--all", "--no-trunc", "--filter", label, "--format", "{{json .}}"
        )
        found, projects = [], dict[str, None]()
        for line in _objects(listed):
            labels = dict(one.partition("=")[::2] for one in str(line.get("Labels", "")).split(","))
            service = labels.get("com.docker.compose.service", "")
            made = member(service, str(line.get("State", "")))
            if made is not None:
                projects[labels.get("com.docker.compose.project", "")] = None
                self._containers[service] = str(line["ID"])
                found.append(made)
        if not found:
            raise Unable(f"there are no containers of a compose project in {self._folder}")
        if len(projects) > 1:
            raise Unable(f"several projects run from {self._folder}: {', '.join(projects)}")
        await self._look_at_disks(one.name for one in found if one.component == "apiserver")
        return sorted(found, key=lambda one: (one.node, one.name))

    def lacks(self, act: Act) -> str:
        """See `World.lacks`. Of disks `members` knows."""
        if act.op == acts.LINKS:
            return ""
        if act.op in (acts.FAULTS, acts.DISK):
            lacks = self._doors.lacks(act)
            good = act.op == acts.FAULTS or self._disks.get(self._containers.get(act.member, ""))
            return lacks or ("" if good else reaching.no_disk(act.member))
        try:
            commands(act, "")
        except Unable as error:
            return str(error)
        return ""

    async def do(self, act: Act) -> None:
        """See `World.do`."""
        if act.op in (acts.FAULTS, acts.DISK):
            await self._doors.set_faults(act)
            return
        links = act.op == acts.LINKS
        service = act.member.replace("node-", "runtime-", 1) if links else act.member
        async with self._turns.setdefault(act.member, asyncio.Lock()):
            container = await self._container(service)
            if container:
                await (self._set_links if links else self._to_container)(act, container)
            elif not acts.undoes(act):
                raise Unable(f"there is no service {service}")

    async def struck(self, act: Act) -> int | None:
        """See `World.struck`."""
        return await self._doors.struck(act)

    async def ask(self, address: str, port: int, request: bytes, within: float) -> bytes:
        """See `World.ask`."""
        return await reaching.ask(address, port, request, within)

    async def _to_container(self, act: Act, container: str) -> None:
        before = self._done.get(act.member)
        if act.after and before:
            return
        # Whoever was killed may have left a `docker stop` behind: who still runs is about to end.
        ending = act.op == acts.START and not before and await _runs(container)
        self._done[act.member] = False
        try:
            await self._carry_out(act, container)
            if ending and await _ends(container):
                await self._carry_out(act, container)
        except Unable as error:
            if _does_not_run(error):  # so nothing was begun
                self._done[act.member] = before is not False
            raise
        self._done[act.member] = True

    async def _carry_out(self, act: Act, container: str) -> None:
        for command in commands(act, container):
            try:
                await docker(*command)
            except Unable as error:
                if act.op == acts.SLOW and "NanoCPUs" in str(error):
                    await self._limit(container, act.cpu)
                elif not _so_already(str(error)):
                    raise

    async def _set_links(self, act: Act, container: str) -> None:
        """By a command in the container, whose runtime listens to nobody outside of it. A machine
        that is down has no links to heal.
        """
        told = json.dumps(acts.document(act))
        command = ("kubemu", "chaos", "links", f"--endpoint={_SOCKET}", told)
        try:
            await docker("exec", container, *command)
        except Unable as error:
            if not (acts.undoes(act) and _does_not_run(error)):
                raise

    @staticmethod
    async def _limit(container: str, cpu: float) -> None:
        """For who has a limit in CPUs: docker takes no other beside it, and cannot lift it."""
        all_ = (await docker("info", "--format", "{{.NCPU}}")).decode().strip()
        await docker("update", "--cpus", all_ if cpu >= 1 else f"{max(cpu, 0.01):.2f}", container)

    async def _look_at_disks(self, services: Iterable[str]) -> None:
        for service in services:
            container = self._containers[service]
            if container not in self._disks:
                told = await docker("inspect", "--format", "{{json .Config}}", container)
                self._disks[container] = all(_backend(one) == _SQLITE for one in _objects(told))

    async def _container(self, service: str) -> str:
        """The container of a service, "" where there is none."""
        if service not in self._containers:
            await self.members()
        return self._containers.get(service, "")


async def _runs(container: str) -> bool:
    told = await docker("inspect", "--format", "{{.State.Running}}", container)
    return told.strip() == b"true"


async def _ends(container: str) -> bool:
    """Whether a container ends within the time that a stop may take."""
    try:
        await docker("wait", container, within=_STOPPED_WITHIN)
    except TooLong:
        return False
    return True


def _backend(config: Mapping[str, Any]) -> str:
    """Where the API server of a container keeps objects: what its flags say, or its variables."""
    said = [*(config.get("Env") or ()), *(config.get("Cmd") or ())]
    named = [one.partition("=")[2] for one in said if one.startswith(_BACKENDS)]
    return next((one for one in reversed(named) if one), _SQLITE)


def commands(act: Act, container: str) -> Sequence[Sequence[str]]:
    """The docker commands that carry an act out. Unable."""
    match act.op:
        case acts.STOP | acts.START | acts.PAUSE | acts.RESTART:
            return [[act.op, container]]
        case acts.KILL:
            # What docker kills it does not start again by itself, as a supervisor would.
            return [["kill", container], ["start", container]]
        case acts.RESUME:
            return [["unpause", container]]
        case acts.SLOW:
            if act.cpu >= 1:
                return [["update", "--cpu-quota", "-1", container]]
            quota = max(round(act.cpu * _PERIOD), _LEAST_QUOTA)
            return [["update", "--cpu-period", f"{_PERIOD}", "--cpu-quota", f"{quota}", container]]
    raise Unable(f"a compose cluster does not know how to {act.op}")


def _does_not_run(error: Unable) -> bool:
    return "is not running" in str(error)


def _so_already(complaint: str) -> bool:
    return any(said in complaint for said in ("is already paused", "is not paused"))


def _objects(text: bytes) -> list[dict[str, Any]]:
    """Lines of JSON; older docker knows no `json` and writes Go's form, which is no JSON."""
    try:
        return [json.loads(line) for line in text.splitlines() if line.strip()]
    except ValueError as error:
        raise Unable("this docker does not list containers as JSON: it is too old") from error
