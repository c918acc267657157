"""Asks for the metrics of autoscalers, as few times as can be.

What pods use is asked for by namespace and serves all autoscalers there for some seconds: it is
measured each fifteen, and a thousand autoscalers must not ask a thousand times.
"""

import asyncio
from collections.abc import Mapping, Sequence
from typing import Final

from cluster.api import errors, objects, resources
from cluster.api.objects import Object
from cluster.client import client
from cluster.controllers.podautoscaler import questions, readings
from cluster.controllers.podautoscaler.model import Reading, Unavailable
from cluster.controllers.podautoscaler.questions import Question

FRESH: Final = 5.0
"""Seconds for which an answer about a namespace is taken for the present one."""
_KEPT: Final = 64
_GENERIC: Final = "the server could not find the requested resource"
_Usage = Mapping[str, Object] | Unavailable


class Sources:
    """Reads metrics by `client`; `table` knows the kinds of objects that have some."""

    def __init__(self, client: client.Client, table: resources.Table) -> None:
        self._client = client
        self._table = table
        self._usage: dict[str, tuple[float, _Usage]] = {}
        self._asking: dict[str, asyncio.Lock] = {}

    async def read(self, hpa: Object, selector: str, pods: Sequence[Object]) -> list[Reading]:
        """A reading for each metric of an autoscaler. `selector` is that of its target, as text."""
        found: list[Reading] = []
        for metric in objects.spec(hpa).get("metrics") or ():
            try:
                found.append(await self._one(objects.namespace(hpa), metric, selector, pods))
            except Unavailable as reason:
                found.append(reason)
        return found

    async def _one(
        self, namespace: str, metric: Object, selector: str, pods: Sequence[Object]
    ) -> Reading:
        kind = metric.get("type") or ""
        source = metric.get(kind[:1].lower() + kind[1:]) or {}
        if kind in ("Resource", "ContainerResource"):
            return await self._of_pods(namespace, source, pods)
        question = self._question(namespace, kind, source, selector)
        document = await self._asked(question)
        try:
            found = readings.of_pods(document) if kind == "Pods" else readings.values(document)
        except readings.WRONG as error:
            raise readings.unreadable(question, error) from None
        if not found:
            raise readings.nothing(question)
        return found

    def _question(self, namespace: str, kind: str, source: Object, selector: str) -> Question:
        metric = source.get("metric") or {}
        if kind == "Pods":
            return questions.of_pods(namespace, metric, selector)
        if kind == "Object":
            described = source.get("describedObject") or {}
            return questions.of_object(namespace, described, metric, self._table)
        if kind == "External":
            return questions.external(namespace, metric)
        raise Unavailable(f'unknown metric source type "{kind}"')

    async def _of_pods(self, namespace: str, source: Object, pods: Sequence[Object]) -> Reading:
        known = await self._used(namespace)
        if isinstance(known, Unavailable):
            raise known
        names = [objects.name(pod) for pod in pods]
        try:
            return readings.resource(
                known, names, source.get("name") or "", source.get("container") or ""
            )
        except readings.WRONG as error:
            raise readings.unreadable(questions.resource(namespace), error) from None

    async def _used(self, namespace: str) -> _Usage:
        """What the pods of a namespace use; who asks while somebody is asking waits for him."""
        now = asyncio.get_running_loop().time
        lock = self._asking.setdefault(namespace, asyncio.Lock())
        async with lock:
            known = self._usage.get(namespace)
            if known is None or now() - known[0] >= FRESH:
                usage = await self._usage_of(namespace)
                self._forget(now())
                known = self._usage[namespace] = (now(), usage)
            return known[1]

    async def _usage_of(self, namespace: str) -> _Usage:
        question = questions.resource(namespace)
        try:
            return readings.by_pod(await self._asked(question))
        except Unavailable as reason:
            return reason
        except readings.WRONG as error:
            return readings.unreadable(question, error)

    def _forget(self, now: float) -> None:
        if len(self._usage) < _KEPT:
            return
        self._usage = {
            space: known for space, known in self._usage.items() if now - known[0] < FRESH
        }
        self._asking = {
            space: lock
            for space, lock in self._asking.items()
            if space in self._usage or lock.locked()
        }

    async def _asked(self, question: Question) -> Object:
        """The answer to a question, by the first of its paths that is served. Unavailable."""
        missing: errors.NotFound | None = None
        for path in question.paths:
            try:
                return await self._client.read(path)
            except errors.NotFound as failure:
                if missing is None or missing.message == _GENERIC:
                    missing = failure
            except errors.StatusError as failure:
                raise readings.unread(question, failure) from None
        raise readings.unread(question, missing or errors.NotFound(_GENERIC))
