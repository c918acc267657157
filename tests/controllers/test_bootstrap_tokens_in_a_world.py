"""The bootstrap signer signs cluster-info, and the token cleaner deletes what has expired."""

import asyncio
import base64
import hashlib
import hmac
import json

import pytest
from controllerworld import EPOCH, running

from cluster.aio import virtual
from cluster.api import bootstraptokens, timestamps
from cluster.controllers.bootstrap import signing
from cluster.controllers.config import Config

ID, SECRET = "abcdef", "0123456789abcdef"


def token(id=ID, name=None, **data):
    data = {
        "token-id": id, "token-secret": SECRET, "usage-bootstrap-signing": "true",
    } | data  # fmt: skip
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": name or f"bootstrap-token-{id}", "namespace": "kube-system"},
        "type": bootstraptokens.TYPE,
        "data": {
            key.replace("_", "-"): base64.b64encode(value.encode()).decode()
            for key, value in data.items()
        },
    }


def decoded(part):
    return base64.urlsafe_b64decode(part + "=" * (-len(part) % 4))


def run(story):
    async def main():
        async with running(Config(root_ca="PEM")) as world:
            await story(world)

    virtual.run(main())


def test_a_signature_is_a_jws_without_its_content():
    header, content, made = signing.signature("the kubeconfig", ID, SECRET).split(".")
    assert json.loads(decoded(header)) == {"alg": "HS256", "kid": ID}
    assert content == ""
    payload = base64.urlsafe_b64encode(b"the kubeconfig").decode().rstrip("=")
    expected = hmac.new(SECRET.encode(), f"{header}.{payload}".encode(), hashlib.sha256).digest()
    assert decoded(made) == expected


def test_signatures_of_others_go_and_other_data_stays():
    data = {"kubeconfig": "x", "mine": "y", "jws-kubeconfig-zzzzzz": "old"}
    found = signing.signed(data, {ID: SECRET})
    assert found == {
        "kubeconfig": "x", "mine": "y",
        "jws-kubeconfig-abcdef": signing.signature("x", ID, SECRET),
    }  # fmt: skip


@pytest.mark.parametrize(
    "secret",
    [
        token(name="other"), token(**{"token-id": "zzzzzz"}), token(**{"token-secret": ""}),
        token(**{"usage-bootstrap-signing": "false"}), token(expiration="soon"),
        token(expiration=timestamps.encode(EPOCH - 1)), token() | {"type": "Opaque"},
        token() | {"data": {"token-id": "%%%"}},
    ],
)  # fmt: skip
def test_a_token_that_may_not_sign(secret):
    sound = bootstraptokens.usable(
        token(expiration=timestamps.encode(EPOCH + 1)), bootstraptokens.SIGNING, EPOCH
    )
    assert sound is not None
    assert (sound.id, sound.secret) == (ID, SECRET)
    assert bootstraptokens.usable(secret, bootstraptokens.SIGNING, EPOCH) is None


def test_cluster_info_is_signed_by_the_tokens_that_there_are():
    async def story(world):
        await world.create("configmaps", info := {
            "apiVersion": "v1", "kind": "ConfigMap",
            "metadata": {"name": "cluster-info", "namespace": "kube-public"},
            "data": {"kubeconfig": "where it is"},
        })  # fmt: skip
        assert "jws-kubeconfig-abcdef" not in info["data"]
        expiration = timestamps.encode(world.clock.now() + 600)
        await world.create("secrets", token(expiration=expiration))

        async def signed():
            found = await world.get("configmaps", "cluster-info", "kube-public")
            return found["data"].get("jws-kubeconfig-abcdef")

        assert await world.until(signed) == signing.signature("where it is", ID, SECRET)
        patch = {"data": {"kubeconfig": "elsewhere"}}
        await world.client.patch("configmaps", "cluster-info", patch, "kube-public")

        async def again():
            return await signed() == signing.signature("elsewhere", ID, SECRET)

        await world.until(again)
        await asyncio.sleep(590)
        assert await world.exists("secrets", f"bootstrap-token-{ID}", "kube-system")
        await asyncio.sleep(15)
        assert not await world.exists("secrets", f"bootstrap-token-{ID}", "kube-system")
        assert not await signed()

    run(story)


def test_cluster_info_is_made_where_the_address_of_the_api_is_known():
    async def story(world):
        await world.create("endpointslices.discovery.k8s.io", {
            "apiVersion": "discovery.k8s.io/v1", "kind": "EndpointSlice",
            "metadata": {"name": "kubernetes", "namespace": "default"}, "addressType": "IPv4",
            "endpoints": [{"addresses": ["10.0.0.1"]}], "ports": [{"name": "https", "port": 6443}],
        })  # fmt: skip

        async def made():
            return await world.exists("configmaps", "cluster-info", "kube-public")

        await world.until(made)
        found = await world.get("configmaps", "cluster-info", "kube-public")
        assert "    server: https://10.0.0.1:6443\n" in found["data"]["kubeconfig"]
        encoded = base64.b64encode(b"PEM").decode()
        assert f"certificate-authority-data: {encoded}\n" in found["data"]["kubeconfig"]

    run(story)


def test_a_token_that_never_expires_and_one_of_another_namespace_stay():
    async def story(world):
        await world.create("secrets", token())
        stray = token("zzzzzz", expiration="1999-01-01T00:00:00Z")
        stray["metadata"]["namespace"] = "default"
        await world.create("secrets", stray)
        await asyncio.sleep(200_000)
        assert await world.exists("secrets", f"bootstrap-token-{ID}", "kube-system")
        assert await world.exists("secrets", "bootstrap-token-zzzzzz", "default")

    run(story)
