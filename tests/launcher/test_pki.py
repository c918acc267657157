"""Certificates: TLS takes them, they are private, and they are kept or refused, never mixed."""

import itertools
import ssl
import stat
from pathlib import Path

import pytest
from cryptography import x509

from cluster.aio import clock
from cluster.api.tokens import keys
from cluster.launcher import pki

NOW = 1_800_000_000.0
YEAR = 366 * 86400.0
HOSTS = ("localhost", "127.0.0.1", "::1", "kubernetes.default.svc")


def handshake(folder: Path, serving: pki.Pair, client: pki.Pair, ca: bytes, host: str) -> object:
    """The subject of the client's certificate as the server sees it, over TLS in memory."""
    for name, pair in (("serving", serving), ("client", client)):
        (folder / f"{name}.pem").write_bytes(pair.certificate + pair.key)
    server_context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server_context.load_cert_chain(folder / "serving.pem")
    client_context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    client_context.load_cert_chain(folder / "client.pem")
    for context in (server_context, client_context):
        context.load_verify_locations(cadata=ca.decode())
    server_context.verify_mode = ssl.CERT_REQUIRED
    up, down = ssl.MemoryBIO(), ssl.MemoryBIO()
    server = server_context.wrap_bio(up, down, server_side=True)
    client_side = client_context.wrap_bio(down, up, server_hostname=host)
    waiting = [client_side, server]
    for side in itertools.islice(itertools.cycle((client_side, server)), 10):
        if side in waiting:
            try:
                side.do_handshake()
                waiting.remove(side)
            except ssl.SSLWantReadError:
                continue
    assert waiting == []
    certificate = server.getpeercert()
    assert certificate is not None
    return certificate["subject"]


@pytest.mark.parametrize("host", HOSTS)
def test_tls_accepts_server_and_client(tmp_path: Path, host: str) -> None:
    now = clock.SystemClock().now()
    authority = pki.Authority.create(now)
    serving = authority.serving("kube-apiserver", HOSTS, now)
    client = authority.client(pki.Subject("system:node:n1", ("system:nodes",)), now)
    subject = handshake(tmp_path, serving, client, authority.pem, host)
    assert subject == (
        (("organizationName", "system:nodes"),),
        (("commonName", "system:node:n1"),),
    )


def test_a_host_that_is_not_named_is_refused(tmp_path: Path) -> None:
    now = clock.SystemClock().now()
    authority = pki.Authority.create(now)
    serving = authority.serving("kube-apiserver", HOSTS, now)
    client = authority.client(pki.Subject("someone"), now)
    with pytest.raises(ssl.SSLCertVerificationError, match="elsewhere"):
        handshake(tmp_path, serving, client, authority.pem, "elsewhere")


@pytest.mark.filterwarnings("ignore:Attribute's length")
def test_a_node_may_have_the_longest_name() -> None:
    name = "system:node:" + "n" * 253
    pair = pki.Authority.create(NOW).client(pki.Subject(name), NOW)
    subject = x509.load_pem_x509_certificate(pair.certificate).subject
    assert [attribute.value for attribute in subject] == [name]


def test_what_is_kept_is_private_and_used_again(tmp_path: Path) -> None:
    folder = tmp_path / "pki"
    first = pki.ensure_authority(folder, NOW)
    serving = pki.ensure_serving(folder, "apiserver", HOSTS, first, NOW)
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert {stat.S_IMODE(file.stat().st_mode) for file in folder.iterdir()} == {0o600}
    again = pki.ensure_authority(folder, NOW + 1000)
    assert again.pem == first.pem
    assert pki.ensure_serving(folder, "apiserver", HOSTS[:2], again, NOW + 1000) == serving


def test_a_certificate_that_misses_a_host_is_refused_with_a_way_out(tmp_path: Path) -> None:
    authority = pki.ensure_authority(tmp_path, NOW)
    pki.ensure_serving(tmp_path, "apiserver", HOSTS, authority, NOW)
    with pytest.raises(pki.Unusable, match=r"apiserver.crt does not cover 10\.0\.0\.1; remove it"):
        pki.ensure_serving(tmp_path, "apiserver", ["10.0.0.1", "localhost"], authority, NOW)


@pytest.mark.parametrize(
    ("moment", "said"), [(NOW + 11 * YEAR, "not now"), (NOW - YEAR, "not now")]
)
def test_an_authority_out_of_its_time_is_refused(tmp_path: Path, moment: float, said: str) -> None:
    pki.ensure_authority(tmp_path, NOW)
    with pytest.raises(pki.Unusable, match=said):
        pki.ensure_authority(tmp_path, moment)


def test_an_authority_without_its_key_is_refused(tmp_path: Path) -> None:
    pki.ensure_authority(tmp_path, NOW)
    (tmp_path / "ca.key").unlink()
    with pytest.raises(pki.Unusable, match="not a usable pair"):
        pki.ensure_authority(tmp_path, NOW)


def test_a_key_of_another_certificate_is_refused(tmp_path: Path) -> None:
    pki.ensure_authority(tmp_path, NOW)
    (tmp_path / "ca.key").write_bytes(pki.Authority.create(NOW).pair.key)
    with pytest.raises(pki.Unusable, match="is not the key of"):
        pki.ensure_authority(tmp_path, NOW)


def test_a_certificate_of_another_authority_is_refused(tmp_path: Path) -> None:
    authority = pki.ensure_authority(tmp_path, NOW)
    pki.ensure_serving(tmp_path, "apiserver", HOSTS, authority, NOW)
    with pytest.raises(pki.Unusable, match="was not issued by"):
        pki.ensure_serving(tmp_path, "apiserver", HOSTS, pki.Authority.create(NOW), NOW)


def test_the_key_of_service_account_tokens_is_made_once(tmp_path: Path) -> None:
    folder = tmp_path / "pki"
    pki.ensure_authority(folder, NOW)
    pki.ensure_service_account_key(folder)
    key, public = ((folder / name).read_bytes() for name in ("sa.key", "sa.pub"))
    assert (folder / "sa.key").stat().st_mode & 0o777 == 0o600
    signing = keys.signing_key(key)
    assert keys.public_keys(public) == [signing.public]
    assert signing.public.algorithm == "ES256"
    pki.ensure_service_account_key(folder)
    assert (folder / "sa.key").read_bytes() == key
    (folder / "sa.pub").unlink()
    pki.ensure_service_account_key(folder)
    assert (folder / "sa.pub").read_bytes() == public
    (folder / "sa.key").write_text("nonsense")
    with pytest.raises(pki.Unusable, match=r"sa\.key is not a usable key"):
        pki.ensure_service_account_key(folder)
