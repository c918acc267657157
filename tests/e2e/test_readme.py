"""The README's examples: every command runs, and shows what the README says it shows."""

import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
from realcluster import KUBEMU, Cluster

ROOT = Path(__file__).parents[2]

pytestmark = pytest.mark.usefixtures("kubectl")


def examples() -> list[tuple[str, list[str]]]:
    """The commands of the README's console blocks, each with the lines that it shows."""
    found = []
    for block in re.findall(r"```console\n(.*?)```", (ROOT / "README.md").read_text(), re.DOTALL):
        for text in re.split(r"^\$ ", block, flags=re.MULTILINE)[1:]:
            command, *shown = text.strip().splitlines()
            found.append((command, shown))
    return found


def shape(lines: list[str]) -> Counter[str]:
    """What the lines begin with, but for numbers and generated names."""
    words = [line.split()[0] for line in lines if line.strip()]
    plain = (re.sub(r"-[a-z0-9]{8,10}-[a-z0-9]{5}$", "-POD", word) for word in words)
    return Counter(re.sub(r"\d+", "0", word) for word in plain)


@pytest.fixture(scope="module")
def first(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """The cluster as scripts/up leaves it, and whatever else the README starts."""
    home = tmp_path_factory.mktemp("readme")
    cluster = Cluster(home, "kubemu")
    commands = home / "bin"
    commands.mkdir()
    (commands / "kubemu").write_text(f'#!/bin/sh\nexec {" ".join(KUBEMU)} "$@"\n')
    (commands / "kubemu").chmod(0o755)
    cluster.environment["PATH"] = f"{commands}:{cluster.environment['PATH']}"
    cluster.kubemu("up")
    cluster.kubectl("apply", "-f", str(ROOT / "examples" / "guestbook.yaml"))
    cluster.running(6)
    yield cluster
    cluster.run([*KUBEMU, "down", "--all"])


def test_the_examples_are_found() -> None:
    assert len(examples()) == 23


@pytest.mark.parametrize(("command", "shown"), examples())
def test_the_command_shows_what_the_readme_says(
    first: Cluster, command: str, shown: list[str]
) -> None:
    said = first.run(["sh", "-c", command]).splitlines()
    assert shape(said) == shape(shown)


def test_every_file_that_the_readme_names_is_there() -> None:
    text = (ROOT / "README.md").read_text()
    named = [*re.findall(r"\]\(([^)]+)\)", text), *re.findall(r"\./scripts/\w+", text)]
    assert [name for name in named if not (ROOT / name).exists()] == []
