"""Links in proxied answers lead through the proxy again."""

import gzip
import time

import pytest

from cluster.apiserver.streaming import rewriting
from cluster.apiserver.streaming.rewriting import Place

PREFIX = "/api/v1/namespaces/default/pods/web/proxy"
PLACE = Place("10.0.0.5:80", "localhost:8001", PREFIX)

URLS = [
    ("/login", f"{PREFIX}/login"),
    ("/", f"{PREFIX}/"),
    ("/a/?x=1#y", f"{PREFIX}/a/?x=1#y"),
    ("login", "login"),
    ("", ""),
    ("#top", "#top"),
    ("http://10.0.0.5:80/a", f"{PREFIX}/a"),
    ("http://localhost:8001/a", f"http://localhost:8001{PREFIX}/a"),
    ("https://example.com/a", "https://example.com/a"),
    ("//example.com/a", "//example.com/a"),
    (f"{PREFIX}/b", f"{PREFIX}/b"),
    ("http://[bad", "http://[bad"),
]


@pytest.mark.parametrize(("given", "wanted"), URLS)
def test_a_url(given: str, wanted: str) -> None:
    assert rewriting.url(given, PLACE) == wanted


PAGES = [
    ('<a href="/x">x</a>', f'<a href="{PREFIX}/x">x</a>'),
    ("<IMG alt='a' SRC='/i.png'>", f"<IMG alt='a' SRC=\"{PREFIX}/i.png\">"),
    ("<a href=/x>", f'<a href="{PREFIX}/x">'),
    ('<a title="/x">/y</a>', '<a title="/x">/y</a>'),
    ('<script src="/s.js">if (a < b) "<a href=\\"/x\\">"</script>',
     f'<script src="{PREFIX}/s.js">if (a < b) "<a href=\\"/x\\">"</script>'),
    ('<!-- <a href="/x"> --><a href="y">', '<!-- <a href="/x"> --><a href="y">'),
    ('<a href="/x?a=1&amp;b=2">', f'<a href="{PREFIX}/x?a=1&amp;b=2">'),
    ("a < b and c > d", "a < b and c > d"),
]  # fmt: skip


@pytest.mark.parametrize(("given", "wanted"), PAGES)
def test_a_page(given: str, wanted: str) -> None:
    assert rewriting.page(given, PLACE) == wanted


def test_bytes_that_are_no_text_and_gzip_stay_what_they_are() -> None:
    raw = b'\xff<a href="/x">\xfe'
    wanted = b'\xff<a href="%s/x">\xfe' % PREFIX.encode()
    assert rewriting.body(raw, "", PLACE) == wanted
    packed = rewriting.body(gzip.compress(raw), "gzip", PLACE)
    assert gzip.decompress(packed) == wanted
    bomb = gzip.compress(bytes(rewriting.MAX_HTML * 4))
    assert rewriting.body(bomb, "gzip", PLACE) == bomb
    assert rewriting.body(b"not gzip", "gzip", PLACE) == b"not gzip"


@pytest.mark.parametrize(
    "part", ["<a ", "<a href=", "<!--", "<script ", "<a x='", '<a href="', " "]
)
def test_no_page_takes_long(part: str) -> None:
    text = part * (rewriting.MAX_HTML // len(part))
    started = time.process_time()
    assert rewriting.page(text, PLACE)
    assert rewriting.page(f"<a {text}>", PLACE)
    assert time.process_time() - started < 10
