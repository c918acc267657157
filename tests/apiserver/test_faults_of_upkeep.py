"""What an API server does beside answering may crash: it is told of, tried again, and everybody
is answered meanwhile. Without its store or its port the server ends.
"""

import asyncio
import contextlib
import inspect
import json
from random import Random

import aiohttp
import pytest
import structlog

from cluster.aio import clock, supervision, tasks
from cluster.api import identity
from cluster.apiserver import bootstrap, compaction, expiry, policystatus
from cluster.apiserver.admission.quota import publishing
from cluster.apiserver.aggregation import aggregator, registration
from cluster.apiserver.component import ApiServer
from cluster.apiserver.config import Config
from cluster.apiserver.extensions import controller as extensions
from cluster.apiserver.fairness import upkeep
from cluster.apiserver.usage import collector
from cluster.storage import interface as storage
from cluster.storage.memory import MemoryStorage

TOKENS = {"secret": identity.User("admin", (identity.MASTERS,))}
CORE = "/api/v1/namespaces/default"
CRDS = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
THINGS = "/apis/example.com/v1/namespaces/default/things"
SERVICES = "/apis/apiregistration.k8s.io/v1/apiservices"
SCHEMAS = "/apis/flowcontrol.apiserver.k8s.io/v1/flowschemas"
POLICIES = "/apis/admissionregistration.k8s.io/v1/validatingadmissionpolicies"
MERGE = "application/merge-patch+json"


class Fault(Exception):
    """What nobody foresaw."""


class Faults:
    """Makes a function raise `times` times when it is called; later calls reach it."""

    def __init__(self, owner, name, times=2):
        self.left = times
        self._owner, self._name = owner, name

    def arm(self, monkeypatch):
        whole = getattr(self._owner, self._name)

        async def waits(*given):
            self._fail()
            return await whole(*given)

        def at_once(*given):
            self._fail()
            return whole(*given)

        made = waits if inspect.iscoroutinefunction(whole) else at_once
        monkeypatch.setattr(self._owner, self._name, made)

    def _fail(self):
        if self.left:
            self.left -= 1
            raise Fault(self._name)


class Api:
    def __init__(self, session, port):
        self._session = session
        self._url = f"http://127.0.0.1:{port}"

    async def call(self, method, path, body=None, media="application/json"):
        headers = {"Authorization": "Bearer secret", "Content-Type": media}
        data = json.dumps(body) if body is not None else None
        url = self._url + path
        async with self._session.request(method, url, data=data, headers=headers) as answer:
            return answer.status, await answer.json(content_type=None)

    async def made(self, path, body):
        status, found = await self.call("POST", path, body)
        assert status == 201, found
        return found

    async def until(self, path, holds):
        """Ask until `holds(status, document)`."""
        while not holds(*(found := await self.call("GET", path))):
            await asyncio.sleep(0.01)
        return found[1]


@contextlib.asynccontextmanager
async def serving(**settings):
    config = Config(port=0, grpc_address="", tokens=TOKENS, **settings)
    server = ApiServer(
        config, storage=MemoryStorage(), clock=clock.SystemClock(), random=Random("faults")
    )
    async with asyncio.timeout(20), tasks.Group("test") as group, aiohttp.ClientSession() as http:
        running = group.spawn(server.run(), "apiserver")
        await server.ready.wait()
        api = Api(http, server.port)
        asking = group.spawn(_ask(api), "asking")
        yield api
        assert not running.done()
        asking.cancel()
        running.cancel()


async def _ask(api):
    """Another client, who is answered all the time."""
    while True:
        status, _ = await api.call("GET", CORE)
        assert status == 200
        await asyncio.sleep(0.01)


def definition(name="things", kind="Thing"):
    version = {
        "name": "v1", "served": True, "storage": True,
        "schema": {"openAPIV3Schema": {
            "type": "object", "x-kubernetes-preserve-unknown-fields": True}},
    }  # fmt: skip
    names = {"plural": name, "kind": kind, "singular": kind.lower(), "listKind": f"{kind}List"}
    spec = {
        "group": "example.com",
        "scope": "Namespaced",
        "names": names,
        "versions": [version],
    }
    return {"metadata": {"name": f"{name}.example.com"}, "spec": spec}


