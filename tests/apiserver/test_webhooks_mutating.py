"""MutatingAdmissionWebhook over a registry whose webhooks are functions."""

import base64
import json

import pytest
import registry_world as rw
import webhook_world as ww

from cluster.aio import virtual
from cluster.api import errors
from cluster.api.operations import Operation, Verb
from cluster.apiserver.outbound.protocol import Answer, Unreachable


def run(test, **hooks):
    async def main():
        async with ww.world(**hooks) as world:
            await test(world)

    virtual.run(main())


def test_a_new_object_is_changed_as_the_webhook_says_and_gets_its_defaults_again():
    volume = {"op": "add", "path": "/spec/containers/0/ports", "value": [{"containerPort": 80}]}

    async def test(world):
        await ww.configure(world, ww.MUTATING, ww.hook("a", ["pods"]))
        made = await world.create("pods", rw.pod())
        assert made["spec"]["containers"][0]["ports"] == [{"containerPort": 80, "protocol": "TCP"}]

    run(test, a=ww.patching(volume))


def test_the_review_says_all_there_is_to_say():
    async def test(world):
        await ww.configure(world, ww.MUTATING, ww.hook("a"))
        await world.create("configmaps", rw.config_map("x", key="value"))
        (review,) = [review for _, review, _ in world.caller.calls]
        assert (review["apiVersion"], review["kind"]) == ("admission.k8s.io/v1", "AdmissionReview")
        request = review["request"]
        uid, obj = request.pop("uid"), request.pop("object")
        assert len(uid) == 36
        assert obj["data"] == {"key": "value"}
        assert (obj["apiVersion"], obj["kind"]) == ("v1", "ConfigMap")
        assert request == {
            "kind": {"group": "", "version": "v1", "kind": "ConfigMap"},
            "resource": {"group": "", "version": "v1", "resource": "configmaps"},
            "requestKind": {"group": "", "version": "v1", "kind": "ConfigMap"},
            "requestResource": {"group": "", "version": "v1", "resource": "configmaps"},
            "name": "x",
            "namespace": "default",
            "operation": "CREATE",
            "userInfo": {"username": "tester", "groups": ["system:authenticated"]},
            "oldObject": None,
            "dryRun": False,
            "options": {"kind": "CreateOptions", "apiVersion": "meta.k8s.io/v1"},
        }

    run(test, a=ww.allow)


def test_an_update_shows_both_states_and_a_deletion_the_old_one_alone():
    async def test(world):
        hook = ww.hook("a", operations=["UPDATE", "DELETE"])
        await ww.configure(world, ww.MUTATING, hook)
        await world.create("configmaps", rw.config_map("x", key="1"))
        await world.patch("configmaps", "x", {"data": {"key": "2"}})
        await world.delete("configmaps", "x", propagationPolicy="Background")
        update, delete = world.caller.requests
        assert update["object"]["data"] == {"key": "2"}
        assert update["oldObject"]["data"] == {"key": "1"}
        assert update["options"]["kind"] == "UpdateOptions"
        assert delete["object"] is None
        assert delete["oldObject"]["data"] == {"key": "2"}
        assert delete["options"] == {
            "kind": "DeleteOptions",
            "apiVersion": "meta.k8s.io/v1",
            "propagationPolicy": "Background",
        }

    run(test, a=ww.allow)


def test_webhooks_are_asked_in_the_order_of_their_configurations_names():
    async def test(world):
        await ww.configure(world, ww.MUTATING, ww.hook("c"), name="z")
        await ww.configure(world, ww.MUTATING, ww.hook("a"), ww.hook("b"), name="y")
        made = await world.create("configmaps", rw.config_map("x"))
        assert world.caller.asked == ["a", "b", "c"]
        assert made["metadata"]["labels"] == {"a": "1", "b": "1", "c": "1"}
        last = world.caller.requests[-1]["object"]["metadata"]["labels"]
        assert last == {"a": "1", "b": "1"}

    run(test, a=ww.label("a", "1"), b=ww.label("b", "1"), c=ww.label("c", "1"))


@pytest.mark.parametrize(
    ("policy", "asked"), [("IfNeeded", ["a", "b", "a"]), ("Never", ["a", "b"])]
)
def test_who_wants_it_is_asked_again_after_a_later_change(policy, asked):
    async def test(world):
        first = ww.hook("a", reinvocationPolicy=policy)
        await ww.configure(world, ww.MUTATING, first, ww.hook("b"))
        made = await world.create("configmaps", rw.config_map("x"))
        assert world.caller.asked == asked
        assert made["metadata"]["labels"] == {"a": "1", "b": "1"}

    run(test, a=ww.label("a", "1"), b=ww.label("b", "1"))


