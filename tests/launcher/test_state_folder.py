"""The state folder: private, locked by one, and sure of which processes are its own."""

import os
import stat
from pathlib import Path

import pytest

from cluster.launcher import files, state


def test_clusters_live_where_the_environment_says() -> None:
    assert state.home({"KUBEMU_HOME": "/somewhere"}) == Path("/somewhere")
    assert state.home({}) == Path.home() / ".kubemu"


def test_everything_in_it_is_private(tmp_path: Path) -> None:
    folder = state.Folder(tmp_path / "home" / "demo")
    folder.prepare()
    made = [
        folder.path.parent,
        folder.path,
        folder.pki,
        folder.conf,
        folder.data,
        folder.logs,
        folder.run,
    ]
    assert {stat.S_IMODE(path.stat().st_mode) for path in made} == {0o700}


def test_one_at_a_time_holds_a_cluster(tmp_path: Path) -> None:
    folder = state.Folder(tmp_path)
    assert state.holder(folder) is None
    held = state.acquire(folder)
    assert state.holder(folder) == os.getpid()
    with pytest.raises(state.Locked):
        state.acquire(folder)
    os.close(held)
    assert state.holder(folder) is None


def test_a_process_is_known_by_number_and_start(tmp_path: Path) -> None:
    started = state.started(os.getpid())
    assert started is not None
    folder = state.Folder(tmp_path)
    mine, gone = state.Running(os.getpid(), started), state.Running(os.getpid(), started - 100)
    state.record(folder, {"a": mine, "b": gone})
    assert state.recorded(folder) == {"a": mine, "b": gone}
    assert state.leftovers(folder) == {"a": mine}


def test_nothing_is_left_over_while_a_supervisor_holds_the_cluster(tmp_path: Path) -> None:
    folder = state.Folder(tmp_path)
    state.record(folder, {"a": state.Running(os.getpid(), state.started(os.getpid()) or 0.0)})
    held = state.acquire(folder)
    assert state.leftovers(folder) == {}
    os.close(held)
    assert list(state.leftovers(folder)) == ["a"]


def test_clusters_are_listed_once_they_have_a_plan(tmp_path: Path) -> None:
    for name in ("b", "a", "empty"):
        state.Folder(tmp_path / name).prepare()
    for name in ("b", "a"):
        state.Folder(tmp_path / name).plan.write_text("{}")
    assert state.names(tmp_path) == ["a", "b"]
    assert state.names(tmp_path / "nothing") == []


def test_what_was_restored_is_a_cluster_that_can_be_removed(tmp_path: Path) -> None:
    folder = state.Folder(tmp_path / "fresh")
    folder.prepare()
    assert not folder.used()
    (folder.data / "store.db").write_text("x")
    assert folder.used()
    assert state.names(tmp_path) == ["fresh"]


def test_data_is_kept_on_request(tmp_path: Path) -> None:
    folder = state.Folder(tmp_path / "demo")
    folder.prepare()
    (folder.data / "store.db").write_text("x")
    folder.remove(keep_data=True)
    assert (folder.data / "store.db").exists()
    assert not folder.run.exists()
    folder.remove()
    assert not folder.path.exists()


def test_an_unwritable_place_is_told_with_a_way_out(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("not a folder")
    with pytest.raises(files.Unwritable, match="set KUBEMU_HOME to a folder"):
        state.Folder(tmp_path / "file" / "demo").prepare()


def test_a_cluster_is_removed_without_a_trace(tmp_path: Path) -> None:
    folder = state.Folder(tmp_path / "demo")
    folder.prepare()
    os.close(state.acquire(folder))
    for path in (folder.plan, folder.kubeconfig, folder.data / "store.db", folder.log("x")):
        files.write_private(path, b"")
    folder.path.joinpath(".plan.json.new").write_text("cut short")
    folder.node_logs("node-1").mkdir(parents=True)
    folder.remove()
    assert not folder.path.exists()


def test_what_is_not_of_a_cluster_is_never_removed(tmp_path: Path) -> None:
    folder = state.Folder(tmp_path / "demo")
    folder.prepare()
    mine = folder.path / "thesis.txt"
    mine.write_text("three years of work")
    folder.remove()
    assert [path.name for path in folder.path.iterdir()] == ["thesis.txt"]
