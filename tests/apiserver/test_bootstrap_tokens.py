"""Bootstrap tokens, anonymous users and front proxies."""

import base64

import pytest
from multidict import CIMultiDict
from registry_world import create, world
from rest_world import StillClock

from cluster.aio import virtual
from cluster.api import errors, identity
from cluster.apiserver import authn
from cluster.apiserver.authn.bootstraptokens import BootstrapTokens
from cluster.apiserver.authn.requestheader import RequestHeader

GOOD = {
    "token-id": "abcdef",
    "token-secret": "0123456789abcdef",
    "usage-bootstrap-authentication": "true",
}
TOKEN = "abcdef.0123456789abcdef"


def secret(data, type="bootstrap.kubernetes.io/token"):
    encoded = {key: base64.b64encode(value.encode()).decode() for key, value in data.items()}
    return {"metadata": {"name": "bootstrap-token-abcdef"}, "type": type, "data": encoded}


@pytest.mark.parametrize(
    ("data", "groups"),
    [
        (GOOD, ("system:bootstrappers", "system:authenticated")),
        (GOOD | {"expiration": "2027-01-15T08:00:01Z"},
         ("system:bootstrappers", "system:authenticated")),
        (GOOD | {"auth-extra-groups": "system:bootstrappers:b,system:bootstrappers:a"},
         ("system:bootstrappers", "system:bootstrappers:a", "system:bootstrappers:b",
          "system:authenticated")),
        (GOOD | {"expiration": "2027-01-15T08:00:00Z"}, None),
        (GOOD | {"expiration": "tomorrow"}, None),
        (GOOD | {"token-secret": "0123456789abcdee"}, None),
        (GOOD | {"token-id": "abcdee"}, None),
        (GOOD | {"usage-bootstrap-authentication": "false"}, None),
        (GOOD | {"auth-extra-groups": "system:masters"}, None),
        ({}, None),
    ],
)  # fmt: skip
def test_bootstrap_tokens(data, groups):
    async def main():
        async with world() as w:
            clock = StillClock()
            known = authn.Authenticator(bootstrap=BootstrapTokens(w.registry.cache, clock))
            await w.do(create("secrets", secret(data), "kube-system"))
            user = known.review(TOKEN).user
            if groups is None:
                assert user is None
            else:
                assert user == identity.User("system:bootstrap:abcdef", groups)
            for wrong in ("abcdef", "ABCDEF.0123456789abcdef", f"{TOKEN}x", "abcdeg" + TOKEN[6:]):
                assert known.review(wrong).user is None

    virtual.run(main())


def test_a_secret_of_another_type_is_no_bootstrap_token():
    async def main():
        async with world() as w:
            known = authn.Authenticator(bootstrap=BootstrapTokens(w.registry.cache, StillClock()))
            await w.do(create("secrets", secret(GOOD, "Opaque"), "kube-system"))
            assert known.review(TOKEN).user is None

    virtual.run(main())


@pytest.mark.parametrize("header", [None, "", "Basic abc", "Bearer", "Bearer "])
def test_who_shows_no_token_is_anonymous_where_that_is_allowed(header):
    known = authn.Authenticator(anonymous=True)
    assert known.by_header(header) == identity.User("system:anonymous", ("system:unauthenticated",))
    with pytest.raises(errors.Unauthorized):
        authn.Authenticator().by_header(header)


def test_a_wrong_token_is_not_anonymous():
    with pytest.raises(errors.Unauthorized):
        authn.Authenticator(anonymous=True).by_header("Bearer wrong")


def test_a_front_proxy_tells_user_groups_and_more():
    proxy = RequestHeader(("front",))
    headers = CIMultiDict(
        [
            ("x-remote-user", "jane"),
            ("X-Remote-Group", "a"),
            ("X-Remote-Group", "b"),
            ("X-Remote-Extra-Example.org%2Fscope", "one"),
            ("X-Remote-Extra-Example.org%2Fscope", "two"),
        ]
    )
    user = proxy.user("front", headers)
    assert user == identity.User(
        "jane", ("a", "b", "system:authenticated"), "", (("example.org/scope", ("one", "two")),)
    )
    assert proxy.user("other", headers) is None
    assert proxy.user("front", CIMultiDict()) is None
    with pytest.raises(ValueError, match="requestheader-allowed-names"):
        RequestHeader(())
