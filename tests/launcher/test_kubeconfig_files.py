"""kubeconfig files: written, read, merged into another and taken out again."""

import stat
from pathlib import Path

import pytest
import yaml

from cluster.launcher import kubeconfig

ACCESS = kubeconfig.Access("https://127.0.0.1:6443", "127.0.0.1:6444", b"ca", b"cert", b"key")
THEIRS = {
    "apiVersion": "v1",
    "kind": "Config",
    "clusters": [{"name": "work", "cluster": {"server": "https://work"}}],
    "users": [{"name": "me", "user": {"token": "t"}}],
    "contexts": [{"name": "work", "context": {"cluster": "work", "user": "me"}}],
    "current-context": "work",
    "extra": {"kept": True},
}


def test_what_is_written_is_read_again_and_is_private(tmp_path: Path) -> None:
    path = tmp_path / "config"
    kubeconfig.write(path, kubeconfig.document("demo", "demo-admin", ACCESS))
    assert kubeconfig.access(path) == ACCESS
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_certificates_may_be_in_files_beside_it(tmp_path: Path) -> None:
    for name in ("ca", "cert", "key"):
        (tmp_path / f"{name}.pem").write_bytes(name.encode())
    document = {
        "clusters": [
            {"name": "c", "cluster": {"server": "https://x", "certificate-authority": "ca.pem"}}
        ],
        "users": [
            {"name": "u", "user": {"client-certificate": "cert.pem", "client-key": "key.pem"}}
        ],
        "contexts": [{"name": "x", "context": {"cluster": "c", "user": "u"}}],
        "current-context": "x",
    }
    (tmp_path / "config").write_text(yaml.safe_dump(document))
    found = kubeconfig.access(tmp_path / "config")
    assert found == kubeconfig.Access("https://x", "", b"ca", b"cert", b"key")


def test_merging_keeps_what_is_there_and_makes_ours_current() -> None:
    ours = kubeconfig.document("demo", "demo-admin", ACCESS)
    merged = kubeconfig.merged(THEIRS, ours)
    assert [entry["name"] for entry in merged["clusters"]] == ["work", "demo"]
    assert merged["current-context"] == "demo"
    assert merged["extra"] == {"kept": True}
    assert kubeconfig.merged(merged, ours) == merged


def test_taking_out_leaves_what_was_there_before(tmp_path: Path) -> None:
    path = tmp_path / "config"
    path.write_text(yaml.safe_dump(THEIRS))
    ours = kubeconfig.document("demo", "demo-admin", ACCESS)
    kubeconfig.merge_into(path, ours)
    assert kubeconfig.remove_from(path, ours)
    assert kubeconfig.read(path) == THEIRS | {"current-context": ""}
    assert not kubeconfig.remove_from(path, ours)


def test_merging_into_a_file_that_is_not_there_makes_it(tmp_path: Path) -> None:
    path = tmp_path / "new" / "config"
    kubeconfig.merge_into(path, kubeconfig.document("demo", "demo-admin", ACCESS))
    assert kubeconfig.access(path) == ACCESS


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (None, "cannot be read"),
        ("a: [", "is not a kubeconfig"),
        ("just words", "it has no fields"),
        ("clusters: []", "no entry named '' in contexts"),
        (yaml.safe_dump(THEIRS), "neither certificate-authority-data nor"),
    ],
)
def test_an_unusable_file_is_told_in_a_sentence(
    tmp_path: Path, text: str | None, said: str
) -> None:
    if text is not None:
        (tmp_path / "config").write_text(text)
    with pytest.raises(kubeconfig.Unreadable, match=said):
        kubeconfig.access(tmp_path / "config")
