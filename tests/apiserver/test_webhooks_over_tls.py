"""Webhooks that are real servers, asked over TLS by a real API server that is asked over HTTP."""

import asyncio
import contextlib
from random import Random

import pytest
import rest_world
import webhook_server
import webhook_world as ww

from cluster.apiserver.admission import defaults
from cluster.apiserver.admission.webhooks.asking import Asking
from cluster.apiserver.kubelets.protocol import Nowhere
from cluster.apiserver.outbound.caller import HttpCaller

CONFIGURATIONS = f"/apis/{ww.GROUP}/v1/validatingwebhookconfigurations"
MUTATING = f"/apis/{ww.GROUP}/v1/mutatingwebhookconfigurations"


@contextlib.asynccontextmanager
async def world(folder, **hooks):
    asking = Asking()
    async with (
        webhook_server.serving(folder, **hooks) as port,
        rest_world.serving(admission=defaults.chain(asking=asking)) as api,
        HttpCaller(api.registry.cache, Nowhere(), Random("outbound")) as caller,
    ):
        asking.caller = caller
        yield api, port


def at(port, name, ca=webhook_server.BUNDLE, **more):
    config = {"url": f"https://localhost:{port}/{name}", "caBundle": ca}
    return ww.hook(name, ["pods"], clientConfig=config, **more)


async def configure(api, path, *hooks):
    answer = await api.create(path, {"metadata": {"name": "hooks"}, "webhooks": list(hooks)})
    assert answer.status == 201, answer.text


def test_a_pod_is_changed_and_warned_of_over_http(tmp_path):
    def change(_request):
        return webhook_server.patch({"op": "add", "path": "/metadata/labels", "value": {"a": "b"}})

    def look(request):
        assert request["object"]["metadata"]["labels"] == {"a": "b"}
        assert request["userInfo"]["username"] == "admin"
        assert request["options"]["fieldManager"] == "me"
        return {"allowed": True, "warnings": ['be "careful"']}

    async def main():
        async with world(tmp_path, change=change, look=look) as (api, port):
            await configure(api, MUTATING, at(port, "change"))
            await configure(api, CONFIGURATIONS, at(port, "look"))
            path = f"{rest_world.PODS}?fieldManager=me"
            answer = await api.create(path, rest_world.pod("x"))
            assert answer.status == 201, answer.text
            assert answer.json["metadata"]["labels"] == {"a": "b"}
            assert answer.headers["Warning"] == '299 - "be \\"careful\\""'

    asyncio.run(main())


def test_a_refusal_is_an_answer_with_its_own_code_and_warnings(tmp_path):
    def refuse(_request):
        status = {"code": 451, "reason": "Sealed", "message": "not that", "details": {"x": 1}}
        return {"allowed": False, "status": status, "warnings": ["beware"]}

    async def main():
        async with world(tmp_path, refuse=refuse) as (api, port):
            await configure(api, CONFIGURATIONS, at(port, "refuse"))
            answer = await api.create(rest_world.PODS, rest_world.pod("x"))
            assert answer.status == 451
            message = 'admission webhook "refuse.example.com" denied the request: not that'
            assert answer.json["message"] == message
            assert (answer.json["reason"], answer.json["details"]) == ("Sealed", {"x": 1})
            assert answer.headers["Warning"] == '299 - "beware"'
            assert (await api.get(f"{rest_world.PODS}/x")).status == 404

    asyncio.run(main())


WRONG = {
    "authority": (
        {"ca": webhook_server.STRANGE},
        "tls: failed to verify certificate: x509: certificate signed by unknown authority",
    ),
    "bundle": ({"ca": "bm90aGluZw=="}, "unable to load root certificates"),
    "time": ({"timeoutSeconds": 1}, "context deadline exceeded"),
}  # fmt: skip


@pytest.mark.parametrize("name", WRONG)
def test_a_server_that_cannot_be_asked_ends_the_request_or_not(name, tmp_path):
    more, message = WRONG[name]

    async def main():
        hooks = {"slow": lambda _: {"allowed": True}, "quick": lambda _: {"allowed": True}}
        async with world(tmp_path, **hooks) as (api, port):
            path = "slow" if name == "time" else "quick"
            await configure(api, CONFIGURATIONS, at(port, path, **more))
            answer = await api.create(rest_world.PODS, rest_world.pod("x"))
            assert answer.status == 500
            said = answer.json["message"]
            assert said.startswith(
                f'Internal error occurred: failed calling webhook "{path}.example.com": failed to '
                f'call webhook: Post "https://localhost:{port}/{path}?timeout='
            )
            assert message in said
            change = [{"op": "add", "path": "/webhooks/0/failurePolicy", "value": "Ignore"}]
            await api.call(
                "PATCH", f"{CONFIGURATIONS}/hooks", change,
                Content_Type="application/json-patch+json",
            )  # fmt: skip
            assert (await api.create(rest_world.PODS, rest_world.pod("x"))).status == 201

    asyncio.run(main())


def test_what_a_user_may_do_to_configurations_is_told_in_tables(tmp_path):
    async def main():
        async with world(tmp_path) as (api, port):
            await configure(api, CONFIGURATIONS, at(port, "a"), at(port, "b"))
            accept = "application/json;as=Table;v=v1;g=meta.k8s.io"
            answer = await api.get(CONFIGURATIONS, Accept=accept)
            assert answer.json["rows"][0]["cells"][:2] == ["hooks", 2]

    asyncio.run(main())
