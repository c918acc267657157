"""Certificate requests in a world: approved, signed, refused and removed."""

import asyncio
import base64
import itertools

import certificate_objects as made
import pytest
from controllerworld import EPOCH, running
from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID

from cluster.aio import virtual
from cluster.api import certificates, identity, objects
from cluster.apiserver import direct
from cluster.apiserver.authz import modes
from cluster.apiserver.virtual import access
from cluster.client import client
from cluster.controllers.certificates import authority, decision
from cluster.controllers.config import Config
from cluster.launcher import pki

CSRS = "certificatesigningrequests.certificates.k8s.io"
REVIEWS = "subjectaccessreviews.authorization.k8s.io"
NODE = ("system:node:n1", ["system:nodes"])
CLIENT = ["client auth", "digital signature"]


def ca():
    """Made once: the key is that of the tests' requests in kind only."""
    key = ec.derive_private_key(7, ec.SECP256R1())
    pair = pki.Authority(_certificate(key), key).pair
    return authority.Authority(pair.certificate, pair.key)


def _certificate(key):
    import datetime

    from cryptography.hazmat.primitives import hashes

    start = datetime.datetime.fromtimestamp(EPOCH - 3600, datetime.UTC)
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "kubernetes")])
    return (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(start)
        .not_valid_after(start + datetime.timedelta(days=3650))
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256(), ecdsa_deterministic=True)
    )


AUTHORITY = ca()


def csr(name="x", signer=certificates.APISERVER_CLIENT, usages=CLIENT, asked=None, **spec):
    request = made.encoded(asked or made.request("jane", ["devs"]))
    return {
        "apiVersion": "certificates.k8s.io/v1",
        "kind": "CertificateSigningRequest",
        "metadata": {"name": name},
        "spec": {"request": request, "signerName": signer, "usages": list(usages)} | spec,
    }


def run(story, **config):
    async def main():
        async with running(Config(cluster_signing_authority=AUTHORITY, **config)) as world:
            await story(world)

    virtual.run(main())


async def approve(world, obj):
    approved = decision.with_condition(obj, "Approved", "Test", "by the test")
    return await world.client.update(CSRS, approved, subresource="approval")


async def ended(world, name="x"):
    async def done():
        status = objects.status(await world.get(CSRS, name, ""))
        kinds = [each["type"] for each in status.get("conditions") or ()]
        return status if status.get("certificate") or "Failed" in kinds else None

    return await world.until(done)


def leaf(status):
    return x509.load_pem_x509_certificate(base64.b64decode(status["certificate"]))


def test_an_approved_request_gets_a_certificate_that_the_cluster_believes():
    async def story(world):
        obj = await world.create(CSRS, csr(expirationSeconds=3600))
        await asyncio.sleep(5)
        assert "certificate" not in objects.status(await world.get(CSRS, "x", ""))
        await approve(world, obj)
        found = leaf(await ended(world))
        found.verify_directly_issued_by(AUTHORITY._certificate)
        assert found.subject.rfc4514_string() == "CN=jane,O=devs"
        assert found.public_key() == made.KEY.public_key()
        life = found.not_valid_after_utc - found.not_valid_before_utc
        assert life.total_seconds() == 3600 + 300
        usage = found.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
        assert list(usage) == [ExtendedKeyUsageOID.CLIENT_AUTH]
        assert not found.extensions.get_extension_for_class(x509.BasicConstraints).value.ca

    run(story)


def test_the_same_seed_gives_the_same_certificate():
    seen = []

    async def story(world):
        await approve(world, await world.create(CSRS, csr()))
        seen.append((await ended(world))["certificate"])

    run(story)
    run(story)
    assert seen[0] == seen[1]


def test_what_a_signer_does_not_sign_fails_with_a_reason():
    async def story(world):
        obj = await world.create(CSRS, csr(usages=["server auth"]))
        await approve(world, obj)
        status = await ended(world)
        failed = status["conditions"][-1]
        assert failed["reason"] == "SignerValidationFailure"
        assert failed["message"] == "invalid usage for client certificate: server auth"

    run(story)


def test_requests_for_other_signers_are_left_alone():
    async def story(world):
        obj = await world.create(CSRS, csr(signer="example.com/own"))
        await approve(world, obj)
        await asyncio.sleep(30)
        found = objects.status(await world.get(CSRS, "x", ""))
        assert [each["type"] for each in found["conditions"]] == ["Approved"]
        assert "certificate" not in found

    run(story)


def test_a_nodes_request_for_its_client_certificate_is_approved_by_itself():
    async def story(world):
        asked = made.request(*NODE)
        await world.create(CSRS, csr(signer=certificates.KUBELET_CLIENT, asked=asked))
        status = await ended(world)
        (condition,) = status["conditions"]
        assert (condition["type"], condition["reason"]) == ("Approved", "AutoApproved")
        assert leaf(status).subject.rfc4514_string() == "CN=system:node:n1,O=system:nodes"
        serving = made.request(*NODE, [x509.DNSName("n1")])
        usages = ["server auth", "digital signature"]
        waiting = csr("y", certificates.KUBELET_SERVING, usages, serving)
        await world.create(CSRS, waiting)
        await asyncio.sleep(30)
        assert objects.status(await world.get(CSRS, "y", "")) == {}
        await approve(world, await world.get(CSRS, "y", ""))
        assert leaf(await ended(world, "y")).extensions.get_extension_for_class(
            x509.SubjectAlternativeName
        ).value.get_values_for_type(x509.DNSName) == ["n1"]

    run(story)