def condition(obj, kind):
    found = (obj.get("status") or {}).get("conditions") or ()
    return next((each["status"] for each in found if each["type"] == kind), "")


def established(status, obj):
    return status == 200 and condition(obj, "Established") == "True"


async def a_definition_is_served(api):
    await api.made(CRDS, definition())
    await api.until(f"{CRDS}/things.example.com", established)
    await api.until(THINGS, lambda status, _: status == 200)
    await api.made(THINGS, {"apiVersion": "example.com/v1", "kind": "Thing",
                            "metadata": {"name": "one"}})  # fmt: skip


async def a_definition_goes(api):
    await a_definition_is_served(api)
    await api.call("DELETE", f"{CRDS}/things.example.com")
    await api.until(f"{CRDS}/things.example.com", lambda status, _: status == 404)
    await api.until(THINGS, lambda status, _: status == 404)


async def a_quota(api, name="q"):
    await api.made(f"{CORE}/resourcequotas",
                   {"metadata": {"name": name}, "spec": {"hard": {"configmaps": "5"}}})  # fmt: skip
    status = {"status": {"hard": {"configmaps": "5"}}}
    await api.call("PATCH", f"{CORE}/resourcequotas/{name}/status", status, MERGE)


def uses_one(_status, quota):
    return (quota["status"].get("used") or {}).get("configmaps") == "1"


async def a_quota_tells_what_is_used(api):
    await a_quota(api)
    await api.made(f"{CORE}/configmaps", {"metadata": {"name": "one"}})
    await api.until(f"{CORE}/resourcequotas/q", uses_one)


async def a_flow_schema_comes_back(api):
    await api.call("DELETE", f"{SCHEMAS}/catch-all")
    await api.until(f"{SCHEMAS}/catch-all", lambda status, _: status == 200)


async def a_group_version_is_registered(api):
    await api.made(CRDS, definition())
    await api.until(f"{SERVICES}/v1.example.com", lambda status, _: status == 200)


async def an_extension_server_is_judged(api):
    spec = {"group": "other.example.com", "version": "v1", "groupPriorityMinimum": 100,
            "versionPriority": 100, "insecureSkipTLSVerify": True,
            "service": {"name": "nowhere", "namespace": "default"}}  # fmt: skip
    await api.made(SERVICES, {"metadata": {"name": "v1.other.example.com"}, "spec": spec})
    path = f"{SERVICES}/v1.other.example.com"
    await api.until(path, lambda _, obj: condition(obj, "Available") == "False")


async def an_event_goes(api):
    event = {"metadata": {"name": "e"}, "reason": "Started",
             "involvedObject": {"kind": "Pod", "name": "web", "namespace": "default"}}  # fmt: skip
    await api.made(f"{CORE}/events", event)
    await api.until(f"{CORE}/events/e", lambda status, _: status == 404)


async def usage_is_told(api):
    async with asyncio.timeout(collector.WAIT_SECONDS / 2):
        assert (await api.call("GET", "/apis/metrics.k8s.io/v1beta1/nodes"))[0] == 200


async def history_is_let_go(api):
    old = (await api.made(f"{CORE}/configmaps", {"metadata": {"name": "one"}}))["metadata"]
    for number in range(3):
        await api.made(f"{CORE}/configmaps", {"metadata": {"name": f"x{number}"}})
    path = f"{CORE}/configmaps?resourceVersionMatch=Exact&resourceVersion={old['resourceVersion']}"
    await api.until(path, lambda status, _: status == 410)


async def the_service_comes_back(api):
    await api.call("DELETE", f"{CORE}/services/kubernetes")
    await api.until(f"{CORE}/services/kubernetes", lambda status, _: status == 200)


async def a_policy_is_checked(api):
    rule = {"apiGroups": [""], "apiVersions": ["v1"], "operations": ["CREATE"],
            "resources": ["configmaps"]}  # fmt: skip
    spec = {"matchConstraints": {"resourceRules": [rule]},
            "validations": [{"expression": "object.metadata.name != 'no'"}]}  # fmt: skip
    await api.made(POLICIES, {"metadata": {"name": "p"}, "spec": spec})
    path = f"{POLICIES}/p"
    await api.until(path, lambda _, obj: (obj.get("status") or {}).get("observedGeneration") == 1)


