"""Service account tokens: asked for, taken, and refused when they should be."""

import base64
import json
from contextlib import asynccontextmanager
from random import Random

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from registry_world import EPOCH, World, create
from rest_world import StillClock

from cluster.aio import tasks, virtual
from cluster.api import errors, resources
from cluster.api.operations import Operation, Verb
from cluster.api.tokens import claims, keys
from cluster.api.tokens.jws import Signer
from cluster.apiserver import authn
from cluster.apiserver.admission.chain import Chain
from cluster.apiserver.authn.serviceaccounts import ISSUER, Issuer, ServiceAccounts, Settings
from cluster.apiserver.registry import Registry
from cluster.storage.memory import MemoryStorage


def pem(key) -> bytes:
    return key.private_bytes(Encoding.PEM, PrivateFormat.TraditionalOpenSSL, NoEncryption())


KEY = keys.signing_key(pem(ec.derive_private_key(77, ec.SECP256R1())))
OTHER = keys.signing_key(pem(ec.derive_private_key(78, ec.SECP256R1())))


class Tokens(World):
    """A registry that issues tokens, an account `robot`, and who verifies."""

    def __init__(self, registry, store, group, clock, settings):
        super().__init__(registry, store, group)
        self.clock = clock
        self.known = ServiceAccounts(settings, registry.cache, clock)
        self.authenticator = authn.Authenticator(service_accounts=self.known)

    async def request(self, spec=None, name="robot", meta=None):
        body = {"metadata": meta or {}, "spec": spec or {}}
        operation = Operation(
            Verb.CREATE, "serviceaccounts", "default", name, "token",
            json.dumps(body).encode(),
        )  # fmt: skip
        entry = await self.do(operation)
        return json.loads(entry.json)

    async def token(self, **spec) -> str:
        return (await self.request(spec))["status"]["token"]

    def user(self, token: str):
        return self.authenticator.by_header(f"Bearer {token}")

    def why(self, token: str, audiences=()) -> str:
        return self.authenticator.review(token, audiences).error


@asynccontextmanager
async def tokens(**settings):
    store = MemoryStorage()
    await store.open()
    clock = StillClock()
    clock.time = EPOCH
    wanted = Settings(signing=KEY, **settings)
    registry = Registry(
        resources.built_in(), store, clock=clock, random=Random(1),
        admission=Chain(), issuer=Issuer(wanted, KEY),
    )  # fmt: skip
    await registry.open()
    try:
        async with tasks.Group("test") as group:
            found = Tokens(registry, store, group, clock, wanted)
            await found.do(create("serviceaccounts", {"metadata": {"name": "robot"}}))
            yield found
    finally:
        await registry.close()


def run(story, **settings):
    async def main():
        async with tokens(**settings) as world:
            await story(world)

    virtual.run(main())


def payload_of(token: str):
    return jwt.decode(token, options={"verify_signature": False})


def test_a_token_is_asked_for_and_names_its_account():
    async def story(world):
        answer = await world.request()
        assert answer["kind"] == "TokenRequest"
        assert answer["apiVersion"] == "authentication.k8s.io/v1"
        assert answer["spec"] == {
            "audiences": [ISSUER], "expirationSeconds": 3600, "boundObjectRef": None,
        }  # fmt: skip
        assert answer["status"]["expirationTimestamp"] == "2023-11-14T23:13:20Z"
        account = await world.get("serviceaccounts", "robot")
        payload = payload_of(answer["status"]["token"])
        assert payload["iss"] == ISSUER
        assert payload["aud"] == [ISSUER]
        assert payload["exp"] - payload["iat"] == 3600
        assert payload["sub"] == "system:serviceaccount:default:robot"
        assert payload["kubernetes.io"] == {
            "namespace": "default",
            "serviceaccount": {"name": "robot", "uid": account["metadata"]["uid"]},
        }
        user = world.user(answer["status"]["token"])
        assert user.name == "system:serviceaccount:default:robot"
        assert user.uid == account["metadata"]["uid"]
        assert user.groups == (
            "system:serviceaccounts", "system:serviceaccounts:default", "system:authenticated",
        )  # fmt: skip
        jti = f"JTI={payload['jti']}"
        assert user.extra == (("authentication.kubernetes.io/credential-id", (jti,)),)

    run(story)


