"""Admission policies seen by HTTP clients: connections, collections, audit, applied scales."""

import asyncio
import json

import policy_world as pw
import rest_world
from rest_world import serving

POLICIES = f"/apis/{pw.GROUP}/v1/validatingadmissionpolicies"
BINDINGS = f"/apis/{pw.GROUP}/v1/validatingadmissionpolicybindings"
EXEC = f"{rest_world.PODS}/x/exec?command=rm&command=-rf&stdout=true"


async def bound(api, policy, **spec):
    answer = await api.create(POLICIES, policy)
    assert answer.status == 201, answer.text
    answer = await api.create(BINDINGS, pw.binding(**spec))
    assert answer.status == 201, answer.text


def test_a_command_is_refused_before_anything_is_upgraded():
    async def main():
        async with serving() as api:
            await api.create(rest_world.PODS, rest_world.pod("x"))
            rules = [pw.rule(["pods/exec"], ["CONNECT"])]
            policy = pw.policy(
                "object.command[0] != 'rm' && request.kind.kind == 'PodExecOptions'", rules=rules
            )
            await bound(api, policy)
            answer = await api.call("POST", EXEC)
            assert answer.status == 422
            assert answer.json["message"].startswith(
                "pods \"x\" is forbidden: ValidatingAdmissionPolicy 'policy' with binding 'binding'"
            )
            other = await api.call("POST", EXEC.replace("rm", "ls", 1))
            assert other.status == 400
            assert "upgrade" in other.json["message"].lower()

    asyncio.run(main())


def test_a_proxied_request_is_asked_about():
    async def main():
        async with serving() as api:
            await api.create(rest_world.PODS, rest_world.pod("x"))
            policy = pw.policy(
                "object.path != '/admin'", rules=[pw.rule(["pods/proxy"], ["CONNECT"])]
            )
            await bound(api, policy)
            answer = await api.get(f"{rest_world.PODS}/x/proxy/admin")
            assert answer.status == 422, answer.text
            answer = await api.get(f"{rest_world.PODS}/x/proxy/other")
            assert "denied request" not in answer.text

    asyncio.run(main())


def test_each_object_of_a_collection_is_asked_about():
    async def main():
        async with serving() as api:
            for name in ("a", "keep", "z"):
                await api.create(rest_world.MAPS, rest_world.config_map(name))
            policy = pw.policy(
                "oldObject.metadata.name != 'keep'", rules=[pw.rule(operations=["DELETE"])]
            )
            await bound(api, policy)
            answer = await api.call("DELETE", rest_world.MAPS)
            assert answer.status == 422
            left = (await api.get(rest_world.MAPS)).json["items"]
            assert "keep" in [each["metadata"]["name"] for each in left]
            assert "a" not in [each["metadata"]["name"] for each in left]

    asyncio.run(main())


def test_warnings_come_with_deletions_and_refused_requests():
    async def main():
        async with serving() as api:
            await api.create(rest_world.MAPS, rest_world.config_map("a"))
            policy = pw.policy("false", rules=[pw.rule(operations=["DELETE"])])
            await bound(api, policy, actions=["Warn"])
            answer = await api.call("DELETE", f"{rest_world.MAPS}/a")
            assert answer.status == 200
            assert "failed expression: false" in answer.headers["Warning"]

    asyncio.run(main())


def test_an_applied_scale_is_shown_as_a_scale():
    async def main():
        async with serving() as api:
            template = {"metadata": {"labels": {"a": "b"}}, "spec": rest_world.pod("x")["spec"]}
            spec = {"selector": {"matchLabels": {"a": "b"}}, "template": template}
            path = "/apis/apps/v1/namespaces/default/deployments"
            await api.create(path, {"metadata": {"name": "web"}, "spec": spec})
            rule = pw.rule(["deployments/scale"], ["UPDATE"], ["apps"])
            policy = pw.policy("object.kind == 'Scale' && object.spec.replicas < 5", rules=[rule])
            await bound(api, policy)
            for replicas, status in ((3, 200), (7, 422)):
                body = {
                    "apiVersion": "autoscaling/v1", "kind": "Scale", "metadata": {"name": "web"},
                    "spec": {"replicas": replicas},
                }  # fmt: skip
                answer = await api.call(
                    "PATCH", f"{path}/web/scale?fieldManager=me&force=true",
                    json.dumps(body).encode(),
                    Content_Type="application/apply-patch+yaml",
                )  # fmt: skip
                assert answer.status == status, answer.text
            found = (await api.get(f"{path}/web")).json
            assert found["spec"]["replicas"] == 3

    asyncio.run(main())
