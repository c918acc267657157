"""Whoever shows no credentials, wrong ones, or too little of TLS."""

import ssl
import subprocess
from pathlib import Path

import pytest
from securityworld import Outside, lets_in

from cluster.aio.clock import SystemClock
from cluster.launcher import pki

OPEN = ("/healthz", "/livez", "/readyz", "/version", "/version/")
SHUT = (
    "/", "/api", "/apis", "/api/v1", "/openapi/v2", "/openapi/v3", "/metrics", "/livez/ping",
    "/.well-known/openid-configuration", "/openid/v1/jwks", "/logs/", "/debug/pprof/", "/configz",
    "/flagz", "/statusz", "/api/v1/namespaces", "/api/v1/secrets", "/api/v1/nodes",
    "/api/v1/namespaces/kube-system/configmaps/extension-apiserver-authentication",
    "/apis/authentication.k8s.io/v1/selfsubjectreviews", "/versionx", "/version/../api/v1/secrets",
    "/healthz/../api/v1/secrets", "/healthz%2f..%2fapi", "//api/v1/secrets", "/livez/%2e%2e/api",
    "/api/v1/namespaces/default/pods/x/exec?command=id", "/api/v1/nodes/node-1/proxy/pods",
)  # fmt: skip


@pytest.mark.parametrize("path", OPEN)
def test_a_stranger_may_see_what_public_info_viewer_shows(outside: Outside, path: str) -> None:
    assert outside.ask("GET", path).status == 200


@pytest.mark.parametrize("path", SHUT)
def test_a_stranger_sees_nothing_else(outside: Outside, path: str) -> None:
    found = outside.ask("GET", path)
    assert found.status == 403
    assert 'User "system:anonymous"' in found.status_message()


@pytest.mark.parametrize(
    "method", ["POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "CONNECT"]
)
def test_a_stranger_changes_nothing(outside: Outside, method: str) -> None:
    assert outside.ask(method, "/api/v1/namespaces/default/pods").status == 403
    assert outside.ask(method, "/healthz").status in (403, 405)


def test_a_wrong_token_is_nobodys_even_where_strangers_may_look(outside: Outside) -> None:
    before = outside.refused().get("unauthorized", 0)
    for token in ("wrong", "a.b.c", "x" * 100, "eyJhbGciOiJub25lIn0.eyJzdWIiOiJhZG1pbiJ9."):
        assert outside.ask("GET", "/api", token=token).status == 401
        assert outside.ask("GET", "/healthz", token=token).status == 401
    assert outside.refused()["unauthorized"] >= before + 4
    assert '"reason":"unauthorized"' in outside.log().replace('": ', '":')


@pytest.mark.parametrize(
    "headers",
    [
        {"X_Remote_User": "admin", "X_Remote_Group": "system:masters"},
        {"Impersonate_User": "admin", "Impersonate_Group": "system:masters"},
        {"X_Forwarded_For": "127.0.0.1", "X_Forwarded_User": "admin", "Forwarded": "for=127.0.0.1"},
        {"X_Original_URL": "/healthz", "X_Rewrite_URL": "/healthz"},
        {"X_HTTP_Method_Override": "GET"},
    ],
)
def test_headers_of_proxies_are_believed_of_nobody(
    outside: Outside, headers: dict[str, str]
) -> None:
    assert outside.ask("GET", "/api/v1/secrets", **headers).status == 403
    if "X_Remote_User" in headers:  # nor of a component
        found = outside.ask("GET", "/api/v1/secrets", "kubelet-node-1", **headers)
        assert found.status == 403
        assert "system:node:node-1" in found.status_message()


@pytest.mark.filterwarnings("ignore:ssl.TLSVersion")
@pytest.mark.parametrize(
    "version", [ssl.TLSVersion.SSLv3, ssl.TLSVersion.TLSv1, ssl.TLSVersion.TLSv1_1]
)
def test_old_tls_is_refused(outside: Outside, version: ssl.TLSVersion) -> None:
    context = outside.context()
    context.set_ciphers("ALL:@SECLEVEL=0")
    context.minimum_version = ssl.TLSVersion.MINIMUM_SUPPORTED
    try:
        context.maximum_version = version
    except ValueError:
        pytest.skip("OpenSSL here knows it no longer")
    assert not lets_in(outside, context)


@pytest.mark.parametrize("ciphers", ["aNULL", "eNULL", "RC4", "3DES", "AES128-SHA", "kRSA"])
def test_weak_ciphers_are_refused(outside: Outside, ciphers: str) -> None:
    context = outside.context()
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    try:
        context.set_ciphers(f"{ciphers}:@SECLEVEL=0")
    except ssl.SSLError:
        pytest.skip("OpenSSL here knows it no longer")
    assert not lets_in(outside, context)


def test_a_certificate_of_another_authority_is_refused(outside: Outside, tmp_path: Path) -> None:
    now = SystemClock().now()
    pair = pki.Authority.create(now).client(pki.Subject("admin", ("system:masters",)), now)
    certificate, key = tmp_path / "c", tmp_path / "k"
    certificate.write_bytes(pair.certificate)
    key.write_bytes(pair.key)
    context = outside.context((certificate, key))
    assert not lets_in(outside, context)
    assert outside.ask("GET", "/healthz").status == 200


def test_a_server_certificate_is_no_clients(outside: Outside) -> None:
    """One that is for servers alone proves nothing of who asks."""
    folder = outside.cluster.folder.pki
    context = outside.context((folder / "apiserver.crt", folder / "apiserver.key"))
    assert not lets_in(outside, context)


def test_plain_http_at_the_tls_port_gets_nothing(outside: Outside) -> None:
    done = subprocess.run(
        ["curl", "-s", "-m", "5", f"http://{outside.host}:{outside.port}/healthz"],
        capture_output=True, check=False,
    )  # fmt: skip
    assert done.stdout != b"ok"
