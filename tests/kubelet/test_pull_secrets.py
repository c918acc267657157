"""Credentials of imagePullSecrets: which are for an image, and in which order."""

import base64
import json

import pytest

from cluster.api import dockerconfig
from cluster.kubelet import pullsecrets
from cluster.kubelet.volumes.references import SECRETS, Reference


def secret(auths, *, kind="kubernetes.io/dockerconfigjson", key=".dockerconfigjson"):
    data = json.dumps(auths).encode()
    return {"type": kind, "data": {key: base64.b64encode(data).decode()}}


def user(name):
    return {"username": name, "password": "p"}


def names(secrets, image):
    return [one.name for one in pullsecrets.credentials(secrets, image)]


@pytest.mark.parametrize(
    ("key", "image", "fits"),
    [
        ("localhost:5000", "localhost:5000/app:v1", True),
        ("http://localhost:5000", "localhost:5000/app:v1", True),
        ("localhost:5000", "localhost:5001/app:v1", False),
        ("quay.io/team", "quay.io/team/app", True),
        ("quay.io/team", "quay.io/teamwork/app", False),
        ("quay.io/team/app", "quay.io/team/app@sha256:" + "a" * 64, True),
        ("https://index.docker.io/v1/", "nginx", True),
        ("docker.io", "team/app", True),
        ("*.example.com", "eu.example.com/app", True),
        ("*.example.com", "a.eu.example.com/app", False),
        ("example.com", "eu.example.com/app", False),
    ],
)
def test_which_credentials_are_for_an_image(key, image, fits):
    found = names([secret({"auths": {key: user("me")}})], image)
    assert found == (["me"] if fits else [])


def test_the_closest_of_a_secret_comes_first_and_secrets_in_their_order():
    one = secret({"auths": {"quay.io": user("all"), "quay.io/team": user("team")}})
    older = secret({"quay.io": user("older")}, kind="kubernetes.io/dockercfg", key=".dockercfg")
    assert names([one, None, older, one], "quay.io/team/app") == ["team", "all", "older"]


@pytest.mark.parametrize(
    "broken",
    [
        {}, {"type": "kubernetes.io/dockerconfigjson"}, secret([]), secret({"auths": 1}),
        {"type": "kubernetes.io/dockerconfigjson", "data": {".dockerconfigjson": "%"}},
        {"type": "Opaque", "data": secret({"auths": {"quay.io": user("me")}})["data"]},
    ],
)  # fmt: skip
def test_what_cannot_be_read_gives_none(broken):
    assert names([broken], "quay.io/app") == []


def test_which_secrets_a_pod_names_and_which_are_missing():
    pod = {
        "metadata": {"namespace": "ns"},
        "spec": {"imagePullSecrets": [{"name": "a"}, {}, {"name": "b"}]},
    }
    wanted = pullsecrets.references(pod)
    assert wanted == [Reference(SECRETS, "ns", "a"), Reference(SECRETS, "ns", "b")]
    assert pullsecrets.missing({wanted[0]: {}, wanted[1]: None}) == (
        "Unable to retrieve some image pull secrets (b); attempting to pull the image may not "
        "succeed."
    )
    assert pullsecrets.missing({one: {} for one in wanted}) == ""


def test_a_password_may_have_colons():
    auth = base64.b64encode(b"me:a:b").decode()
    found = dockerconfig.parse(json.dumps({"auths": {"x.io": {"auth": auth}}}).encode())
    assert found == {"x.io": dockerconfig.Credentials("me", "a:b")}
