"""`kubemu up` does not start an empty cluster where objects are in another store."""

from pathlib import Path

import pytest

from cluster.cli.commands import up
from cluster.launcher import state, topology

PLAIN = topology.simple(1)
SEVERAL = topology.several(PLAIN)
PORTS = [(2379, 2380), (2381, 2382), (2383, 2384)]


@pytest.fixture
def folder(tmp_path: Path) -> state.Folder:
    made = state.Folder(tmp_path / "kubemu")
    made.prepare()
    return made


def test_a_new_cluster_may_have_either(folder: state.Folder) -> None:
    up.check_kept(PLAIN, folder)
    up.check_kept(SEVERAL, folder)


def test_what_is_in_sqlite_is_not_left_for_etcd(folder: state.Folder) -> None:
    (folder.data / "store.db").touch()
    up.check_kept(PLAIN, folder)
    with pytest.raises(up.Exists, match=r"are in SQLite .*: start it without etcd; or take a snap"):
        up.check_kept(SEVERAL, folder)


def test_what_is_in_etcd_is_not_left_for_sqlite(folder: state.Folder) -> None:
    folder.keep_member_ports(PORTS)
    up.check_kept(SEVERAL, folder)
    with pytest.raises(up.Exists, match=r"are in etcd, .*: start it with --ha; or take a snapshot"):
        up.check_kept(PLAIN, folder)
    (folder.data / "store.db").touch()
    up.check_kept(PLAIN, folder)
