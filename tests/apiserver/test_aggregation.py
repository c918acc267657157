"""API aggregation: an extension server behind the API server, over real TLS on loopback."""

import asyncio
import base64
import contextlib
import ssl
from collections.abc import AsyncIterator
from pathlib import Path
from random import Random
from typing import Any

import aiohttp
import pytest
import registry_world
from aiohttp import web

from cluster.aio import clock, tasks, virtual
from cluster.api import identity
from cluster.apiserver.aggregation.aggregator import Aggregator
from cluster.apiserver.component import ApiServer
from cluster.apiserver.config import Config
from cluster.apiserver.outbound.protocol import Answer, Outgoing
from cluster.launcher import pki
from cluster.storage.memory import MemoryStorage

NOW = clock.SystemClock().now()
AUTHORITY = pki.Authority.create(NOW)
RESOURCES = {
    "kind": "APIResourceList",
    "apiVersion": "v1",
    "groupVersion": "wardle.example.com/v1",
    "resources": [
        {
            "name": "flunders", "singularName": "flunder", "namespaced": True, "kind": "Flunder",
            "verbs": ["get", "list", "create"], "shortNames": ["fl"],
        },
        {"name": "flunders/status", "namespaced": True, "kind": "Flunder", "verbs": ["get"]},
    ],
}  # fmt: skip
SERVICE = "/apis/apiregistration.k8s.io/v1/apiservices/v1.wardle.example.com"
GROUP = "/apis/wardle.example.com/v1"


class Extension:
    """An extension server that tells what it was asked."""

    def __init__(self) -> None:
        self.broken = False
        self.port = 0

    async def answer(self, http: web.BaseRequest) -> web.StreamResponse:
        if self.broken:
            return web.Response(status=500)
        if http.path == GROUP:
            return web.json_response(RESOURCES)
        if http.query.get("watch"):
            response = web.StreamResponse(headers={"Content-Type": "application/json"})
            await response.prepare(http)
            await response.write(b'{"type":"ADDED"}\n')
            await asyncio.sleep(30)
            return response
        said = {
            "method": http.method, "path": http.path_qs, "body": (await http.read()).decode(),
            "user": http.headers.getall("X-Remote-User", []),
            "groups": http.headers.getall("X-Remote-Group", []),
            "secret": http.headers.get("Authorization", ""),
        }  # fmt: skip
        return web.json_response(said, status=201 if http.method == "POST" else 200)

    @contextlib.asynccontextmanager
    async def serving(self, folder: Path) -> AsyncIterator[None]:
        pair = AUTHORITY.serving("api", ["api.wardle.svc"], NOW)
        (folder / "crt").write_bytes(pair.certificate)
        (folder / "key").write_bytes(pair.key)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(folder / "crt", folder / "key")
        runner = web.ServerRunner(web.Server(self.answer), shutdown_timeout=0.1)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0, ssl_context=context).start()
        self.port = runner.addresses[0][1]
        try:
            yield
        finally:
            await runner.cleanup()


class Api:
    """A whole API server, asked as a user by token."""

    def __init__(self, session: aiohttp.ClientSession, url: str) -> None:
        self._session = session
        self._url = url

    async def call(
        self, method: str, path: str, body: Any = None, who: str = "admin", **headers: str
    ) -> tuple[int, Any]:
        sent = {"Authorization": f"Bearer {who}-token"} | headers
        async with self._session.request(
            method, self._url + path, json=body, headers=sent
        ) as answer:
            return answer.status, await answer.json(content_type=None)

    async def watch(self, path: str) -> bytes:
        headers = {"Authorization": "Bearer admin-token"}
        async with self._session.get(self._url + path, headers=headers) as answer:
            return await answer.content.readline()

    async def until_available(self, wanted: str) -> Any:
        async with asyncio.timeout(10):
            while True:
                _, found = await self.call("GET", SERVICE)
                for condition in found.get("status", {}).get("conditions", ()):
                    if condition["status"] == wanted:
                        return condition
                await asyncio.sleep(0.02)


def run(folder: Path, test: Any) -> None:
    async def main() -> None:
        extension = Extension()
        tokens = {
            "admin-token": identity.User("admin", (identity.MASTERS,)),
            "jane-token": identity.User("jane", ("dev", "ops")),
        }
        config = Config(port=0, grpc_address="", tokens=tokens, authorization=("RBAC",))
        server = ApiServer(
            config, storage=MemoryStorage(), clock=clock.SystemClock(), random=Random(1)
        )
        async with extension.serving(folder), tasks.Group("server") as group:
            group.spawn(server.run(), "apiserver")
            async with asyncio.timeout(20):
                await server.ready.wait()
            async with aiohttp.ClientSession() as session:
                api = Api(session, f"http://127.0.0.1:{server.port}")
                await register(api, extension.port)
                await test(api, extension)
            group.cancel()

    asyncio.run(main())


