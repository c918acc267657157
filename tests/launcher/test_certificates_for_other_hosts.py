"""`kubemu init`: each host's folder has what it may have, and keeps what fits."""

import stat
from dataclasses import replace
from pathlib import Path

from cryptography import x509

from cluster.launcher import kubeconfig, pki, providing

NOW = 1_800_000_000.0
DAY = 86400.0
SITE = providing.Site(
    {"node-1": "10.0.0.1", "node-2": "10.0.0.2"}, "https://apiserver:6443", "apiserver:6444",
    "https://127.0.0.1:6443", "127.0.0.1:6444", ("apiserver", "10.0.0.9"),
)  # fmt: skip


def names(certificate: Path) -> set[str]:
    found = x509.load_pem_x509_certificate(certificate.read_bytes())
    extension = found.extensions.get_extension_for_class(x509.SubjectAlternativeName)
    return {str(name.value) for name in extension.value}


def test_everybody_gets_what_he_may_have_and_nothing_else(tmp_path: Path) -> None:
    providing.provide(SITE, tmp_path, NOW)
    found = {
        folder.name: sorted(file.name for file in folder.iterdir()) for folder in tmp_path.iterdir()
    }
    assert found["node-1"] == found["node-2"]
    kubelet = ["kubelet.conf", "kubelet.crt", "kubelet.key"]
    assert found["node-1"] == ["ca.crt", "kube-proxy.conf", *kubelet]
    assert [who for who, files in found.items() if "ca.key" in files] == sorted(
        ["authority", "controller-manager"], key=list(found).index
    )
    assert found["scheduler"] == ["ca.crt", "scheduler.conf", "serving.crt", "serving.key"]
    assert "etcd" not in found
    assert {"node-1", "10.0.0.1", "127.0.0.1"} <= names(tmp_path / "node-1" / "kubelet.crt")
    assert {"apiserver", "10.0.0.9", "10.96.0.1"} <= names(tmp_path / "apiserver" / "apiserver.crt")
    modes = {stat.S_IMODE(file.stat().st_mode) for file in tmp_path.glob("*/*")}
    assert modes == {0o600}


def test_kubeconfigs_lead_components_and_people_to_their_own_addresses(tmp_path: Path) -> None:
    providing.provide(SITE, tmp_path, NOW)
    kubelet = kubeconfig.access(tmp_path / "node-2" / "kubelet.conf")
    admin = kubeconfig.access(tmp_path / "apiserver" / "admin.conf")
    assert (kubelet.server, kubelet.grpc) == ("https://apiserver:6443", "apiserver:6444")
    assert (admin.server, admin.grpc) == ("https://127.0.0.1:6443", "127.0.0.1:6444")
    subject = x509.load_pem_x509_certificate(kubelet.certificate).subject.rfc4514_string()
    assert subject == "CN=system:node:node-2,O=system:nodes"


def test_a_second_time_changes_nothing(tmp_path: Path) -> None:
    providing.provide(SITE, tmp_path, NOW)
    before = {path: path.read_bytes() for path in tmp_path.glob("*/*")}
    assert providing.provide(SITE, tmp_path, NOW + 300 * DAY) == []
    assert {path: path.read_bytes() for path in tmp_path.glob("*/*")} == before


def test_what_runs_out_soon_is_made_anew_by_the_same_authority(tmp_path: Path) -> None:
    providing.provide(SITE, tmp_path, NOW)
    authority = (tmp_path / "node-1" / "ca.crt").read_bytes()
    made = providing.provide(SITE, tmp_path, NOW + 340 * DAY)
    assert {"apiserver/apiserver.crt", "node-1/kubelet.conf", "metrics/client.crt"} <= set(made)
    assert (tmp_path / "node-1" / "ca.crt").read_bytes() == authority
    assert providing.provide(SITE, tmp_path, NOW + 341 * DAY) == []


def test_other_addresses_make_anew_only_what_names_them(tmp_path: Path) -> None:
    providing.provide(SITE, tmp_path, NOW)
    moved = replace(SITE, nodes={"node-1": "10.0.0.77", "node-2": "10.0.0.2"})
    assert providing.provide(moved, tmp_path, NOW) == ["node-1/kubelet.crt"]
    elsewhere = replace(moved, admin_server="https://127.0.0.1:7443")
    assert providing.provide(elsewhere, tmp_path, NOW) == ["apiserver/admin.conf"]


def test_members_of_etcd_are_servers_and_clients_of_each_other(tmp_path: Path) -> None:
    providing.provide(replace(SITE, etcd=("etcd-1", "etcd-2")), tmp_path, NOW)
    member = x509.load_pem_x509_certificate((tmp_path / "etcd" / "etcd-2.crt").read_bytes())
    usage = member.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
    assert len(list(usage)) == 2
    assert (tmp_path / "apiserver" / "apiserver-etcd-client.key").exists()


def test_members_of_etcd_believe_an_authority_of_their_own(tmp_path: Path) -> None:
    site = replace(SITE, etcd=("etcd-1", "etcd-2"))
    # One that an older kubemu made: the cluster's authority for everything.
    providing.provide(SITE, tmp_path, NOW)
    clusters = pki.ensure_authority(tmp_path / "authority", NOW)
    (tmp_path / "etcd").mkdir()
    (tmp_path / "etcd" / "ca.crt").write_bytes(clusters.pem)
    pki.ensure_serving(tmp_path / "etcd", "etcd-1", ("etcd-1",), clusters, NOW, peer=True)
    assert "etcd/etcd-1.crt" in providing.provide(site, tmp_path, NOW)
    authority = pki.ensure_authority(tmp_path / "authority" / "etcd", NOW)
    assert (tmp_path / "etcd" / "ca.crt").read_bytes() == authority.pem != clusters.pem
    assert (tmp_path / "apiserver" / "etcd-ca.crt").read_bytes() == authority.pem
    signed = sorted(
        str(path.relative_to(tmp_path))
        for path in tmp_path.glob("*/*.crt")
        if authority.issued(x509.load_pem_x509_certificate(path.read_bytes()))
        and path.read_bytes() != authority.pem
    )
    members = [f"etcd/{name}.crt" for name in ("etcd-1", "etcd-2", "healthcheck")]
    assert signed == ["apiserver/apiserver-etcd-client.crt", *members]
    assert [path.parent.name for path in tmp_path.glob("**/etcd/ca.key")] == ["etcd"]
    assert not (tmp_path / "etcd" / "ca.key").exists()
    assert providing.provide(site, tmp_path, NOW) == []
