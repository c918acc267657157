"""What an EncryptionConfiguration may say, and what each resource gets of it."""

import base64

import pytest

from cluster.apiserver.encryption import configuration

KEY = base64.b64encode(bytes(32)).decode()


def document(*entries):
    return {
        "apiVersion": "apiserver.config.k8s.io/v1",
        "kind": "EncryptionConfiguration",
        "resources": [
            {"resources": list(names), "providers": list(providers)} for names, providers in entries
        ],
    }


def keyed(kind, *names, secret=KEY):
    return {kind: {"keys": [{"name": name, "secret": secret} for name in names]}}


IDENTITY = {"identity": {}}


def test_each_resource_gets_the_providers_of_the_first_entry_that_names_it():
    found = configuration.read(
        document(
            (["secrets", "deployments.apps"], [keyed("aesgcm", "one", "two"), IDENTITY]),
            (["*.apps"], [keyed("aescbc", "three")]),
            (["*."], [keyed("secretbox", "four")]),
            (["*.*"], [IDENTITY]),
        )
    )

    def prefixes(resource):
        return [provider.prefix for provider in found.providers(resource)]

    one, two = b"k8s:enc:aesgcm:v1:one:", b"k8s:enc:aesgcm:v1:two:"
    assert prefixes("secrets") == [one, two, b""]
    assert prefixes("deployments.apps") == [one, two, b""]
    assert prefixes("statefulsets.apps") == [b"k8s:enc:aescbc:v1:three:"]
    assert prefixes("configmaps") == [b"k8s:enc:secretbox:v1:four:"]
    assert prefixes("pandas.bears.example") == [b""]
    only = configuration.read(document((["secrets"], [IDENTITY])))
    assert only.providers("configmaps") == ()


@pytest.mark.parametrize(
    ("said", "word"),
    [
        ([], "is not an EncryptionConfiguration"),
        ({"apiVersion": "v1", "kind": "EncryptionConfiguration"}, "apiserver.config.k8s.io/v1"),
        (document(), "at least one resource must be specified"),
        (document((["*"], [IDENTITY])), "use '*.' to encrypt all the resources from core API"),
        (document((["Secrets"], [IDENTITY])), "should be lowercase"),
        (document((["secrets", "*."], [IDENTITY])), "will be masked"),
        (document((["secrets", "secrets"], [IDENTITY])), "Duplicate value"),
        (document((["secrets"], [])), "at least one provider"),
        (document((["secrets"], [{"kms": {"name": "x"}}])), "no key management service"),
        (document((["secrets"], [{**IDENTITY, **keyed("aescbc", "a")}])), "exactly one of"),
        (document((["secrets"], [{"rot13": {}}])), "unknown provider"),
        (document((["secrets"], [{"aescbc": {"keys": []}}])), "at least one key"),
        (document((["secrets"], [keyed("aescbc", "a", "a")])), "must be different"),
        (document((["secrets"], [keyed("aescbc", "a", secret="!")])), "must be base64"),
        (
            document((["secrets"], [keyed("aesgcm", "a", secret="c2hvcnQ=")])),
            "got 5, expected one of [16 24 32]",
        ),
        (document((["secrets"], [keyed("secretbox", "a", secret="c2hvcnQ=")])), "one of [32]"),
    ],
)
def test_what_cannot_be_used_is_refused_with_its_place(said, word):
    with pytest.raises(configuration.Unusable, match=r"\w") as caught:
        configuration.read(said)
    assert word in str(caught.value)
    assert "c2hvcnQ=" not in str(caught.value)
