"""What the launcher's tests share: nothing that they make outlives them."""

import shutil
from collections.abc import Iterator

import pytest

from cluster.launcher import state


@pytest.fixture(autouse=True)
def no_socket_folder_stays(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Sockets of a folder with a long path are elsewhere, where pytest does not clean up."""
    prepare, made = state.Folder.prepare, []

    def remembered(folder: state.Folder) -> None:
        made.append(folder)
        prepare(folder)

    monkeypatch.setattr(state.Folder, "prepare", remembered)
    yield
    for folder in made:
        shutil.rmtree(folder.run, ignore_errors=True)
