"""Documents that say what containers of images do."""

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cluster.api import imagescripts, scriptvalues

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


def _much(script: str) -> str:
    """A rule that would make much of one text, by aliases."""
    return f"images: [{{start-delay: &a '{'1' * 1000}', image: x, {script}}}]"


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("images: {", "error converting YAML to JSON: yaml: line "),
        ("[]", "it has to be a mapping with the one key"),
        ("images: x", "it has to be a mapping with the one key"),
        ("images: []\nmore: 1", "it has to be a mapping with the one key"),
        ("images: [{ports: [1]}]", "images[0]: it needs an image"),
        ("images: [{image: x, port: 1}]", "images[0]: 'port' is none of image, cpu,"),
        (f"images: [{{image: {'x' * 513}}}]", "images[0].image: it is longer than 512"),
        (f"images: [{{image: 'a{'*a' * 17}'}}]", "images[0].image: it has more than 16 wildcards"),
        ("images: [{image: x, 1: 1}]", "images[0]: '1' is none of image, cpu,"),
        ("images: [{image: x, image: y}]", 'key "image" already set in map'),
        ("images: [{image: x, cpu: true}]", "images[0].cpu: it has to be a text"),
        ("images: [{image: x, cpu: {a: b}}]", "images[0].cpu: it has to be a text"),
        ("images: [{image: x, cpu: fast}]", "images[0].cpu: "),
        ("images: [{image: x, cpu: .nan}]", "images[0].cpu: "),
        ("images: [{image: x, ready-after: soon}]", "images[0].ready-after: 'soon' is no duration"),
        ("images: [{image: x, exit-code: 256}]", "images[0].exit-code: '256' is no exit code"),
        ("images: [{image: x, ports: [http]}]", "images[0].ports: 'http' is no port"),
        ("images: [{image: x, ports: ٣}]", "images[0].ports: '٣' is no port"),
        ("images: [{image: x, http: {x: y}}]", "images[0].http: 'x' is no path"),
        ("images: [{image: x, http: {/: [y]}}]", "images[0].http: an answer is a text, or has"),
        ("images: [{image: x, http: {/: {status: 99}}}]", "99 is no status of an answer"),
        ("images: [" + "{image: x}," * 1001 + "]", "images: there are more than 1000"),
        ("x" * ((1 << 20) + 1), "the file is larger than 1 MiB"),
        ("[" * 100_000, "nested more than 100 levels deep"),
        (_much("log: [" + "*a, " * 400 + "]"), "images[0].log: it is longer than"),
        (_much("http: {" + "".join(f"/{n}: *a, " for n in range(400)) + "}"), "http: it is longer"),
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
    assert imagescripts.NONE.told("web") == {}


def test_every_key_is_read_as_annotations_are() -> None:
    for key in scriptvalues.READERS:
        text = {"http": "{/: x}", "ports": "[80]", "log": "[x]"}.get(key, "1")
        told = imagescripts.parse(f"images: [{{image: x, {key}: {text}}}]").told("x")
        assert list(told) == [key]