async def register(api: Api, port: int) -> None:
    for path, body in (
        ("/api/v1/namespaces", {"metadata": {"name": "wardle"}}),
        (
            "/api/v1/namespaces/wardle/services",
            {
                "metadata": {"name": "api"},
                "spec": {"type": "ExternalName", "externalName": "localhost"},
            },
        ),
        (
            "/apis/apiregistration.k8s.io/v1/apiservices",
            {
                "metadata": {"name": "v1.wardle.example.com"},
                "spec": {
                    "group": "wardle.example.com", "version": "v1",
                    "groupPriorityMinimum": 1000, "versionPriority": 15,
                    "service": {"namespace": "wardle", "name": "api", "port": port},
                    "caBundle": base64.b64encode(AUTHORITY.pem).decode(),
                },
            },
        ),
    ):  # fmt: skip
        status, said = await api.call("POST", path, body)
        assert status == 201, said


def test_an_extension_server_is_asked_as_the_user_who_asks(tmp_path: Path) -> None:
    async def test(api: Api, extension: Extension) -> None:
        condition = await api.until_available("True")
        assert (condition["reason"], condition["message"]) == ("Passed", "all checks passed")
        path = f"{GROUP}/namespaces/a/flunders?dryRun=All"
        status, said = await api.call("POST", path, {"x": 1})
        assert status == 201
        assert said == {
            "method": "POST", "path": path, "body": '{"x": 1}', "user": ["admin"],
            "groups": ["system:masters", "system:authenticated"], "secret": "",
        }  # fmt: skip
        status, said = await api.call("GET", path, who="jane")
        assert (status, said["reason"]) == (403, "Forbidden")
        assert said["message"].startswith(
            'flunders.wardle.example.com is forbidden: User "jane" cannot list'
        )
        assert await api.watch(f"{GROUP}/flunders?watch=1") == b'{"type":"ADDED"}\n'

    run(tmp_path, test)


def test_discovery_tells_of_what_it_serves(tmp_path: Path) -> None:
    async def test(api: Api, extension: Extension) -> None:
        await api.until_available("True")
        _, groups = await api.call("GET", "/apis")
        assert "wardle.example.com" in [group["name"] for group in groups["groups"]]
        wanted = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList"
        _, found = await api.call("GET", "/apis", Accept=wanted)
        (group,) = [
            item for item in found["items"] if item["metadata"]["name"] == "wardle.example.com"
        ]
        (resource,) = group["versions"][0]["resources"]
        assert (resource["resource"], resource["shortNames"]) == ("flunders", ["fl"])
        _, listed = await api.call("GET", GROUP)
        assert listed == RESOURCES
        await api.call(
            "DELETE", "/apis/apiregistration.k8s.io/v1/apiservices/v1.wardle.example.com"
        )
        status, _ = await api.call("GET", f"{GROUP}/flunders")
        assert status == 404
        _, groups = await api.call("GET", "/apis")
        assert "wardle.example.com" not in [group["name"] for group in groups["groups"]]

    run(tmp_path, test)


def test_a_server_that_fails_is_not_available(tmp_path: Path) -> None:
    async def test(api: Api, extension: Extension) -> None:
        extension.broken = True
        condition = await api.until_available("False")
        assert condition["reason"] == "FailedDiscoveryCheck"
        assert "bad status from https://api.wardle.svc:" in condition["message"]
        status, said = await api.call("GET", f"{GROUP}/flunders")
        assert (status, said["reason"], said["message"]) == (
            503, "ServiceUnavailable", "service unavailable",
        )  # fmt: skip
        extension.broken = False
        await api.until_available("True")
        assert (await api.call("GET", f"{GROUP}/flunders"))[0] == 200

    run(tmp_path, test)


