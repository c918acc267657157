"""A churn of pods through everything that makes them: bare pods, Jobs, Deployments with Services.

Of the pods of each second half are bare, three tenths are of Jobs, and the rest are of Deployments
that grow and shrink. What was created and deleted is counted by a watch, so that the rate told is
what the cluster did and not what it was asked for.

In the beginning there are peaks: bare pods pile up until there are as many pods as there may be at
most, and are all deleted at once. A machine that stands still for a while does the same at any
time, and what Python's memory has grown to by then it keeps.
"""

import asyncio
import contextlib
import itertools
import ssl
from collections import Counter
from collections.abc import Coroutine, Sequence
from typing import Any

import aiohttp

from soaking import counting

_NAMESPACE = "soak"
BARE_SECONDS = 4.0
DEPLOYMENTS = 4
REPLICAS = 2
"""Of each Deployment, before it grows."""
_STANDING = 1 + DEPLOYMENTS * (REPLICAS + 1)
"""What is there at any rate: the client, and Deployments that grow by one at least."""
_SWING_SECONDS = 10.0
_PODS_OF_A_JOB = 5
_EXEC_SECONDS = 3.0
_IN_FLIGHT = 200
_CONNECTIONS = 32
_ALIVE_SECONDS = 10
_ANSWER_SECONDS = 60.0
_PEAK_SECONDS = 45.0
_LOOK_SECONDS = 0.1


