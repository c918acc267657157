"""The API server's answers, compared with those that the documents of Kubernetes specify."""

import asyncio
import json
import re
from collections.abc import Iterator
from pathlib import Path
from random import Random
from typing import Any

import aiohttp
import pytest
import yaml
from matching import differences

from cluster.aio import clock, tasks
from cluster.api import identity
from cluster.apiserver.component import ApiServer
from cluster.apiserver.config import Config
from cluster.storage.memory import MemoryStorage

_CASES = Path(__file__).parent / "cases"
_TOKENS = {
    "admin-token": identity.User("admin", (identity.MASTERS,)),
    "jane-token": identity.User("jane", ("developers",)),
}
_STEP_FIELDS = {
    "request", "as", "headers", "body", "status", "answer", "answer headers", "text", "events",
    "keep", "about",
}  # fmt: skip


def _cases() -> Iterator[Any]:
    for path in sorted(_CASES.glob("*.yaml")):
        document = yaml.safe_load(path.read_text())
        for case in document["cases"]:
            case.setdefault("source", document.get("source"))
            yield pytest.param(case, id=f"{path.stem}: {case['name']}")


class Talk:
    """One case's conversation with a server."""

    def __init__(self, session: aiohttp.ClientSession, url: str) -> None:
        self._session = session
        self._url = url
        self._kept: dict[str, str] = {}

    async def step(self, step: dict[str, Any]) -> list[str]:
        """Send a request; what is not as expected of its answer."""
        unknown = set(step) - _STEP_FIELDS
        assert not unknown, f"a step has no {unknown}"
        method, _, path = self._filled(step["request"]).partition(" ")
        headers, data = self._sent(step)
        async with self._session.request(
            method, self._url + path, data=data, headers=headers, skip_auto_headers=["User-Agent"]
        ) as answer:
            found = []
            if answer.status != step["status"]:
                text = await answer.text() if "events" not in step else ""
                return [f"status: expected {step['status']}, got {answer.status} {text[:600]}"]
            expected = self._filled(step.get("answer headers", {}))
            told = {key: answer.headers.getall(key, []) for key in expected}
            shown = {key: ", ".join(values) for key, values in told.items() if values}
            found += differences(expected, shown, "headers")
            if "events" in step:
                return found + await self._events(step, answer)
            return found + self._of_body(step, await answer.text())

    def _sent(self, step: dict[str, Any]) -> tuple[dict[str, str], bytes | None]:
        who = step.get("as", "admin")
        headers = {} if who == "anonymous" else {"Authorization": f"Bearer {who}-token"}
        headers |= self._filled(step.get("headers", {}))
        if "body" not in step:
            return headers, None
        headers.setdefault("Content-Type", "application/json")
        body = self._filled(step["body"])
        return headers, body.encode() if isinstance(body, str) else json.dumps(body).encode()

    def _of_body(self, step: dict[str, Any], text: str) -> list[str]:
        found: list[str] = []
        if "text" in step:
            found += differences(self._filled(step["text"]), text, "text")
        if "answer" in step or "keep" in step:
            body = json.loads(text)
            found += differences(self._filled(step.get("answer", {})), body)
            for name, path in step.get("keep", {}).items():
                value = body
                for part in path.split("."):
                    value = value[int(part)] if isinstance(value, list) else value[part]
                self._kept[name] = str(value)
        return found

    async def _events(self, step: dict[str, Any], answer: aiohttp.ClientResponse) -> list[str]:
        expected = self._filled(step["events"])
        async with asyncio.timeout(10):
            lines = [await answer.content.readline() for _ in expected]
        return list(differences(expected, [json.loads(line) for line in lines if line], "events"))

    def _filled(self, value: Any) -> Any:
        """The value with what was kept in place of ${name}."""
        if isinstance(value, dict):
            return {self._filled(key): self._filled(inner) for key, inner in value.items()}
        if isinstance(value, list):
            return [self._filled(inner) for inner in value]
        if isinstance(value, str):
            return re.sub(r"\$\{(\w+)\}", lambda match: self._kept[match[1]], value)
        return value


async def _run(case: dict[str, Any]) -> list[str]:
    config = Config(port=0, grpc_address="", tokens=_TOKENS, version=str(case.get("version", "")))
    server = ApiServer(
        config, storage=MemoryStorage(), clock=clock.SystemClock(), random=Random(case["name"])
    )
    async with tasks.Group("server") as group:
        group.spawn(server.run(), "apiserver")
        async with asyncio.timeout(20):
            await server.ready.wait()
        async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=20)) as session:
            talk = Talk(session, f"http://127.0.0.1:{server.port}")
            for number, step in enumerate(case["steps"], 1):
                found = await talk.step(step)
                if found:
                    group.cancel()
                    return [f"step {number}, {step['request']}", *found]
        group.cancel()
    return []


@pytest.mark.parametrize("case", list(_cases()))
def test_the_answer_is_the_documented_one(case: dict[str, Any]) -> None:
    assert str(case["source"]).startswith("https://"), "a case names its document"
    found = asyncio.run(_run(case))
    assert not found, "\n".join([f"{case['source']} says otherwise:", *found])
