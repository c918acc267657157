"""The tokens controller: secrets are filled, and go with their account."""

import base64

from controllerworld import EPOCH, running
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from cluster.aio import virtual
from cluster.api.tokens import keys
from cluster.apiserver.authn.serviceaccounts import ServiceAccounts, Settings
from cluster.controllers.config import Config

KEY = keys.signing_key(
    ec.derive_private_key(77, ec.SECP256R1()).private_bytes(
        Encoding.PEM, PrivateFormat.TraditionalOpenSSL, NoEncryption()
    )
)
TYPE = "kubernetes.io/service-account-token"


class Still:
    def now(self) -> float:
        return EPOCH


def secret(name="token", account="robot", **notes):
    notes = {"kubernetes.io/service-account.name": account} | notes
    meta = {"name": name, "namespace": "default", "annotations": notes}
    return {"apiVersion": "v1", "kind": "Secret", "metadata": meta, "type": TYPE}


def account(name="robot"):
    meta = {"name": name, "namespace": "default"}
    return {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": meta}


def run(story):
    async def main():
        async with running(Config(root_ca="PEM", service_account_key=KEY)) as world:
            await story(world)

    virtual.run(main())


def test_a_secret_gets_token_ca_and_namespace_and_goes_with_its_account():
    async def story(world):
        made = await world.create("serviceaccounts", account())
        await world.create("secrets", secret())

        async def full():
            return (await world.get("secrets", "token")).get("data", {}).get("token")

        await world.until(full)
        found = await world.get("secrets", "token")
        data = {key: base64.b64decode(value).decode() for key, value in found["data"].items()}
        assert data["ca.crt"] == "PEM"
        assert data["namespace"] == "default"
        uid = found["metadata"]["annotations"]["kubernetes.io/service-account.uid"]
        assert uid == made["metadata"]["uid"]
        known = ServiceAccounts(Settings(keys=(KEY.public,)), world.registry.cache, Still())
        user = known.verify(data["token"]).user
        assert (user.name, user.uid) == ("system:serviceaccount:default:robot", uid)
        await world.client.patch("secrets", "token", {"data": {"token": None}}, "default")
        await world.until(full)
        await world.client.delete("serviceaccounts", "robot", "default")

        async def gone():
            return not await world.exists("secrets", "token")

        await world.until(gone)

    run(story)


def test_a_secret_of_nobody_or_of_a_former_account_is_removed():
    async def story(world):
        await world.create("serviceaccounts", account())
        await world.create("secrets", secret("nobody", "stranger"))
        former = {"kubernetes.io/service-account.uid": "before"}
        await world.create("secrets", secret("former", "robot", **former))
        other = {**secret("opaque"), "type": "Opaque"}
        await world.create("secrets", other)

        async def gone():
            names = [s["metadata"]["name"] for s in await world.all("secrets", "default")]
            return names == ["opaque"]

        await world.until(gone)
        assert not (await world.get("secrets", "opaque")).get("data")

    run(story)
