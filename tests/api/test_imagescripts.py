"""Documents that say what containers of images do."""

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cluster.api import imagescripts

TEXT = """
images:
- image: shop/cart:v2
  crash-after: 10
- image: shop/*
  ready-after: 5s
  ports: [8080, 9090]
  log: [one, two]
  http: {/healthz: ok, /x: {status: 503}}
- image: "*:broken"
  exit-code: 3
- image: cache
  memory: 1Gi
"""


@pytest.mark.parametrize(
    ("image", "keys"),
    [
        ("shop/cart:v2", {"crash-after"}),
        ("docker.io/shop/cart:v2", {"crash-after"}),
        ("shop/cart", {"ready-after", "ports", "log", "http"}),
        ("registry.example/shop/web@sha256:" + "0" * 64, {"ready-after", "ports", "log", "http"}),
        ("team/web:broken", {"exit-code"}),
        ("cache", {"memory"}),
        ("docker.io/library/cache:1", {"memory"}),
        ("team/cache", set()),
        ("Not An Image", set()),
    ],
)
def test_the_first_pattern_that_fits_says_what_an_image_does(image: str, keys: set[str]) -> None:
    assert set(imagescripts.parse(TEXT).told(image)) == keys


def test_values_become_those_of_annotations() -> None:
    told = imagescripts.parse(TEXT).told("shop/web")
    assert told == {
        "ready-after": "5s", "ports": "8080,9090", "log": "one\ntwo",
        "http": '{"/healthz":"ok","/x":{"status":503}}',
    }  # fmt: skip
    assert imagescripts.parse(TEXT).told("shop/cart:v2") == {"crash-after": "10"}


def test_a_pods_own_annotations_win() -> None:
    pod = {
        "spec": {
            "initContainers": [{"name": "init", "image": "shop/init"}],
            "containers": [{"name": "web", "image": "shop/cart:v2"}, {"name": "x", "image": "x"}],
        }
    }
    found = imagescripts.of_pod(imagescripts.parse(TEXT), pod)
    assert found["kubemu.dev/crash-after.web"] == "10"
    assert found["kubemu.dev/ports.init"] == "8080,9090"
    assert not any(key.endswith(".x") for key in found)
    own = {"kubemu.dev/crash-after": "1m", "kubemu.dev/ports.init": "1", "other": "x"}
    left = imagescripts.under(own, found)
    assert set(left) == {
        "kubemu.dev/ready-after.init", "kubemu.dev/log.init", "kubemu.dev/http.init",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("images: {", "it is no YAML"),
        ("[]", "it has to be a mapping with the one key"),
        ("images: x", "it has to be a mapping with the one key"),
        ("images: []\nmore: 1", "it has to be a mapping with the one key"),
        ("images: [{ports: [1]}]", "images[0]: it needs an image"),
        ("images: [{image: x, port: 1}]", "images[0]: 'port' is none of image, cpu,"),
        ("images: [{image: x, cpu: true}]", "images[0].cpu: it has to be a text"),
        ("images: [{image: x, cpu: {a: b}}]", "images[0].cpu: it has to be a text"),
        ("images: [" + "{image: x}," * 1001 + "]", "images: there are more than 1000"),
        ("x" * (imagescripts.MAX_TEXT + 1), "it is longer than"),
        ("[" * 100_000, "it is no YAML"),
    ],
)
def test_what_is_wrong_is_said(text: str, why: str) -> None:
    with pytest.raises(ValueError, match=r".") as caught:
        imagescripts.parse(text)
    assert why in str(caught.value)


@given(st.text(max_size=300))
def test_no_text_is_more_than_wrong(text: str) -> None:
    with contextlib.suppress(ValueError):
        assert imagescripts.parse(text).told("web") == {}


def test_an_empty_document_says_nothing() -> None:
    assert imagescripts.parse("").rules == ()
    assert imagescripts.of_pod(imagescripts.NONE, {"spec": {"containers": []}}) == {}