class Churn:
    """Makes `rate` pods a second and lets them go again. `counts` has what happened."""

    def __init__(self, url: str, tls: ssl.SSLContext, rate: float) -> None:
        self._url = url
        self._tls = tls
        self._rate = rate
        self._numbers = itertools.count()
        self._slots = asyncio.Semaphore(_IN_FLIGHT)
        self.counts: Counter[str] = Counter()
        self._there = counting.Counting(f"/api/v1/namespaces/{_NAMESPACE}/pods", self.counts)
        self._deleting = asyncio.Event()
        self._deleting.set()

    @property
    def alive(self) -> int:
        """How many pods there are."""
        return self._there.alive

    async def run(self, seconds: float, peaks: Sequence[float] = ()) -> None:
        """Churn so long, with peaks after so many seconds, and then wait for what is under way."""
        timeout = aiohttp.ClientTimeout(total=None, sock_read=_ANSWER_SECONDS)
        connector = aiohttp.TCPConnector(ssl=self._tls, limit=_CONNECTIONS)
        async with aiohttp.ClientSession(
            self._url, connector=connector, timeout=timeout
        ) as self._session:
            await self._prepare()
            async with asyncio.TaskGroup() as beside:
                others = [
                    beside.create_task(story)
                    for story in (
                        self._there.run(self._session),
                        self._swing(),
                        self._execute(),
                        self._pile_up(peaks),
                    )
                ]
                # What is under way at the end is waited for; a fault of any ends the run.
                async with asyncio.TaskGroup() as self._pods:
                    with contextlib.suppress(TimeoutError):
                        async with asyncio.timeout(seconds):
                            await self._make()
                for other in others:
                    other.cancel()

    async def _prepare(self) -> None:
        await self._post("/api/v1/namespaces", {"metadata": {"name": _NAMESPACE}})
        for number in range(DEPLOYMENTS):
            await self._post(
                f"/apis/apps/v1/namespaces/{_NAMESPACE}/deployments", _deployment(f"web-{number}")
            )
            await self._post(f"/api/v1/namespaces/{_NAMESPACE}/services", _service(f"web-{number}"))
        client = _pod("client") | {"spec": _spec("busybox", "sleep", "infinity")}
        await self._post(f"/api/v1/namespaces/{_NAMESPACE}/pods", client)

    async def _make(self) -> None:
        """Bare pods and Jobs, in tenths of a second."""
        loop = asyncio.get_running_loop()
        begin, bare, jobs = loop.time(), 0.0, 0.0
        for tick in itertools.count(1):
            bare += self._rate * 0.5 / 10
            jobs += self._rate * 0.3 / 10 / _PODS_OF_A_JOB
            while bare >= 1:
                bare -= 1
                self._spawn(self._bare(f"bare-{next(self._numbers)}"))
            while jobs >= 1:
                jobs -= 1
                self._spawn(self._job(f"job-{next(self._numbers)}"))
            await asyncio.sleep(max(0.0, begin + tick / 10 - loop.time()))

    def _spawn(self, story: Coroutine[Any, Any, None]) -> None:
        # A cluster that does not keep up is not given more and more pods: it would seem to leak.
        if self._slots.locked() or self.alive > most(self._rate):
            story.close()
            self.counts["held back"] += 1
            return
        self._pods.create_task(self._guarded(story))

    async def _pile_up(self, peaks: Sequence[float]) -> None:
        """Keep bare pods, at each of these moments, until there are as many as there may be."""
        loop = asyncio.get_running_loop()
        begin = loop.time()
        for peak in peaks:
            await asyncio.sleep(max(0.0, begin + peak - loop.time()))
            self._deleting.clear()
            end = loop.time() + _PEAK_SECONDS
            while self.alive < most(self._rate) and loop.time() < end:
                await asyncio.sleep(_LOOK_SECONDS)
            self._deleting.set()
            self.counts["peaks"] += 1

    async def _guarded(self, story: Coroutine[Any, Any, None]) -> None:
        try:
            await story
        except (aiohttp.ClientError, TimeoutError):
            self.counts["requests failed"] += 1

    async def _bare(self, name: str) -> None:
        path = f"/api/v1/namespaces/{_NAMESPACE}/pods"
        async with self._slots:
            await self._post(path, _pod(name) | {"spec": _spec("nginx")})
        await asyncio.sleep(BARE_SECONDS)
        await self._deleting.wait()
        async with self._slots, self._session.delete(f"{path}/{name}") as answer:
            await answer.read()

    async def _job(self, name: str) -> None:
        async with self._slots:
            await self._post(f"/apis/batch/v1/namespaces/{_NAMESPACE}/jobs", _job(name))

    async def _swing(self) -> None:
        """Let each Deployment grow and shrink; one of them rolls out a new template, too.

        Each other one grows while the rest shrink: the number of pods that are alive stays about
        the same, so that memory of one minute can be held against that of another.
        """
        path = f"/apis/apps/v1/namespaces/{_NAMESPACE}/deployments"
        for turn in itertools.count():
            await asyncio.sleep(_SWING_SECONDS / DEPLOYMENTS)
            number, grown = turn % DEPLOYMENTS, (turn // DEPLOYMENTS + turn) % 2 == 0
            replicas = REPLICAS + growth(self._rate) if grown else REPLICAS
            patch: dict[str, Any] = {"spec": {"replicas": replicas}}
            if number == 0 and not grown:
                annotations = {"kubemu.dev/log": f"turn {turn}"}
                patch["spec"]["template"] = {"metadata": {"annotations": annotations}}
            await self._guarded(self._patch(f"{path}/web-{number}", patch))

    async def _patch(self, path: str, patch: dict[str, Any]) -> None:
        headers = {"Content-Type": "application/merge-patch+json"}
        async with self._session.patch(path, json=patch, headers=headers) as answer:
            await answer.read()

    async def _execute(self) -> None:
        """Every few seconds ask a Service from within a pod."""
        command = ("wget", "-q", "-O", "-", "http://web-1/")
        query = [("command", part) for part in command]
        query += [("stdout", "true"), ("stderr", "true")]
        path = f"/api/v1/namespaces/{_NAMESPACE}/pods/client/exec"
        while True:
            await asyncio.sleep(_EXEC_SECONDS)
            with contextlib.suppress(aiohttp.ClientError, TimeoutError):
                async with (
                    asyncio.timeout(_ANSWER_SECONDS),
                    self._session.ws_connect(
                        path, params=query, protocols=("v4.channel.k8s.io",)
                    ) as stream,
                ):
                    said = [message.data async for message in stream]
                    good = any(part[:1] == b"\x01" and len(part) > 1 for part in said)
                    self.counts["exec" if good else "exec failed"] += 1
                    continue
            self.counts["exec failed"] += 1

    async def _post(self, path: str, body: dict[str, Any]) -> None:
        async with self._session.post(path, json=body) as answer:
            text = await answer.text()
            if answer.status >= 400:
                self.counts[f"refused {answer.status}"] += 1
                self.refusal = text


def most(rate: float) -> float:
    """How many pods there may be at most at this rate."""
    return _STANDING + rate * _ALIVE_SECONDS


def growth(rate: float) -> int:
    """By how many pods a Deployment grows and shrinks."""
    return max(1, round(rate * 0.2 * 2 * _SWING_SECONDS / DEPLOYMENTS))


def _pod(name: str) -> dict[str, Any]:
    return {"metadata": {"name": name, "labels": {"app": name.partition("-")[0]}}}


def _spec(image: str, *command: str) -> dict[str, Any]:
    container: dict[str, Any] = {"name": "main", "image": image}
    if command:
        container["command"] = list(command)
    return {"containers": [container]}


def _deployment(name: str) -> dict[str, Any]:
    labels = {"app": name}
    template = {"metadata": {"labels": labels}, "spec": _spec("nginx")}
    spec = {"replicas": REPLICAS, "selector": {"matchLabels": labels}, "template": template}
    return {"metadata": {"name": name}, "spec": spec}


def _service(name: str) -> dict[str, Any]:
    return {
        "metadata": {"name": name},
        "spec": {"selector": {"app": name}, "ports": [{"port": 80}]},
    }


def _job(name: str) -> dict[str, Any]:
    annotations = {"kubemu.dev/run-for": "1s"}
    pod = _spec("busybox") | {"restartPolicy": "Never"}
    template = {"metadata": {"annotations": annotations}, "spec": pod}
    spec = {
        "completions": _PODS_OF_A_JOB, "parallelism": _PODS_OF_A_JOB,
        "ttlSecondsAfterFinished": 2, "template": template,
    }  # fmt: skip
    return {"metadata": {"name": name}, "spec": spec}