def test_nobody_is_asked_twice_about_the_same():
    async def test(world):
        await ww.configure(world, ww.MUTATING, ww.hook("a", reinvocationPolicy="IfNeeded"))
        await world.create("configmaps", rw.config_map("x"))
        assert world.caller.asked == ["a"]

    run(test, a=ww.allow)


def test_built_in_plugins_run_again_over_what_a_webhook_has_made():
    """DefaultTolerationSeconds has run before the webhook takes its work away."""

    async def test(world):
        await ww.configure(world, ww.MUTATING, ww.hook("a", ["pods"]))
        made = await world.create("pods", rw.pod())
        assert len(made["spec"]["tolerations"]) == 2

    run(test, a=ww.patching({"op": "remove", "path": "/spec/tolerations"}))


RESULTS = {
    "message": (
        {"allowed": False, "status": {"message": "no", "code": 418, "reason": "Teapot"}},
        ("Teapot", 418, 'admission webhook "a.example.com" denied the request: no'),
    ),
    "reason": (
        {"allowed": False, "status": {"reason": "Forbidden"}},
        ("Forbidden", 400, 'admission webhook "a.example.com" denied the request: Forbidden'),
    ),
    "nothing": (
        {"allowed": False},
        ("", 400, 'admission webhook "a.example.com" denied the request without explanation'),
    ),
    "small code": (
        {"allowed": False, "status": {"code": 200, "message": "x"}},
        ("", 400, 'admission webhook "a.example.com" denied the request: x'),
    ),
    "no boolean": (
        {"allowed": "true"},
        ("", 400, 'admission webhook "a.example.com" denied the request without explanation'),
    ),
}


@pytest.mark.parametrize("name", RESULTS)
def test_a_refusal_is_the_webhooks_own_status(name):
    response, (reason, code, message) = RESULTS[name]

    async def test(world):
        await ww.configure(world, ww.MUTATING, ww.hook("a"))
        with pytest.raises(errors.StatusError) as caught:
            await world.create("configmaps", rw.config_map("x"))
        error = caught.value
        assert (error.reason, error.code, error.message) == (reason, code, message)
        assert not await world.exists("configmaps", "x")

    run(test, a=lambda _: response)


def _patch(text):
    return {"allowed": True, "patch": base64.b64encode(text).decode(), "patchType": "JSONPatch"}


_CALL = 'failed calling webhook "a.example.com"'
_INVALID = f"{_CALL}: received invalid webhook response:"
WRONG = {
    "uid": ({"uid": "x", "allowed": True}, f'{_INVALID} expected response.uid="'),
    "no type": (
        {"allowed": True, "patch": "W10="},
        f"{_INVALID} webhook returned response.patch but not response.patchType",
    ),
    "no patch": (
        {"allowed": True, "patchType": "JSONPatch"},
        f"{_INVALID} webhook returned response.patchType but not response.patch",
    ),
    "type": ({"allowed": True, "patch": "W10=", "patchType": "x"}, f"{_CALL}: unsupported"),
    "base64": ({"allowed": True, "patch": "?", "patchType": "JSONPatch"}, f"{_CALL}: failed to"),
    "500": (Answer(500, {}, b"oops"), 'an error on the server ("oops") has prevented'),
    "404": (Answer(404, {}, b""), "the server could not find the requested resource"),
    "text": (Answer(200, {}, b"hello"), "couldn't get version/kind; json parse error"),
    "empty": (Answer(200, {}, b"{}"), "received invalid webhook response: webhook response was"),
    "other": (
        Answer(200, {}, b'{"apiVersion":"v1","kind":"Pod","response":{"uid":"?"}}'),
        'expected response.uid="',
    ),
    "list": (Answer(200, {}, b"[1]"), "the answer is no object"),
}


@pytest.mark.parametrize("name", WRONG)
@pytest.mark.parametrize("policy", ["Fail", "Ignore"])
def test_what_cannot_be_believed_goes_by_the_failure_policy(name, policy):
    answer, message = WRONG[name]

    async def test(world):
        await ww.configure(world, ww.MUTATING, ww.hook("a", failurePolicy=policy))
        if policy == "Ignore":
            assert await world.create("configmaps", rw.config_map("x"))
            return
        with pytest.raises(errors.InternalError) as caught:
            await world.create("configmaps", rw.config_map("x"))
        assert caught.value.message.startswith(f"Internal error occurred: {_CALL}")
        assert message in caught.value.message

    run(test, a=lambda _: answer)