@pytest.mark.parametrize(
    ("spec", "kind", "message"),
    [
        (
            {"expirationSeconds": 599}, errors.Invalid,
            'TokenRequest.authentication.k8s.io "" is invalid: spec.expirationSeconds: Invalid '
            "value: 599: may not specify a duration less than 10 minutes",
        ),
        (
            {"expirationSeconds": (1 << 32) + 1}, errors.Invalid,
            'TokenRequest.authentication.k8s.io "" is invalid: spec.expirationSeconds: Invalid '
            "value: 4294967297: may not specify a duration larger than 2^32 seconds",
        ),
        (
            {"boundObjectRef": {"kind": "Pod", "apiVersion": "v1", "name": "no"}},
            errors.NotFound, 'pods "no" not found',
        ),
        (
            {"boundObjectRef": {"kind": "Secret", "apiVersion": "v1", "name": "s", "uid": "x"}},
            errors.Conflict,
            'Operation cannot be fulfilled on Secret "s": the UID in the bound object reference '
            "(x) does not match the UID in record. The object might have been deleted and then "
            "recreated",
        ),
        (
            {"boundObjectRef": {"kind": "ConfigMap", "apiVersion": "v1", "name": "c"}},
            errors.BadRequest, "cannot bind token to object of type /v1, Kind=ConfigMap",
        ),
        (
            {"boundObjectRef": {"kind": "Pod", "apiVersion": "v1", "name": "stranger"}},
            errors.BadRequest,
            'cannot bind token for serviceaccount "robot" to pod running with different '
            "serviceaccount name.",
        ),
    ],
)  # fmt: skip
def test_requests_that_are_refused(spec, kind, message):
    async def story(world):
        await world.do(create("secrets", {"metadata": {"name": "s"}}))
        await world.do(create("pods", pod("stranger", "other")))
        with pytest.raises(kind) as refusal:
            await world.request(spec)
        assert refusal.value.message == message

    run(story)


def pod(name, account="robot"):
    spec = {"serviceAccountName": account, "containers": [{"name": "c", "image": "i"}]}
    return {"metadata": {"name": name}, "spec": spec | {"nodeName": "n1"}}


@pytest.mark.parametrize(
    ("name", "meta", "message"),
    [
        ("robot", {"name": "x"}, "name in URL does not match name in TokenRequest object"),
        ("robot", {"namespace": "x"},
         "namespace in URL does not match namespace in TokenRequest object"),
        ("nobody", {}, 'serviceaccounts "nobody" not found'),
    ],
)  # fmt: skip
def test_the_request_is_for_the_account_of_its_path(name, meta, message):
    async def story(world):
        with pytest.raises(errors.StatusError) as refusal:
            await world.request(name=name, meta=meta)
        assert refusal.value.message == message

    run(story)


def test_a_token_of_a_pod_names_pod_and_node_and_ends_with_the_pod():
    async def story(world):
        await world.do(create("nodes", {"metadata": {"name": "n1"}}, ""))
        await world.do(create("pods", pod("web")))
        reference = {"kind": "Pod", "apiVersion": "v1", "name": "web"}
        token = await world.token(boundObjectRef=reference)
        made = await world.get("pods", "web")
        node = await world.get("nodes", "n1", "")
        user = world.user(token)
        assert dict(user.extra) | {"authentication.kubernetes.io/credential-id": None} == {
            "authentication.kubernetes.io/credential-id": None,
            "authentication.kubernetes.io/pod-name": ("web",),
            "authentication.kubernetes.io/pod-uid": (made["metadata"]["uid"],),
            "authentication.kubernetes.io/node-name": ("n1",),
            "authentication.kubernetes.io/node-uid": (node["metadata"]["uid"],),
        }
        assert world.user(token) is user  # remembered
        await world.patch("pods", "web", {"metadata": {"labels": {"a": "b"}}})
        assert world.user(token) == user
        await world.delete("pods", "web", gracePeriodSeconds=0)
        with pytest.raises(errors.Unauthorized):
            world.user(token)
        await world.do(create("pods", pod("web")))
        assert "does not match service account pod ref claim" in world.why(token)

    run(story)


