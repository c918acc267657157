"""What `kubemu chaos heal` makes of a journal that an experiment left."""

import asyncio
from contextlib import asynccontextmanager

import pytest
from click.testing import CliRunner

from cluster.chaos.acts import Act, LinkState
from cluster.chaos.journal import File
from cluster.chaos.local import LocalWorld
from cluster.chaos.reaching import Doors
from cluster.chaos.targets import Member
from cluster.chaos.world import Unable
from cluster.cli.commands.chaos import common, heal
from cluster.cli.commands.down import down
from cluster.launcher import state


class World:
    """Does all acts but those to `down`."""

    def __init__(self):
        self.done = []

    async def members(self):
        return [Member("apiserver", "apiserver"), Member("kubelet-1", "kubelet", "node-1")]

    async def do(self, act):
        if act.member == "down":
            raise Unable("it is gone")
        self.done.append(act)


@pytest.fixture
def meant(monkeypatch, tmp_path):
    """A cluster by a name, whose journal is in a folder of the test's."""
    monkeypatch.setenv("KUBEMU_HOME", str(tmp_path))
    monkeypatch.setattr("cluster.chaos.world._PAUSE", 0.0)
    return common.Where("one")


def healed(monkeypatch, meant):
    world = World()

    @asynccontextmanager
    async def opened(_meant):
        yield world

    monkeypatch.setattr(common, "opened", opened)
    try:
        return asyncio.run(heal.heal(meant)), world.done
    except heal.NotHealed as error:
        return str(error), world.done


def test_everything_is_undone_also_what_was_done_twice(monkeypatch, meant):
    left = [Act("start", "kubelet-1"), Act("resume", "scheduler"), Act("start", "kubelet-1")]
    meant.journal.write(left)
    count, done = healed(monkeypatch, meant)
    assert count == 3
    assert done == [*left, Act("faults", "apiserver")]
    assert not meant.journal.path.exists()


def test_what_cannot_be_undone_is_told_and_stays_written_down(monkeypatch, meant):
    meant.journal.write([Act("start", "down"), Act("start", "kubelet-1")])
    said, done = healed(monkeypatch, meant)
    assert said == "start down: it is gone"
    assert Act("start", "kubelet-1") in done
    assert meant.journal.read() == [Act("start", "down")]


def test_a_lock_is_for_its_owner_alone_and_goes_with_the_command(meant, tmp_path):
    lock = tmp_path / ".chaos" / "local-one.lock"
    with meant.alone():
        assert lock.stat().st_mode & 0o777 == 0o600
        with pytest.raises(common.Unusable, match="another experiment runs"), meant.alone():
            pass
        assert lock.exists()
    assert not lock.exists()
    with pytest.raises(RuntimeError), meant.alone(heals=True):
        raise RuntimeError
    assert list(lock.parent.iterdir()) == []


def test_a_lock_that_was_taken_away_while_it_was_waited_for_holds_nobody(meant, tmp_path):
    asked = []

    def flock(file, how):
        if not asked:
            (tmp_path / ".chaos" / "local-one.lock").unlink()
        asked.append(how)

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(common.fcntl, "flock", flock)
        with meant.alone(waits=True):
            assert len(asked) == 2
            assert (tmp_path / ".chaos" / "local-one.lock").exists()


def test_a_cluster_that_is_taken_down_leaves_nothing_to_be_undone(meant):
    meant.journal.write([Act("start", "kubelet-1")])
    assert CliRunner().invoke(down, ["--name", "two"]).exit_code == 0
    assert meant.journal.path.exists()
    assert CliRunner().invoke(down, ["--name", "one"]).exit_code == 0
    assert not meant.journal.path.exists()


def test_only_what_the_data_keeps_is_left_to_be_undone_where_it_is_kept(meant, tmp_path):
    """Processes of another number may come next, and be asked for what those had."""
    kept = [Act("load", "", "f"), Act("remove", "web", "namespaces")]
    gone = [
        Act("start", "kubelet-node-3"), Act("faults", "apiserver", "f"),
        Act("links", "node-1", links=(LinkState("node-2", cut=False),)),
    ]  # fmt: skip
    folder = state.Folder(tmp_path / "one")
    for left in ([*gone, *kept], gone):
        folder.prepare()
        folder.lock.touch()
        meant.journal.write(left)
        ended = CliRunner().invoke(down, ["--name", "one", "--keep-data"])
        assert ended.exit_code == 0, ended.output
        assert meant.journal.read() == [act for act in left if act in kept]
    assert not meant.journal.path.exists()


def test_a_damaged_journal_keeps_nobody_from_taking_a_cluster_down(meant, tmp_path):
    folder = state.Folder(tmp_path / "one")
    folder.prepare()
    folder.lock.touch()
    meant.journal.path.parent.mkdir()
    meant.journal.path.write_text("[{")
    ended = CliRunner().invoke(down, ["--name", "one", "--keep-data"])
    assert ended.exit_code == 0, ended.output
    assert "Warning: what experiments left" in ended.output
    assert meant.journal.path.read_text() == "[{"


def test_the_clock_of_the_machine_is_never_wrong():
    world = LocalWorld("one", None, None, Doors(), clocks={}, disks=())
    asyncio.run(world.do(Act("skew", "kubelet-1")))
    with pytest.raises(Unable, match="kubelet-1 has no clock of its own: say `clocks: true`"):
        asyncio.run(world.do(Act("skew", "kubelet-1", offset=5.0)))
    assert world.lacks(Act("skew", "kubelet-1", offset=5.0)).startswith("kubelet-1 has no clock")


def test_a_journal_is_for_its_owner_alone(meant):
    meant.journal.write([Act("start", "kubelet-1")])
    assert meant.journal.path.stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize(
    ("then", "left"),
    [
        (None, None),
        ("[]", []),
        ('[{"op": "remove", "member": "a"}]', [Act("remove", "a")]),
        ("{", None),
        ("[1]", None),
    ],
)
def test_who_was_at_a_journal_is_seen_and_a_damaged_one_is_nobodys_word(tmp_path, then, left):
    mine = File(tmp_path / "journal.json")
    mine.write([Act("start", "x")])
    if then is not None:
        beside = tmp_path / "other"
        beside.write_text(then)
        beside.replace(mine.path)
    assert mine.taken_over() == left
    mine.write([])
    assert mine.taken_over() is None
