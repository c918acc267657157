"""A REST server over memory storage on a free port, and a client that tells everything."""

import contextlib
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import dataclass
from random import Random
from typing import Any

import aiohttp

from cluster.api import identity, resources
from cluster.apiserver import authn
from cluster.apiserver.registry import Registry
from cluster.apiserver.rest.server import RestServer
from cluster.apiserver.virtual import who
from cluster.storage.memory import MemoryStorage

TOKEN = "secret"
EPOCH = 1_800_000_000.0
PODS = "/api/v1/namespaces/default/pods"
MAPS = "/api/v1/namespaces/default/configmaps"


class StillClock:
    """A clock that tests turn by hand."""

    def __init__(self) -> None:
        self.time = EPOCH

    def now(self) -> float:
        return self.time


@dataclass
class Answer:
    status: int
    headers: Any
    text: str

    @property
    def json(self) -> Any:
        return json.loads(self.text)


class Api:
    """Calls the server as `admin`, who says so by token."""

    def __init__(
        self,
        session: aiohttp.ClientSession,
        url: str,
        registry: Registry,
        clock: StillClock,
        stop: Callable[[], Awaitable[None]],
    ) -> None:
        self.session = session
        self.url = url
        self.registry = registry
        self.clock = clock
        self.stop = stop

    async def call(self, method: str, path: str, body: Any = None, **headers: str) -> Answer:
        sent = {"Authorization": f"Bearer {TOKEN}"}
        sent |= {name.replace("_", "-"): value for name, value in headers.items()}
        data = body if isinstance(body, bytes | None) else json.dumps(body).encode()
        if data is not None:
            sent.setdefault("Content-Type", "application/json")
        async with self.session.request(
            method, self.url + path, data=data, headers=sent, skip_auto_headers=["User-Agent"]
        ) as response:
            return Answer(response.status, response.headers, await response.text())

    async def get(self, path: str, **headers: str) -> Answer:
        return await self.call("GET", path, **headers)

    async def create(self, path: str, body: Any, **headers: str) -> Answer:
        return await self.call("POST", path, body, **headers)

    @contextlib.asynccontextmanager
    async def watch(self, path: str, **headers: str) -> AsyncIterator["Events"]:
        sent = {"Authorization": f"Bearer {TOKEN}"} | headers
        async with self.session.get(self.url + path, headers=sent) as response:
            yield Events(response)


class Events:
    """The events of a watch, one by one."""

    def __init__(self, response: aiohttp.ClientResponse) -> None:
        self.response = response

    async def next(self) -> Any:
        return json.loads(await self.response.content.readline())

    async def ended(self) -> bool:
        return await self.response.content.readline() == b""


@contextlib.asynccontextmanager
async def serving(
    kubelets: Any = None, others: Mapping[str, identity.User] | None = None, **settings: Any
) -> AsyncIterator[Api]:
    """`others` are further users by their tokens; `settings` are the registry's."""
    store = MemoryStorage()
    await store.open()
    clock = StillClock()
    registry = Registry(
        resources.built_in(), store, clock=clock, random=Random("registry"), **settings
    )
    await registry.open()
    known = {TOKEN: identity.User("admin", (identity.MASTERS,))} | dict(others or {})
    users = authn.Authenticator(known)
    registry.virtual[who.TOKENS] = who.token_review(users)
    server = RestServer(registry, users, clock=clock, random=Random("rest"), kubelets=kubelets)
    async with (
        contextlib.AsyncExitStack() as stack,
        aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=20)) as session,
    ):
        await stack.enter_async_context(server)
        api = Api(session, f"http://127.0.0.1:{server.port}", registry, clock, stack.aclose)
        yield api
    await registry.close()


def config_map(name: str, **data: str) -> dict[str, Any]:
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": name, "labels": {"n": name}},
        "data": data,
    }


def pod(name: str) -> dict[str, Any]:
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name},
        "spec": {"containers": [{"name": "c", "image": "nginx"}]},
    }