@pytest.mark.parametrize("resource", ["secrets", "serviceaccounts"])
def test_a_token_ends_with_what_it_is_bound_to(resource):
    async def story(world):
        await world.do(create("secrets", {"metadata": {"name": "robot"}}))
        reference = {"kind": "Secret", "apiVersion": "v1", "name": "robot"}
        token = await world.token(boundObjectRef=reference)
        world.user(token)
        await world.delete(resource, "robot")
        with pytest.raises(errors.Unauthorized):
            world.user(token)

    run(story)


def test_a_pod_that_is_told_to_go_vouches_a_minute_longer():
    async def story(world):
        await world.do(create("pods", pod("web")))
        reference = {"kind": "Pod", "apiVersion": "v1", "name": "web"}
        token = await world.token(boundObjectRef=reference)
        await world.delete("pods", "web", gracePeriodSeconds=30)
        world.clock.time += 30 + 59
        world.user(token)
        world.clock.time += 2
        with pytest.raises(errors.Unauthorized):
            world.user(token)

    run(story)


def test_a_token_expires_though_it_is_remembered():
    async def story(world):
        token = await world.token(expirationSeconds=600)
        world.user(token)
        world.clock.time += 599
        world.user(token)
        world.clock.time += 1
        assert world.why(token) == "[invalid bearer token, service account token has expired]"

    run(story)


def test_the_kubelets_tokens_live_a_year_but_say_an_hour():
    async def story(world):
        answer = await world.request({"expirationSeconds": 3607})
        payload = payload_of(answer["status"]["token"])
        assert payload["exp"] - payload["iat"] == 365 * 24 * 3600
        assert payload["kubernetes.io"]["warnafter"] == payload["iat"] + 3607
        assert answer["status"]["expirationTimestamp"] == "2023-11-14T23:13:27Z"
        elsewhere = payload_of(await world.token(expirationSeconds=3607, audiences=["vault"]))
        assert elsewhere["exp"] - elsewhere["iat"] == 3607

    run(story)


def signed(key=KEY, **changes) -> str:
    payload = claims.bound_payload(
        issuer=ISSUER, audiences=[ISSUER], now=EPOCH, seconds=3600, extended=False, id="x",
        account=claims.Reference("serviceaccounts", "default", "robot", ""), bound={},
    )  # fmt: skip
    return Signer(key).sign({k: v for k, v in (payload | changes).items() if v is not None})


def part(value) -> str:
    return keys.encoded(json.dumps(value).encode())


@pytest.mark.parametrize(
    ("token", "why"),
    [
        (signed(key=OTHER), "invalid signature"),
        (signed(iss="https://elsewhere"), "token was issued by somebody else"),
        (signed(exp=int(EPOCH)), "service account token has expired"),
        (signed(nbf=int(EPOCH) + 1), "service account token is not valid yet"),
        (signed(aud=["vault"]), 'token audiences ["vault"] is invalid for the target audiences'),
        (signed(sub="system:serviceaccount:default:other"),
         "sub claim does not name the service account"),
        (signed(**{"kubernetes.io": None}), "token has malformed claims"),
        (signed(**{"kubernetes.io": "no"}), "token has malformed claims"),
        (signed(exp="soon"), "token has malformed claims"),
        (part({"alg": "none"}) + "." + signed().split(".")[1] + ".", "invalid signature"),
        ("a.b.c", "token is malformed: DecodeError"),
        (base64.urlsafe_b64encode(b"[" * 20_000).decode() + ".e30.x", "token is malformed"),
        ("x." + "y" * 40_000 + ".z", "token is too large"),
    ],
)  # fmt: skip
def test_tokens_that_are_refused(token, why):
    async def story(world):
        world.user(signed())  # the same, unspoilt
        assert why in world.why(token)
        with pytest.raises(errors.Unauthorized):
            world.user(token)

    run(story)