CASES = [
    (extensions.rows, "of", a_definition_is_served),
    (extensions.Extensions, "_settle", a_definition_is_served),
    (extensions.Extensions, "_finish", a_definition_goes),
    (extensions.Extensions, "_gone", a_definition_goes),
    (extensions.Extensions, "_attempt", a_definition_is_served),
    (extensions.Extensions, "_finalize", a_definition_goes),
    (publishing.Publisher, "_publish", a_quota_tells_what_is_used),
    (upkeep.Upkeep, "_look", a_flow_schema_comes_back),
    (registration, "keep", a_group_version_is_registered),
    (aggregator.Aggregator, "_follow", an_extension_server_is_judged),
    (aggregator.Aggregator, "_look_at", an_extension_server_is_judged),
    (expiry.Expiry, "due", an_event_goes),
    (collector.Collector, "_forget", usage_is_told),
    (collector.Collector, "_ask", usage_is_told),
    (compaction.Compaction, "_compact", history_is_let_go),
    (bootstrap, "restore", the_service_comes_back),
    (policystatus.PolicyStatus, "_check", a_policy_is_checked),
]


@pytest.fixture
def quick(monkeypatch):
    """No pause is longer than it must be."""
    for owner, name in (
        (supervision, "RESTART_INITIAL"), (extensions, "RETRY_INITIAL"),
        (policystatus, "RETRY_INITIAL"), (upkeep, "PAUSE_SECONDS"), (aggregator, "_SOON_SECONDS"),
        (bootstrap, "RESTORE_SECONDS"), (expiry, "_EVERY"),
    ):  # fmt: skip
        monkeypatch.setattr(owner, name, 0.02)


@pytest.mark.parametrize(("owner", "name", "story"), CASES)
def test_a_fault_is_told_of_and_tried_again_while_others_are_answered(
    owner, name, story, quick, monkeypatch
):
    faults = Faults(owner, name)

    async def main():
        async with serving(compaction_seconds=0.1, event_seconds=0.1) as api:
            faults.arm(monkeypatch)
            await story(api)

    with structlog.testing.capture_logs() as logs:
        asyncio.run(main())
    assert faults.left == 0
    told = [log for log in logs if isinstance(log.get("exc_info"), Fault)]
    assert len(told) == 2, logs
    assert all(log["log_level"] == "error" for log in told)


def test_a_quota_with_a_fault_does_not_hold_up_the_others(quick, monkeypatch):
    whole = publishing.Publisher._operation

    def operation(self, namespace, found):
        if found.name == "bad":
            raise Fault
        return whole(self, namespace, found)

    async def main():
        async with serving() as api:
            await a_quota(api, "bad")
            await a_quota_tells_what_is_used(api)

    monkeypatch.setattr(publishing.Publisher, "_operation", operation)
    asyncio.run(main())


def test_a_definition_with_a_fault_does_not_hold_up_the_others(quick, monkeypatch):
    whole = extensions.rows.of

    def of(obj, before):
        if obj["metadata"]["name"].startswith("bad"):
            raise Fault
        return whole(obj, before)

    async def main():
        async with serving() as api:
            monkeypatch.setattr(extensions.rows, "of", of)
            await api.made(CRDS, definition("bads", "Bad"))
            await a_definition_is_served(api)
            await api.call("DELETE", f"{CRDS}/bads.example.com")
            await api.until(f"{CRDS}/bads.example.com", lambda status, _: status == 404)

    asyncio.run(main())


class NoStore(MemoryStorage):
    async def open(self):
        raise storage.Unavailable("no disk")


def test_without_its_store_or_its_port_the_server_ends():
    async def main(port, store):
        config = Config(port=port, grpc_address="", tokens=TOKENS)
        server = ApiServer(config, storage=store, clock=clock.SystemClock(), random=Random(1))
        async with asyncio.timeout(10):
            await server.run()

    async def taken():
        taking = await asyncio.start_server(lambda *_: None, "127.0.0.1", 0)
        async with taking:
            await main(taking.sockets[0].getsockname()[1], MemoryStorage())

    with pytest.raises(storage.Unavailable):
        asyncio.run(main(0, NoStore()))
    with pytest.raises(OSError, match="address already in use"):
        asyncio.run(taken())