RBAC = "rbac.authorization.k8s.io"
ROLE = {
    "apiVersion": f"{RBAC}/v1",
    "kind": "ClusterRole",
    "metadata": {"name": "node-client"},
    "rules": [
        {
            "apiGroups": ["certificates.k8s.io"],
            "resources": ["certificatesigningrequests/nodeclient"],
            "verbs": ["create"],
        }
    ],
}
BINDING = {
    "apiVersion": f"{RBAC}/v1",
    "kind": "ClusterRoleBinding",
    "metadata": {"name": "bootstrappers"},
    "subjects": [{"kind": "Group", "name": "system:bootstrappers", "apiGroup": RBAC}],
    "roleRef": {"kind": "ClusterRole", "name": "node-client", "apiGroup": RBAC},
}


def under_rbac(world):
    """Have the reviews of this world answered by RBAC; the times at which they were asked for."""
    built = modes.build((modes.RBAC,), world.registry.cache)
    built.open(world.registry.cache)
    handlers, asked = access.handlers(built.authorizer), []
    review = handlers[REVIEWS]

    def counted(call, obj):
        asked.append(asyncio.get_running_loop().time())
        return review(call, obj)

    world.registry.virtual.update(handlers | {REVIEWS: counted})
    return asked


async def ask_as_bootstrapper(world, name="x"):
    user = identity.User("system:bootstrap:abcdef", ("system:bootstrappers",))
    asked = made.request(*NODE)
    async with client.Client(direct.DirectTransport(world.registry, user)) as own:
        await own.create(CSRS, csr(name, certificates.KUBELET_CLIENT, asked=asked))


def test_a_request_that_came_before_its_right_is_approved_once_the_right_is_there():
    async def story(world):
        asked = under_rbac(world)
        await ask_as_bootstrapper(world)
        await asyncio.sleep(20)
        assert objects.status(await world.get(CSRS, "x", "")) == {}
        pauses = [later - sooner for sooner, later in itertools.pairwise(asked)]
        assert len(pauses) >= 4
        assert all(1.5 < after / before < 2.5 for before, after in itertools.pairwise(pauses))
        await world.create("clusterroles.rbac.authorization.k8s.io", ROLE)
        await world.create("clusterrolebindings.rbac.authorization.k8s.io", BINDING)
        status = await ended(world)
        assert [each["type"] for each in status["conditions"]] == ["Approved"]

    run(story)


def test_a_request_without_its_right_is_looked_at_no_more_once_it_is_gone():
    async def story(world):
        asked = under_rbac(world)
        await ask_as_bootstrapper(world)
        await asyncio.sleep(20)
        await world.client.delete(CSRS, "x")
        await asyncio.sleep(60)
        looked = len(asked)
        await asyncio.sleep(3600)
        assert len(asked) == looked
        await ask_as_bootstrapper(world)
        await asyncio.sleep(1)
        assert len(asked) > looked + 1, "its pauses begin anew"

    run(story)


def test_old_requests_are_removed():
    async def story(world):
        await world.create(CSRS, csr("pending"))
        await approve(world, await world.create(CSRS, csr("issued")))
        await ended(world, "issued")
        await asyncio.sleep(2.5 * 3600)
        assert not await world.exists(CSRS, "issued", "")
        assert await world.exists(CSRS, "pending", "")
        await asyncio.sleep(24 * 3600)
        assert not await world.exists(CSRS, "pending", "")

    run(story)


FAULTS = [
    (made.request(*NODE), CLIENT, ""),
    (made.request("system:node:n", ["system:nodes", "x"]), CLIENT,
     "subject organization is not system:nodes"),
    (made.request("n", ["system:nodes"]), CLIENT,
     "subject common name does not begin with system:node:"),
    (made.request(*NODE, [x509.DNSName("a")]), CLIENT, "DNS subjectAltNames are not allowed"),
    (made.request(*NODE), ["client auth"],
     "usages did not match [client auth digital signature key encipherment]"),
]  # fmt: skip


@pytest.mark.parametrize(("asked", "usages", "fault"), FAULTS)
def test_what_a_kubelet_may_ask_for(asked, usages, fault):
    assert certificates.kubelet_client_fault(asked, usages) == fault


def test_an_authority_knows_its_own_key():
    other = ec.derive_private_key(8, ec.SECP256R1()).private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.TraditionalOpenSSL,
        serialization.NoEncryption(),
    )
    with pytest.raises(ValueError, match="not that of the certificate"):
        authority.Authority(AUTHORITY.certificate_pem, other)


@pytest.mark.parametrize(("asked", "life"), [(None, 900), (1, 600), (700, 700), (5000, 900)])
def test_a_certificate_lives_as_was_asked_within_bounds(asked, life):
    assert decision.life(asked, 900) == life
