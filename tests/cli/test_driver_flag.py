"""`kubemu up --driver`: what the machine lacks is said before anything is started."""

import pytest
from click.testing import CliRunner

from cluster.cli.commands import up
from cluster.launcher import topology
from cluster.runtime.oci import facts

LINUX = {"system": "linux", "machine": "x86_64"}
WHOLE = facts.Facts(**LINUX, program="/usr/bin/crun", cgroups=2)


@pytest.fixture
def started(monkeypatch, tmp_path):
    """Runs `kubemu up` on a machine of these facts: exit code, what it says, what it starts."""

    def run(found, *arguments, text=""):
        asked, begun = [], []
        monkeypatch.setattr(facts, "look", lambda wanted="": asked.append(wanted) or found)
        monkeypatch.setattr(up, "_start", lambda wanted, *_: begun.append(wanted.driver))

        async def shown(*_args, **_more):
            """It is up."""

        monkeypatch.setattr("cluster.cli.progress.show", shown)
        file = tmp_path / "cluster.yaml"
        file.write_text(f"apiVersion: kubemu.dev/v1alpha1\nkind: Cluster\n{text}")
        told = CliRunner(env={"KUBEMU_HOME": str(tmp_path)}).invoke(
            up.up, ["-f", str(file), *arguments]
        )
        return told.exit_code, told.output.strip(), begun, asked

    return run


def test_the_drivers_are_those_of_the_cluster_file():
    assert topology.DRIVERS == ("sim", "oci", "auto")


@pytest.mark.parametrize(
    ("driver", "found", "code", "said"),
    [
        ("oci", WHOLE, 0, ""),
        ("auto", WHOLE, 0, ""),
        ("oci", facts.Facts(**LINUX, program=""), 1, "Error: The oci driver needs crun or runc"),
        ("auto", facts.Facts(**LINUX, program=""), 0,
         "Note: containers are emulated. The oci driver needs crun or runc"),
        ("oci", facts.Facts(**LINUX, program="/usr/bin/crun"), 0,
         "Note: cgroups cannot be written here"),
    ],
)  # fmt: skip
def test_what_is_missing_is_said_at_once(started, driver, found, code, said):
    exit_code, output, begun, _ = started(found, "--driver", driver)
    assert (exit_code, begun) == (code, [] if code else [driver])
    assert output.startswith(said)
    assert bool(output) == bool(said)


def test_who_emulates_looks_for_nothing(started):
    assert started(facts.Facts(**LINUX, program=""))[1:] == ("", ["sim"], [])


def test_the_program_that_the_runtime_is_told_of_is_looked_for(started):
    text = "driver: oci\nflags: {runtime: {oci-runtime: /opt/crun}}\n"
    assert started(WHOLE, text=text)[2:] == (["oci"], ["/opt/crun"])
