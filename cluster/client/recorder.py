"""Records Events (core/v1) about objects, without ever holding up the one who speaks.

`event` only notes what was said; `run` writes it, all that has gathered in one batch. What is said
again before it was written costs nothing more than a count.
"""

import asyncio
import random

import msgspec
import structlog

from cluster.aio import backoff, clock
from cluster.api import errors, objects, timestamps
from cluster.api.operations import MERGE_PATCH, Operation, Verb
from cluster.client import cause, draining, eventcorrelation
from cluster.client.client import Client
from cluster.client.eventcorrelation import Series

NORMAL = "Normal"
WARNING = "Warning"

MAX_QUEUED = 10_000
MAX_TRIES = 12
_BATCH = 512


class Recorder:
    """Speaks for one source: `component`, on `host` where it runs on a node.

    With `by_event_time` it writes events as events.k8s.io has them and kube-scheduler does: with
    an eventTime and a series in place of first and last timestamps, so that kubectl shows them
    before what follows in the same second.
    """

    def __init__(
        self,
        client: Client,
        clock: clock.Clock,
        random: random.Random,
        component: str,
        host: str = "",
        *,
        by_event_time: bool = False,
    ) -> None:
        self._by_event_time = by_event_time
        self._client = client
        self._clock = clock
        self._random = random
        self._component = component
        self._host = host
        self._correlator = eventcorrelation.Correlator()
        self._pending: dict[int, Series] = {}
        self._wake = asyncio.Event()
        self._dropped = 0
        self._log = structlog.get_logger().bind(component=component)

    def event(
        self,
        obj: objects.Object,
        type: str,
        reason: str,
        message: str,
        action: str = "",
        *,
        field_path: str = "",
    ) -> None:
        """Say something about `obj`; `type` is NORMAL or WARNING. Never blocks, never raises.

        `field_path` names a part of it, as the kubelet does: `spec.containers{web}`.
        """
        subject = eventcorrelation.Subject(
            api_version=obj.get("apiVersion", ""),
            kind=obj.get("kind", ""),
            namespace=objects.namespace(obj),
            name=objects.name(obj),
            uid=objects.uid(obj),
            resource_version=objects.meta(obj).get("resourceVersion", ""),
            field_path=field_path,
        )
        now = self._clock.now()
        sighting = eventcorrelation.Sighting(subject, type, reason, message, action)
        series = self._correlator.observe(sighting, now)
        if series is not None:
            series.cause = max(series.cause, cause.current())
            self._queue(series)

    async def run(self) -> None:
        """Write what is said, until cancelled."""
        pause = backoff.Backoff(self._random, initial=0.1, maximum=10.0)
        await draining.drain(self._pending, self._wake, self._write, pause)

    def _queue(self, series: Series) -> None:
        if id(series) not in self._pending and len(self._pending) >= MAX_QUEUED:
            self._dropped += 1
            if self._dropped % 1000 == 1:
                self._log.warning("too many events are waiting", dropped=self._dropped)
            return
        self._pending[id(series)] = series
        self._wake.set()

    async def _write(self) -> bool:
        """Write what waits, up to a batch; False where the API should be left alone a while."""
        taken = [self._pending.pop(key) for key in list(self._pending)[:_BATCH]]
        outcomes = await self._client.submit_all([self._operation(series) for series in taken])
        welcome = True
        for series, outcome in zip(taken, outcomes, strict=True):
            welcome &= self._settle(series, outcome)
        return welcome

    def _operation(self, series: Series) -> Operation:
        subject = series.sighting.subject
        space = subject.namespace or "default"
        if series.stored:
            patch = {**self._times(series), "message": series.sighting.message}
            return _operation(Verb.PATCH, space, series, patch)
        # The clock is coarser than the nanoseconds of the name; chance fills in the rest, so that
        # two sources that speak of one object at one time do not choose one name.
        nanoseconds = int(series.last * 1e9) + self._random.randrange(1000)
        series.name = f"{subject.name}.{nanoseconds:x}"
        return _operation(Verb.CREATE, space, series, self._body(series, space))

    def _body(self, series: Series, space: str) -> objects.Object:
        sighting = series.sighting
        subject = sighting.subject
        involved = {
            "kind": subject.kind,
            "namespace": subject.namespace,
            "name": subject.name,
            "uid": subject.uid,
            "apiVersion": subject.api_version,
            "resourceVersion": subject.resource_version,
            "fieldPath": subject.field_path,
        }
        source = {"component": self._component, "host": self._host}
        body: objects.Object = {
            "apiVersion": "v1",
            "kind": "Event",
            "metadata": {"name": series.name, "namespace": space},
            "involvedObject": {key: value for key, value in involved.items() if value},
            "reason": sighting.reason,
            "message": sighting.message,
            "source": {key: value for key, value in source.items() if value},
            "firstTimestamp": timestamps.encode(series.first),
            "type": sighting.type,
            "eventTime": None,
            "reportingComponent": self._component,
            "reportingInstance": self._host,
            **self._times(series),
        }
        if self._by_event_time:
            body["source"] = {}
            body["firstTimestamp"] = body["lastTimestamp"] = None
            body["eventTime"] = timestamps.encode_micro(series.first)
            body["reportingInstance"] = self._host or self._component
        if sighting.action:
            body["action"] = sighting.action
        return body

    def _times(self, series: Series) -> objects.Object:
        """How often it was said, and when last."""
        if not self._by_event_time:
            return {"count": series.count, "lastTimestamp": timestamps.encode(series.last)}
        if series.count == 1:
            return {}
        last = timestamps.encode_micro(series.last)
        return {"series": {"count": series.count, "lastObservedTime": last}}

    def _settle(self, series: Series, outcome: objects.Object | errors.StatusError) -> bool:
        """Note what became of a write; False where the API should be left alone a while."""
        if not isinstance(outcome, errors.StatusError):
            series.stored = True
            series.attempts = 0
            return True
        gone = series.stored and isinstance(outcome, errors.NotFound)
        taken = not series.stored and isinstance(outcome, errors.AlreadyExists)
        later = isinstance(outcome, draining.AWAY)
        series.attempts += 1
        if (gone or taken or later) and series.attempts < MAX_TRIES:
            series.stored = series.stored and not gone
            self._queue(series)
        else:
            self._log.info("event not recorded", reason=series.sighting.reason, error=str(outcome))
        return not later


def _operation(verb: Verb, space: str, series: Series, body: objects.Object) -> Operation:
    return Operation(
        verb,
        "events",
        space,
        series.name,
        body=msgspec.json.encode(body),
        patch_type=MERGE_PATCH if verb is Verb.PATCH else "",
        cause=series.cause,
        want_object=False,
    )
