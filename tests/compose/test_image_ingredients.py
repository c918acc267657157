"""What the Dockerfile is given, without Docker."""

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_what_the_image_is_made_of_is_there_and_is_sent_to_the_builder() -> None:
    lines = re.findall(r"^COPY (?!--from)(.+) \S+$", (ROOT / "Dockerfile").read_text(), re.M)
    copied = {source for line in lines for source in line.split()}
    ignored = (ROOT / ".dockerignore").read_text().splitlines()
    sent = [line.removeprefix("!") for line in ignored if line.startswith("!")]
    assert {"requirements/base.txt", "cluster"} <= copied
    for source in sorted(copied):
        assert (ROOT / source).exists()
        assert any(source == one or source.startswith(f"{one}/") for one in sent), source


def test_packages_come_from_the_lock_alone() -> None:
    text = (ROOT / "Dockerfile").read_text().replace("\\\n", " ")
    installs = re.findall(r"pip install (.*)", text)
    assert installs
    assert all("--require-hashes" in one or "--no-deps" in one for one in installs), installs
