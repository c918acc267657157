"""A folder's certificates: shown, issued anew by hand, and by `up` before they end."""

import datetime

import pytest
from click.testing import CliRunner
from cryptography import x509

from cluster.aio.clock import SystemClock
from cluster.cli.commands.certs import certs
from cluster.launcher import certificates, kubeconfig, pki, plan, preparing, state, topology
from cluster.launcher.topology import Topology

NOW = SystemClock().now()
WANTED = Topology("kubemu", nodes=())
PORTS = plan.Ports(6443, 6444)
SEVERAL = Topology("several", nodes=topology.numbered(1), etcd_members=3)
PORTS_OF_SEVERAL = plan.Ports(6443, 6444, members=((1, 2), (3, 4), (5, 6)))
DAY = 86400.0


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.setenv("KUBEMU_HOME", str(tmp_path))
    made = state.Folder(tmp_path / "kubemu")
    preparing.prepare(WANTED, made, PORTS, NOW)
    return made


@pytest.fixture
def several(tmp_path):
    made = state.Folder(tmp_path / "several")
    preparing.prepare(SEVERAL, made, PORTS_OF_SEVERAL, NOW)
    return made


def by_name(folder):
    return {leaf.name: leaf for leaf in certificates.leaves(folder)}


def test_every_certificate_is_known_by_kubeadms_name(folder):
    assert list(by_name(folder)) == [
        "admin.conf", "apiserver", "apiserver-kubelet-client", "controller-manager.conf",
        "front-proxy-client", "kube-proxy.conf", "scheduler.conf",
    ]  # fmt: skip


@pytest.mark.parametrize("name", ["apiserver", "apiserver-kubelet-client", "scheduler.conf"])
def test_a_certificate_is_issued_anew_for_the_same_and_nothing_else_changes(folder, name):
    before = by_name(folder)
    later = NOW + 100 * DAY
    assert [leaf.name for leaf in certificates.renew(folder, name, later)] == [name]
    after = by_name(folder)
    assert {n for n in after if after[n].certificate != before[n].certificate} == {name}
    old, new = before[name].certificate, after[name].certificate
    assert new.subject == old.subject
    assert new.public_key() != old.public_key()
    assert after[name].ends == pytest.approx(later + pki.LEAF_LIFETIME.total_seconds(), abs=2)
    for kind in (x509.SubjectAlternativeName, x509.ExtendedKeyUsage, x509.KeyUsage):
        told = [
            [each.value for each in leaf.extensions if isinstance(each.value, kind)]
            for leaf in (old, new)
        ]
        assert told[0] == told[1]
    new.verify_directly_issued_by(
        x509.load_pem_x509_certificate((folder.pki / "ca.crt").read_bytes())
    )


def test_a_kubeconfig_keeps_all_but_its_certificate(folder):
    path = folder.conf / "scheduler.conf"
    before = kubeconfig.access(path)
    certificates.renew(folder, "scheduler.conf", NOW)
    after = kubeconfig.access(path)
    assert (after.server, after.grpc, after.authority) == (
        before.server, before.grpc, before.authority,
    )  # fmt: skip
    assert after.key != before.key
    assert path.stat().st_mode & 0o777 == 0o600


def test_all_are_issued_anew_and_an_unknown_name_tells_the_known(folder):
    assert len(certificates.renew(folder, "all", NOW)) == 7
    with pytest.raises(certificates.Unknown, match=r"known are all, admin\.conf, api"):
        certificates.renew(folder, "etcd-server", NOW)


def test_up_issues_anew_what_ends_soon_or_has_ended(folder, monkeypatch):
    near = NOW + pki.LEAF_LIFETIME.total_seconds() - 29 * DAY
    preparing.prepare(WANTED, folder, PORTS, near)
    assert all(leaf.ends > near + 364 * DAY for leaf in certificates.leaves(folder))
    monkeypatch.setattr(pki, "LEAF_LIFETIME", datetime.timedelta(seconds=3))
    certificates.renew(folder, "all", near)
    monkeypatch.undo()
    preparing.prepare(WANTED, folder, PORTS, near + 10)
    assert all(leaf.ends > near + 364 * DAY for leaf in certificates.leaves(folder))


