"""CertificateSigningRequests: who asks, who approves, who signs, and what may not change."""

import asyncio
import base64
import random

import certificate_objects as made
import msgspec
import pytest

from cluster.aio import clock, virtual
from cluster.api import errors, identity, resources
from cluster.api.operations import Operation, Verb
from cluster.apiserver.registry import Registry
from cluster.storage.memory import MemoryStorage

CSRS = "certificatesigningrequests.certificates.k8s.io"
SIGNER = "example.com/own"
ADMIN = identity.User("admin", ("system:masters", "system:authenticated"))
JANE = identity.User("jane", ("devs", "system:authenticated"), "7", (("scope", ("a", "b")),))


class World:
    def __init__(self, registry: Registry) -> None:
        self.registry = registry

    async def write(self, user, verb, resource, name, body, subresource=""):
        body = msgspec.json.encode(body)
        operation = Operation(verb, resource, "", name, subresource, body)
        (result,) = await self.registry.write_allowed([operation], user)
        if isinstance(result, errors.StatusError):
            raise result
        return msgspec.json.decode(result.json)

    async def ask(self, user=JANE, name="x", **spec):
        return await self.write(user, Verb.CREATE, CSRS, name, request(name, **spec))

    async def approve(self, user, obj, kind="Approved", **more):
        condition = {"type": kind, "status": "True", "reason": "Because"} | more
        return await self.conditions(user, obj, [condition], "approval")

    async def conditions(self, user, obj, conditions, subresource):
        body = obj | {"status": (obj.get("status") or {}) | {"conditions": conditions}}
        return await self.write(user, Verb.UPDATE, CSRS, name_of(obj), body, subresource)

    async def allow(self, user, verb, signers):
        written = [f"certificatesigningrequests/{part}" for part in ("approval", "status")]
        rules = [
            {"apiGroups": ["certificates.k8s.io"], "resources": ["signers"], "verbs": [verb],
             "resourceNames": signers},
            {"apiGroups": ["certificates.k8s.io"], "verbs": ["*"],
             "resources": written},
        ]  # fmt: skip
        name = signers[0].replace("/", "-").replace("*", "all")
        await self.bind(user, f"may-{verb}-{name}", rules)

    async def bind(self, user, name, rules):
        group = "rbac.authorization.k8s.io"
        role = {"metadata": {"name": name}, "rules": rules}
        await self.write(ADMIN, Verb.CREATE, f"clusterroles.{group}", name, role)
        binding = {
            "metadata": {"name": name},
            "roleRef": {"apiGroup": group, "kind": "ClusterRole", "name": name},
            "subjects": [{"kind": "User", "name": user.name}],
        }
        await self.write(ADMIN, Verb.CREATE, f"clusterrolebindings.{group}", name, binding)


def name_of(obj):
    return obj["metadata"]["name"]


def request(name="x", **spec):
    asked = {
        "request": made.encoded(made.request()), "signerName": SIGNER, "usages": ["client auth"],
    }  # fmt: skip
    return {"metadata": {"name": name}, "spec": asked | spec}


def run(test):
    async def main():
        store = MemoryStorage()
        await store.open()
        registry = Registry(
            resources.built_in(),
            store,
            clock=clock.LoopClock(asyncio.get_running_loop(), 1.7e9),
            random=random.Random(1),
            authorization=("RBAC",),
        )
        await registry.open()
        world = World(registry)
        rules = [
            {"apiGroups": ["certificates.k8s.io"], "verbs": ["create", "update"],
             "resources": ["certificatesigningrequests"]}
        ]  # fmt: skip
        await world.bind(JANE, "may-ask", rules)
        await test(world)
        await registry.close()

    virtual.run(main())


def refused(error, field, message):
    (cause,) = error.value.details["causes"]
    assert (cause["field"], message in cause["message"]) == (field, True), cause


def test_a_request_says_who_made_it_whoever_he_says_he_is():
    async def test(world):
        found = await world.ask(username="root", groups=["system:masters"], uid="0", extra={})
        spec = found["spec"]
        assert (spec["username"], spec["uid"]) == ("jane", "7")
        assert spec["groups"] == ["devs", "system:authenticated"]
        assert spec["extra"] == {"scope": ["a", "b"]}
        assert found["status"] == {}
        changed = found | {"spec": found["spec"] | {"usages": ["server auth"]}}
        changed["status"] = {"certificate": "YQ=="}
        again = await world.write(JANE, Verb.UPDATE, CSRS, "x", changed)
        assert (again["spec"], again["status"]) == (found["spec"], found["status"])

    run(test)


