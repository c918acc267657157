"""The locks say what pyproject.toml asks for, by hash, and the bill of materials what they say."""

import json
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.version import Version

ROOT = Path(__file__).parent.parent
FOLDER = ROOT / "requirements"
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
ASKED = {"base": PROJECT["dependencies"], **PROJECT["optional-dependencies"]}
UNLICENSED = ["quickjs"]
"""What kubemu needs that does not say in its metadata by which licence."""
PIN = re.compile(r"^([A-Za-z0-9._-]+)==([^ ;\\]+)", re.MULTILINE)


def normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def pins(group: str) -> dict[str, list[str]]:
    """The versions that a lock has of each package: several where Pythons differ."""
    found: dict[str, list[str]] = {}
    for name, version in PIN.findall((FOLDER / f"{group}.txt").read_text()):
        found.setdefault(normal(name), []).append(version)
    return found


@pytest.mark.parametrize("group", ASKED)
def test_a_lock_has_what_is_asked_for(group: str) -> None:
    locked = pins(group)
    for text in ASKED[group]:
        wanted = Requirement(text)
        versions = locked.get(normal(wanted.name))
        assert versions, f"{wanted.name} is not in requirements/{group}.txt: run scripts/lock"
        for version in versions:
            assert wanted.specifier.contains(Version(version), prereleases=True)


@pytest.mark.parametrize("group", ASKED)
def test_every_package_of_a_lock_has_hashes_and_no_address(group: str) -> None:
    text = (FOLDER / f"{group}.txt").read_text()
    for entry in re.split(r"(?m)^(?=\S)", text)[1:]:
        assert re.search(r"--hash=sha256:[0-9a-f]{64}", entry), entry.splitlines()[0]
    assert "://" not in text
    assert "--index" not in text


def test_locks_agree_with_each_other() -> None:
    together: dict[str, list[str]] = {}
    for group in ASKED:
        for name, versions in pins(group).items():
            assert together.setdefault(name, versions) == versions


def test_the_bill_of_materials_is_that_of_the_locks() -> None:
    subprocess.run([sys.executable, ROOT / "scripts" / "sbom", "--check"], check=True)
    bill = json.loads((FOLDER / "sbom.json").read_text())
    assert (bill["bomFormat"], bill["specVersion"]) == ("CycloneDX", "1.5")
    assert re.fullmatch(r"urn:uuid:[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", bill["serialNumber"])
    known = {each["bom-ref"] for each in bill["components"]}
    assert len(known) == len(bill["components"])
    for each in bill["components"]:
        assert each["externalReferences"][0]["hashes"], each["name"]
    licensed = [each for each in bill["components"] if "licenses" in each]
    base = [each for each in bill["components"] if each["scope"] == "required"]
    assert [each["name"] for each in base if each not in licensed] == UNLICENSED
    own = bill["metadata"]["component"]["bom-ref"]
    for each in bill["dependencies"]:
        assert each["ref"] in known | {own}
        assert set(each["dependsOn"]) <= known
    direct = next(each["dependsOn"] for each in bill["dependencies"] if each["ref"] == own)
    names = {ref.removeprefix("pkg:pypi/").partition("@")[0] for ref in direct}
    assert {normal(Requirement(text).name) for text in PROJECT["dependencies"]} <= names
