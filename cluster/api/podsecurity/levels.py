"""Levels and versions of the standards, and what a namespace's labels ask for."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Final, NamedTuple

from cluster.api import errors

PRIVILEGED: Final = "privileged"
BASELINE: Final = "baseline"
RESTRICTED: Final = "restricted"
LEVELS: Final = (PRIVILEGED, BASELINE, RESTRICTED)
"""From the least strict to the strictest."""
LATEST: Final = 10**6
"""The minor version that stands for `latest`."""
PREFIX: Final = "pod-security.kubernetes.io/"
MODES: Final = ("enforce", "audit", "warn")
_VERSION: Final = re.compile(r"v1\.(0|[1-9][0-9]{0,4})", re.ASCII)


class Standard(NamedTuple):
    """A level at a version; `minor` of 1.x, or LATEST."""

    level: str = PRIVILEGED
    minor: int = LATEST

    def __str__(self) -> str:
        return f"{self.level}:{'latest' if self.minor == LATEST else f'v1.{self.minor}'}"


NOTHING: Final = Standard()


@dataclass(frozen=True, slots=True)
class Policy:
    """What is refused, what is written into the audit log, and what is warned of."""

    enforce: Standard = NOTHING
    audit: Standard = NOTHING
    warn: Standard = NOTHING

    @property
    def idle(self) -> bool:
        """Whether it asks for nothing."""
        return self.enforce.level == self.audit.level == self.warn.level == PRIVILEGED

    def __str__(self) -> str:
        """What is asked for, without what is privileged."""
        said = [(mode, getattr(self, mode)) for mode in MODES]
        return ", ".join(f"{mode}={it}" for mode, it in said if it.level != PRIVILEGED)


class Asked(NamedTuple):
    """A policy, and what was wrong with the labels that it comes from."""

    policy: Policy
    problems: tuple[errors.Cause, ...] = ()


def strictness(level: str) -> int:
    """For comparing levels."""
    return LEVELS.index(level)


def level_of(text: str) -> str | None:
    """A level, if it is one."""
    return text if text in LEVELS else None


def version_of(text: str) -> int | None:
    """The minor version of `v1.x`, LATEST of `latest`; None for anything else."""
    if text == "latest":
        return LATEST
    found = _VERSION.fullmatch(text)
    return int(found[1]) if found else None


def of_labels(labels: Mapping[str, str], defaults: Policy) -> Asked:
    """What a namespace asks for. What cannot be read counts as restricted, and as latest; where it
    only warns or audits, as nothing.
    """
    policy = defaults
    problems: list[errors.Cause] = []
    for mode in MODES:
        found: Standard = getattr(policy, mode)
        said = labels.get(PREFIX + mode)
        if said is not None:
            level = level_of(said)
            if level is None:
                level = RESTRICTED if mode == "enforce" else PRIVILEGED
                problems.append(_problem(mode, said, f"must be one of {', '.join(LEVELS)}"))
            found = found._replace(level=level)
        said = labels.get(f"{PREFIX}{mode}-version")
        if said is not None:
            minor = version_of(said)
            if minor is None:
                problems.append(_problem(f"{mode}-version", said, 'must be "latest" or "v1.x"'))
                minor = LATEST
            found = found._replace(minor=minor)
        changed: dict[str, Any] = {mode: found}
        policy = replace(policy, **changed)
    return Asked(policy, tuple(problems))


def _problem(label: str, said: str, why: str) -> errors.Cause:
    field = f"metadata.labels[{PREFIX}{label}]"
    return errors.Cause("FieldValueInvalid", f'Invalid value: "{said}": {why}', field)