@pytest.mark.parametrize(
    ("service", "reason", "message"),
    [
        ("none", "ServiceNotFound", 'service/none in "wardle" is not present'),
        ("web", "ServicePortError", 'service/web in "wardle" is not listening on port 443'),
    ],
)
def test_what_a_service_lacks_is_told(
    tmp_path: Path, service: str, reason: str, message: str
) -> None:
    async def test(api: Api, extension: Extension) -> None:
        spec = {"ports": [{"port": 80}]}
        web = {"metadata": {"name": "web"}, "spec": spec}
        await api.call("POST", "/api/v1/namespaces/wardle/services", web)
        patch = {"spec": {"service": {"name": service, "port": 443}}}
        await api.call(
            "PATCH", SERVICE, patch,
            **{"Content-Type": "application/merge-patch+json"},
        )  # fmt: skip
        async with asyncio.timeout(10):
            while (await api.until_available("False"))["reason"] != reason:
                await asyncio.sleep(0.02)
        assert (await api.until_available("False"))["message"] == message

    run(tmp_path, test)


async def registered(api: Api) -> dict[str, Any]:
    """The APIServices by name, once that of apps is there and available."""
    async with asyncio.timeout(10):
        while True:
            _, found = await api.call("GET", "/apis/apiregistration.k8s.io/v1/apiservices")
            known = {item["metadata"]["name"]: item for item in found["items"]}
            if known.get("v1.apps", {}).get("status", {}).get("conditions"):
                return known
            await asyncio.sleep(0.02)


def test_every_group_version_of_its_own_is_registered(tmp_path: Path) -> None:
    async def test(api: Api, extension: Extension) -> None:
        known = await registered(api)
        assert known["v1."]["spec"]["groupPriorityMinimum"] == 18000
        (condition,) = known["v1.apps"]["status"]["conditions"]
        assert (condition["status"], condition["reason"]) == ("True", "Local")
        _, groups = await api.call("GET", "/apis")
        for group in groups["groups"]:
            for version in group["versions"]:
                assert f"{version['version']}.{group['name']}" in known

    run(tmp_path, test)


def test_one_of_its_own_that_is_deleted_is_registered_again(tmp_path: Path) -> None:
    async def test(api: Api, extension: Extension) -> None:
        before = (await registered(api))["v1.apps"]
        path = "/apis/apiregistration.k8s.io/v1/apiservices/v1.apps"
        for _ in range(3):  # the first one may be seen to by the registration at the start
            assert (await api.call("DELETE", path))[0] == 200
            again = (await registered(api))["v1.apps"]
            assert again["metadata"]["uid"] != before["metadata"]["uid"]
            assert again["spec"] == before["spec"]
            before = again

    run(tmp_path, test)


class Hostile:
    """Gets the same answer of every extension server, or the same fault."""

    def __init__(self, answer: bytes | Exception) -> None:
        self.answer = answer
        self.asked = 0

    async def call(self, _request: Outgoing, _seconds: float) -> Answer:
        self.asked += 1
        if isinstance(self.answer, Exception):
            raise self.answer
        return Answer(200, {}, self.answer)


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        (b"[" * 200_000, "RecursionError"),
        (b'{"resources":[{"name":"\xff","kind":"x"}]}', "UnicodeDecodeError"),
        (b"\x00", "DecodeError"),
        (b"[]", "TypeError"),
        (b'{"resources":3}', "TypeError"),
        (b'{"resources":[3]}', "AttributeError"),
        (b'{"resources":[{"name":"x"}]}', "KeyError"),
        (RuntimeError("nobody thought of this"), ""),
    ],
)  # fmt: skip
def test_no_answer_of_an_extension_server_ends_the_aggregator(
    answer: bytes | Exception, message: str
) -> None:
    async def main() -> Any:
        caller: Any = Hostile(answer)
        async with registry_world.world() as world:
            spec = {"type": "ExternalName", "externalName": "localhost"}
            await world.create("services", {"metadata": {"name": "api"}, "spec": spec})
            aggregator = Aggregator(world.registry, caller)
            aggregator.open()
            world.group.spawn(aggregator.run(), "aggregator")
            service = {"namespace": "default", "name": "api"}
            body = {
                "metadata": {"name": "v1.wardle.example.com"},
                "spec": {
                    "group": "wardle.example.com", "version": "v1", "service": service,
                    "groupPriorityMinimum": 1000, "versionPriority": 15,
                },
            }  # fmt: skip
            await world.create("apiservices.apiregistration.k8s.io", body, "")
            await asyncio.sleep(5)
            assert caller.asked > 2
            found = await world.get(
                "apiservices.apiregistration.k8s.io", body["metadata"]["name"], ""
            )
            world.group.cancel()
            return found

    conditions = virtual.run(main()).get("status", {}).get("conditions", ())
    if message:
        (condition,) = conditions
        assert (condition["status"], condition["reason"]) == ("False", "FailedDiscoveryCheck")
        assert message in condition["message"]
    else:
        assert not conditions