@pytest.mark.parametrize(
    "patch",
    [
        b'[{"op":"remove","path":"/nowhere"}]', b"{}", b"nonsense", b'[{"op":"x","path":"/data"}]',
        b'[{"op":"replace","path":"","value":7}]', b'[{"op":"replace","path":"/data","value":7}]',
        b'[{"op":"remove","path":"/metadata"}]', b'[{"op":"replace","path":"/kind","value":"Pod"}]',
        b'[{"op":"replace","path":"/metadata/name","value":"y"}]',
    ],
)  # fmt: skip
def test_a_patch_that_does_not_fit_is_refused_without_harm(patch):
    async def test(world):
        await ww.configure(world, ww.MUTATING, ww.hook("a", failurePolicy="Ignore"))
        with pytest.raises(errors.StatusError):
            await world.create("configmaps", rw.config_map("x"))
        assert not await world.exists("configmaps", "x")

    run(test, a=lambda _: _patch(patch))


def test_a_deletion_cannot_be_changed():
    async def test(world):
        await world.create("configmaps", rw.config_map("x"))
        await ww.configure(world, ww.MUTATING, ww.hook("a", operations=["DELETE"]))
        with pytest.raises(errors.InternalError, match="attempted to modify the object"):
            await world.delete("configmaps", "x")

    run(test, a=lambda _: _patch(b'[{"op":"add","path":"/data","value":{}}]'))


def test_a_webhook_has_its_time_and_no_more():
    async def test(world):
        world.caller.seconds = 5
        await ww.configure(world, ww.MUTATING, ww.hook("a", timeoutSeconds=3))
        with pytest.raises(errors.InternalError) as caught:
            await world.create("configmaps", rw.config_map("x"))
        assert caught.value.message == (
            'Internal error occurred: failed calling webhook "a.example.com": failed to call '
            'webhook: Post "https://hooks.example.com/a?timeout=3s": context deadline exceeded'
        )

    run(test, a=ww.allow)


def test_all_webhooks_of_a_request_have_a_minute_together():
    async def test(world):
        world.caller.seconds = 25
        hooks = [ww.hook(name, timeoutSeconds=30) for name in ("a", "b", "c", "d")]
        await ww.configure(world, ww.MUTATING, *hooks)
        with pytest.raises(errors.InternalError, match="context deadline exceeded"):
            await world.create("configmaps", rw.config_map("x"))
        assert [seconds for _, _, seconds in world.caller.calls] == [30, 30, 10]

    run(test, a=ww.allow, b=ww.allow, c=ww.allow, d=ww.allow)


@pytest.mark.parametrize("effects", ["None", "NoneOnDryRun"])
def test_a_dry_run_is_shown_as_one(effects):
    async def test(world):
        await ww.configure(world, ww.MUTATING, ww.hook("a", sideEffects=effects))
        made = await world.create("configmaps", rw.config_map("x"), dry_run=True)
        assert made["metadata"]["labels"] == {"a": "1"}
        assert world.caller.requests[0]["dryRun"] is True
        assert world.caller.requests[0]["options"]["dryRun"] == ["All"]

    run(test, a=ww.label("a", "1"))


def test_status_is_matched_by_its_own_name_only():
    async def test(world):
        await world.create("pods", rw.pod())
        plain = ww.hook("a", ["pods"], ["UPDATE"])
        status = ww.hook("b", ["pods/status"], ["UPDATE"])
        await ww.configure(world, ww.MUTATING, plain, status)
        await world.patch("pods", "web", {"status": {"phase": "Running"}}, subresource="status")
        assert world.caller.asked == ["b"]
        assert world.caller.requests[0]["subResource"] == "status"
        assert world.caller.requests[0]["requestSubResource"] == "status"

    run(test, a=ww.allow, b=ww.allow)


def test_configurations_themselves_are_shown_to_nobody():
    async def test(world):
        everything = ww.hook("a", ["*/*"], ["*"], ["*"])
        everything["rules"][0]["apiVersions"] = ["*"]
        await ww.configure(world, ww.MUTATING, everything)
        await ww.configure(world, ww.VALIDATING, ww.hook("b", ["secrets"]))
        await world.delete(ww.MUTATING, "hooks", "")
        assert not world.caller.calls

    run(test)


def test_an_answer_within_a_batch_reaches_the_right_object():
    async def test(world):
        await ww.configure(world, ww.MUTATING, ww.hook("a"))
        batch = [rw.create("configmaps", rw.config_map(name)) for name in ("x", "y")]
        batch.append(Operation(Verb.CREATE, "secrets", "default", "s", body=b"{}"))
        x, y, _ = await world.registry.write(batch, rw.USER)
        for entry in (x, y):
            assert json.loads(entry.json)["metadata"]["labels"] == {"seen": entry.name}

    run(test, a=lambda request: ww.label("seen", request["name"])(request))


def test_an_unreachable_webhook_is_told_as_such():
    def gone(_request):
        raise Unreachable('Post "https://x/": dial tcp 127.0.0.1:1: connect: connection refused')

    async def test(world):
        await ww.configure(world, ww.MUTATING, ww.hook("a"))
        with pytest.raises(errors.InternalError, match="failed to call webhook: Post"):
            await world.create("configmaps", rw.config_map("x"))

    run(test, a=gone)