def test_up_leaves_what_is_good_as_it_is(folder):
    before = (folder.pki / "apiserver.crt").read_bytes()
    preparing.prepare(WANTED, folder, PORTS, NOW + 300 * DAY)
    assert (folder.pki / "apiserver.crt").read_bytes() == before


def test_the_table_is_kubeadms(folder):
    told = CliRunner().invoke(certs, ["check-expiration"])
    assert told.exit_code == 0, told.output
    lines = [" ".join(line.split()) for line in told.output.splitlines()]
    assert lines[0] == (
        "CERTIFICATE EXPIRES RESIDUAL TIME CERTIFICATE AUTHORITY EXTERNALLY MANAGED"
    )
    end = datetime.datetime.fromtimestamp(by_name(folder)["apiserver"].ends, datetime.UTC)
    assert f"apiserver {end:%b %d, %Y %H:%M} UTC 364d ca no" in lines
    assert lines[-1].startswith("ca ")
    assert lines[-1].endswith("9y no")


def test_a_cluster_that_is_not_there_is_told_in_plain_words(folder):
    told = CliRunner().invoke(certs, ["check-expiration", "--name", "nosuch"])
    assert str(told.exception) == "no cluster named nosuch (there are: kubemu)"


OF_ETCD = ["apiserver-etcd-client", "etcd-peer", "etcd-server"]


def signed_by(folder, place):
    authority = pki.ensure_authority(place, NOW)
    return [name for name, leaf in by_name(folder).items() if authority.issued(leaf.certificate)]


def test_etcd_has_an_authority_of_its_own_that_signs_nothing_else(several):
    assert signed_by(several, several.etcd_pki) == OF_ETCD
    assert {"apiserver", "kubelet-node-1", "kubelet-node-1.conf"} <= {
        *signed_by(several, several.pki)
    }
    assert not {*signed_by(several, several.pki)} & {*OF_ETCD}
    assert list(certificates.authority_ends(several)) == ["ca", "etcd-ca"]
    before = by_name(several)
    certificates.renew(several, "all", NOW)
    assert signed_by(several, several.etcd_pki) == OF_ETCD
    after = by_name(several)
    assert all(after[name].certificate != before[name].certificate for name in before)
    near = NOW + pki.LEAF_LIFETIME.total_seconds() - 29 * DAY
    preparing.prepare(SEVERAL, several, PORTS_OF_SEVERAL, near)
    assert all(by_name(several)[name].ends > near + 364 * DAY for name in OF_ETCD)


def test_what_the_clusters_authority_signed_for_etcd_before_is_replaced(several):
    authority = pki.ensure_authority(several.pki, NOW)
    for name in (*OF_ETCD[:1], "etcd-2"):
        for kind in ("crt", "key"):
            (several.pki / f"{name}.{kind}").unlink(missing_ok=True)
        pki.ensure_client(several.pki, name, plan.ETCD_CLIENT_SUBJECT, authority, NOW)
    preparing.prepare(SEVERAL, several, PORTS_OF_SEVERAL, NOW)
    assert signed_by(several, several.etcd_pki) == OF_ETCD
    assert not list(several.pki.glob("etcd-2.*"))


@pytest.mark.parametrize(
    ("seconds", "told"),
    [
        (-1, "<invalid>"),
        (5, "5s"),
        (61, "1m"),
        (7200, "2h"),
        (364.5 * DAY, "364d"),
        (3649 * DAY, "9y"),
    ],
)
def test_times_that_are_left_are_told_as_kubeadm_tells_them(seconds, told):
    assert certificates.residual(seconds) == told