def test_a_token_that_was_tampered_with_is_refused():
    async def story(world):
        head, payload, signature = (await world.token()).split(".")
        said = json.loads(base64.urlsafe_b64decode(payload + "=="))
        said["sub"] = "system:serviceaccount:kube-system:default"
        assert "invalid signature" in world.why(f"{head}.{part(said)}.{signature}")
        hmac = jwt.encode(said, "anything" * 8, algorithm="HS256")
        assert "invalid signature" in world.why(hmac)

    run(story)


def test_a_token_for_others_is_known_to_those_who_ask_for_them():
    async def story(world):
        token = await world.token(audiences=["vault", "db"])
        with pytest.raises(errors.Unauthorized):
            world.user(token)
        review = world.authenticator.review(token, ["db", "web"])
        assert review.user.name == "system:serviceaccount:default:robot"
        assert review.audiences == ("db",)
        with pytest.raises(errors.Unauthorized):  # what was reviewed opens nothing here
            world.user(token)

    run(story)


def test_no_token_lives_longer_than_the_longest_life():
    async def story(world):
        answer = await world.request({"expirationSeconds": 100_000})
        assert answer["spec"]["expirationSeconds"] == 7200

    run(story, longest=7200)


def test_a_legacy_token_holds_as_long_as_its_secret():
    async def story(world):
        account = await world.get("serviceaccounts", "robot")
        reference = claims.Reference(
            "serviceaccounts", "default", "robot", account["metadata"]["uid"]
        )
        token = Signer(KEY).sign(claims.legacy_payload(reference, "old"))
        assert "has been invalidated" in world.why(token)
        data = {"token": base64.b64encode(token.encode()).decode()}
        await world.do(create("secrets", {"metadata": {"name": "old"}, "data": data}))
        assert world.user(token).name == "system:serviceaccount:default:robot"
        await world.patch("secrets", "old", {"data": {"token": "eA=="}})
        assert "token does not match server's copy" in world.why(token)
        await world.delete("secrets", "old")
        with pytest.raises(errors.Unauthorized):
            world.user(token)

    run(story)


def test_remembered_tokens_are_bounded(monkeypatch):
    monkeypatch.setattr("cluster.apiserver.authn.serviceaccounts.KNOWN", 3)

    async def story(world):
        made = [await world.token(expirationSeconds=600 + n) for n in range(5)]
        for token in made:
            world.user(token)
        assert len(world.known._known) == 3
        assert world.user(made[0])

    run(story)


def test_the_same_draws_sign_the_same_token():
    async def token():
        async with tokens() as world:
            return await world.token()

    first, second = virtual.run(token()), virtual.run(token())
    # uids are drawn: the same seed draws the same.
    assert first == second


@pytest.mark.parametrize(
    ("key", "algorithm"),
    [
        (rsa.generate_private_key(65537, 2048), "RS256"),
        (ec.derive_private_key(7, ec.SECP256R1()), "ES256"),
        (ec.derive_private_key(7, ec.SECP384R1()), "ES384"),
        (ec.derive_private_key(7, ec.SECP521R1()), "ES512"),
    ],
)
def test_every_kind_of_key_signs_what_its_public_half_verifies(key, algorithm):
    signing = keys.signing_key(pem(key))
    (public,) = keys.public_keys(pem(key))
    assert public.algorithm == algorithm
    assert public.id == signing.public.id
    token = Signer(signing).sign({"iss": "me"})
    published = jwt.PyJWK.from_dict(public.jwk())
    assert jwt.decode(token, published.key, algorithms=[algorithm]) == {"iss": "me"}
    assert jwt.get_unverified_header(token) == {"alg": algorithm, "kid": public.id}


@pytest.mark.parametrize(
    "text", [b"", b"nonsense", b"-----BEGIN PUBLIC KEY-----\nx\n-----END PUBLIC KEY-----"]
)
def test_files_without_a_key_are_refused(text):
    with pytest.raises(ValueError, match=r"no key|PEM|ASN|parse|load|valid|deserialize"):
        keys.public_keys(text)
    with pytest.raises(ValueError, match="no private key in PEM"):
        keys.signing_key(text)