def test_approval_needs_the_verb_for_the_signer_and_stamps_its_times():
    async def test(world):
        found = await world.ask()
        await world.allow(JANE, "approve", ["example.org/*"])
        with pytest.raises(errors.Forbidden, match='approve requests with signerName "exa'):
            await world.approve(JANE, found)
        await world.allow(JANE, "approve", ["example.com/*"])
        body = found | {"spec": {}, "status": {"certificate": "YQ=="}}
        done = await world.approve(JANE, body)
        (condition,) = done["status"]["conditions"]
        assert condition["lastUpdateTime"] == condition["lastTransitionTime"]
        assert done["spec"] == found["spec"]
        assert "certificate" not in done["status"], "who approves does not sign"
        with pytest.raises(errors.Invalid) as error:
            await world.conditions(
                ADMIN, done,
                [condition, {"type": "Denied", "status": "True"}], "approval",
            )  # fmt: skip
        refused(error, "status.conditions[1].type", "mutually exclusive")
        with pytest.raises(errors.Invalid) as error:
            await world.conditions(ADMIN, done, [], "approval")
        refused(error, "status.conditions", 'may not remove a condition of type "Approved"')

    run(test)


def test_signing_needs_the_verb_and_happens_once():
    async def test(world):
        found = await world.approve(ADMIN, await world.ask())
        signed = found | {"status": found["status"] | {"certificate": encoded(made.authority())}}
        await world.allow(JANE, "approve", ["example.com/*"])
        with pytest.raises(errors.Forbidden, match="sign requests with"):
            await world.write(JANE, Verb.UPDATE, CSRS, "x", signed, "status")
        odd = found | {"status": found["status"] | {"certificate": encoded("no certificate")}}
        with pytest.raises(errors.Invalid) as error:
            await world.write(ADMIN, Verb.UPDATE, CSRS, "x", odd, "status")
        refused(error, "status.certificate", "must contain at least one CERTIFICATE PEM block")
        await world.allow(JANE, "sign", [SIGNER])
        done = await world.write(JANE, Verb.UPDATE, CSRS, "x", signed, "status")
        assert done["status"]["certificate"] == encoded(made.authority())
        other = done | {"status": done["status"] | {"certificate": encoded(made.authority("b"))}}
        with pytest.raises(errors.Invalid) as error:
            await world.write(JANE, Verb.UPDATE, CSRS, "x", other, "status")
        refused(error, "status.certificate", "may not modify existing certificate content")
        conditions = [*done["status"]["conditions"], {"type": "Denied", "status": "True"}]
        with pytest.raises(errors.Invalid):
            await world.conditions(JANE, done, conditions, "status")

    run(test)


def encoded(text):
    return base64.b64encode(text.encode()).decode()


ASKED = [
    ({"request": encoded("x")}, "spec.request", "PEM block type must be CERTIFICATE REQUEST"),
    ({"usages": []}, "spec.usages", "usages must be provided"),
    ({"usages": ["x"]}, "spec.usages[0]", 'Unsupported value: "x"'),
    ({"usages": ["any", "any"]}, "spec.usages[1]", 'Duplicate value: "any"'),
    ({"signerName": "kubernetes.io/legacy-unknown"}, "spec.signerName", "the legacy signerName"),
    ({"signerName": "x"}, "spec.signerName", "must be a fully qualified domain and path"),
    ({"signerName": "x/y"}, "spec.signerName", "at least two segments separated by dots"),
    ({"signerName": "a.b/C"}, "spec.signerName", 'validating label "C"'),
    ({"expirationSeconds": 599}, "spec.expirationSeconds", "less than 600 seconds"),
]


@pytest.mark.parametrize(("spec", "field", "message"), ASKED)
def test_what_may_not_be_asked(spec, field, message):
    async def test(world):
        with pytest.raises(errors.Invalid) as error:
            await world.ask(**spec)
        refused(error, field, message)

    run(test)


def test_nobody_asks_for_a_certificate_of_the_masters():
    async def test(world):
        asked = made.encoded(made.request("root", ["system:masters"]))
        signer = "kubernetes.io/kube-apiserver-client"
        with pytest.raises(errors.Forbidden, match="system:masters group is not allowed"):
            await world.ask(request=asked, signerName=signer)
        await world.ask(request=asked)

    run(test)


def test_a_request_that_another_key_signed_is_refused():
    der = bytearray(made.request().public_bytes(made._DER))
    der[-1] ^= 1
    body = base64.encodebytes(bytes(der)).decode()
    pem = f"-----BEGIN CERTIFICATE REQUEST-----\n{body}-----END CERTIFICATE REQUEST-----\n"

    async def test(world):
        with pytest.raises(errors.Invalid) as error:
            await world.ask(request=encoded(pem))
        refused(error, "spec.request", "verification failure")

    run(test)
