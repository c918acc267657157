"""RUN: which command it is, that it leaves a layer, and what is refused. Nothing is run here."""

import asyncio
import io
import tarfile

import pytest

from cluster.images import faults, manifests
from cluster.images.dockerfile import building, patterns, running, stage, syntax
from cluster.images.dockerfile.context import Context
from cluster.images.store.layout import Store

BEGIN = "FROM scratch\nCOPY f /bin/sh\n"


class Runner:
    """Notes commands; each leaves these files (None: it was removed; a link: "=target")."""

    def __init__(self, changes=None, code=0):
        self.commands = []
        self.changes = changes or {}
        self.code = code

    async def run(self, command, target):
        self.commands.append(command)
        with tarfile.open(target, "w") as archive:
            for name, text in self.changes.items():
                member = tarfile.TarInfo(name)
                if text.startswith("="):
                    member.type, member.linkname = tarfile.LNKTYPE, text[1:]
                    archive.addfile(member)
                else:
                    member.size = len(text)
                    archive.addfile(member, io.BytesIO(text.encode()))
        return self.code


@pytest.fixture
def build(tmp_path):
    folder = tmp_path / "context"
    folder.mkdir()
    (folder / "f").write_text("file")
    store = Store(tmp_path / "store")

    async def base(reference, name):
        return stage.emulated(stage.scratch(name, "linux", "amd64", ""), reference, {})

    def run(text, runner, **options):
        made = asyncio.run(
            building.build(
                syntax.parse(text, "Dockerfile"), Context(folder, patterns.Ignore([])), store, base,
                building.Options(run=runner.run, **options),
            )
        )  # fmt: skip
        manifest = store.manifest(made.target)
        assert isinstance(manifest, manifests.Manifest)
        last = manifest.layers[-1]
        with store.blobs.open(last.digest) as file, tarfile.open(fileobj=file) as archive:
            contents = {
                member.name: content.read()
                for member in archive
                if member.isreg() and (content := archive.extractfile(member))
            }
        return contents, store.config(manifest), made.target.digest

    return run


def test_a_command_has_the_stages_variables_directory_user_and_layers(build):
    runner = Runner()
    build(
        BEGIN + "ARG A=1\nARG B=2\nENV A=3\nWORKDIR /w\nUSER me:us\nRUN make all\n"
        'SHELL ["/bin/dash", "-e"]\nRUN more\nRUN ["exact", "one"]',
        runner,
    )
    first, second, third = runner.commands
    assert (first.argv, first.directory, first.user) == (["/bin/sh", "-c", "make all"], "/w",
                                                         "me:us")  # fmt: skip
    assert dict(first.environment) == {"PATH": running.PATH, "A": "3", "B": "2"}
    assert [len(one.layers) for one in runner.commands] == [2, 3, 4]
    assert second.argv == ["/bin/dash", "-e", "more"]
    assert third.argv == ["exact", "one"]


@pytest.mark.parametrize(
    ("text", "script"),
    [
        ("RUN <<EOF\necho a\necho b\nEOF", "echo a\necho b\n"),
        ("RUN cat <<EOF > /x\ntext\nEOF", "cat <<EOF > /x\ntext\nEOF"),
    ],
)
def test_a_here_document_is_a_script_or_input_of_one(build, text, script):
    runner = Runner()
    build(BEGIN + text, runner)
    assert runner.commands[0].argv == ["/bin/sh", "-c", script]


def test_what_a_command_left_is_a_layer_that_later_steps_know_of(build):
    runner = Runner({"made/one": "1", "made/two": "=made/one", "bin/.wh.sh": ""})
    contents, config, _ = build(BEGIN + "RUN x", runner)
    assert contents == {"made/one": b"1", "bin/.wh.sh": b""}
    assert config["history"][-1]["created_by"] == "RUN x"
    assert len(config["rootfs"]["diff_ids"]) == 2
    text = BEGIN.replace("scratch", "scratch AS a") + "RUN x\nFROM scratch\nCOPY --from=a "
    assert build(text + "/made /to", runner)[0] == {"to/one": b"1", "to/two": b"1"}
    assert build(text + "/made/two /two", runner)[0] == {"two": b"1"}
    with pytest.raises(faults.Fault, match="/bin/sh"):
        build(text + "/bin/sh /there", runner)


def test_a_command_runs_again_only_where_something_changed(build):
    runner = Runner({"x": "1"})
    digests = [build(BEGIN + "RUN a", runner)[2] for _ in range(2)]
    assert digests[0] == digests[1]
    assert len(runner.commands) == 1
    build(BEGIN + "RUN b", runner)
    build(BEGIN + "ENV C=1\nRUN b", runner)
    build(BEGIN + "RUN a", runner, epoch=1)
    assert len(runner.commands) == 4
    build(BEGIN + "RUN a", runner, cache=False)
    assert len(runner.commands) == 5


@pytest.mark.parametrize(
    ("text", "code", "words"),
    [
        ("RUN make it", 2, "The command '/bin/sh -c make it' returned a non-zero code: 2"),
        ("RUN --mount=type=cache,target=/c make", 0, "--mount of RUN is not built"),
        ("RUN <<EOF\n#!/usr/bin/python3\nEOF", 0, "names its interpreter is not built"),
        ("FROM nginx\nRUN make", 0, "upon an emulated image: nginx has no files"),
        ("FROM scratch\nRUN make", 0, 'exec: "/bin/sh": the image has no files yet'),
    ],
)
def test_what_cannot_be_run_is_said(build, text, code, words):
    with pytest.raises(faults.Fault) as failed:
        build(BEGIN + text, Runner(code=code))
    assert words in str(failed.value)
    assert str(failed.value).startswith("Dockerfile:")
