"""Who may see a component's pages: health for all, figures for whom the API server lets."""

import asyncio
from http import HTTPStatus
from typing import Any

import pytest

from cluster.aio import clock as clocks
from cluster.aio import virtual
from cluster.aio.pages import Asked
from cluster.api import errors
from cluster.client import delegation

TOKENS = {"good": {"username": "prometheus", "groups": ["system:monitoring"]}}


class _Api:
    """Answers reviews; `down` where it is not there."""

    def __init__(self) -> None:
        self.asked: list[Any] = []
        self.down = False

    async def create(self, resource: str, obj: Any) -> Any:
        self.asked.append(obj["spec"])
        if self.down:
            raise errors.ServiceUnavailable("down")
        if resource.startswith("tokenreviews"):
            user = TOKENS.get(obj["spec"]["token"])
            return {"status": {"authenticated": user is not None, "user": user or {}}}
        allowed = "system:monitoring" in obj["spec"]["groups"]
        return {"status": {"allowed": allowed and obj["spec"]["user"] != ""}}


def certificate(user: str, *groups: str) -> dict[str, Any]:
    names = [("organizationName", group) for group in groups] + [("commonName", user)]
    return {"subject": tuple((name,) for name in names)}


CASES = [
    (Asked("/healthz"), None),
    (Asked("/readyz/informer-sync"), None),
    (Asked("/healthzz"), HTTPStatus.FORBIDDEN),
    (Asked("/metrics"), HTTPStatus.FORBIDDEN),
    (Asked("/metrics", {"authorization": "Bearer bad"}), HTTPStatus.UNAUTHORIZED),
    (Asked("/metrics", {"authorization": "Bearer good"}), None),
    (Asked("/metrics", {"authorization": "bearer  good "}), None),
    (Asked("/metrics", {"authorization": "Basic good"}), HTTPStatus.FORBIDDEN),
    (Asked("/metrics", {}, certificate("reader", "system:monitoring")), None),
    (Asked("/metrics", {}, certificate("system:node:a", "system:nodes")), HTTPStatus.FORBIDDEN),
]


@pytest.mark.parametrize(("asked", "refusal"), CASES)
def test_who_may_see_what(asked: Asked, refusal: HTTPStatus | None) -> None:
    async def story() -> None:
        asking = delegation.Delegation(_Api(), clocks.LoopClock(asyncio.get_running_loop(), 0))  # type: ignore[arg-type]
        assert await asking.refusal(asked) is refusal

    virtual.run(story())


def test_answers_are_remembered_for_a_moment_and_tokens_not_at_all() -> None:
    async def story() -> None:
        api = _Api()
        asking = delegation.Delegation(api, clocks.LoopClock(asyncio.get_running_loop(), 0))  # type: ignore[arg-type]
        asked = Asked("/metrics", {"authorization": "Bearer good"})
        for _ in range(5):
            assert await asking.refusal(asked) is None
        assert len(api.asked) == 2
        assert "good" not in repr(vars(asking))
        await asyncio.sleep(delegation.REMEMBERED_SECONDS + 1)
        api.down = True
        assert await asking.refusal(asked) is HTTPStatus.INTERNAL_SERVER_ERROR
        assert await asking.refusal(Asked("/livez")) is None

    virtual.run(story())
