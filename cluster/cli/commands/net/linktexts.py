"""Links and what is wrong with them, in words; and the flags that say it."""

import re
from collections.abc import Mapping
from typing import Any, Final

import click

from cluster.api import durations
from cluster.cli import flags

_POD: Final = "pod:"
_RATE: Final = re.compile(r"(\d+(?:\.\d+)?)([kmg]?)(?:bit|bits)?(?:/s|ps)?", re.IGNORECASE)
_UNITS: Final = {"": 1.0, "k": 1e3, "m": 1e6, "g": 1e9}


class _Share(flags.ParamType):
    """A share of packets: `1%`, or `0.01`."""

    name = "percent"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> float:
        text = str(value)
        try:
            share = float(text.removesuffix("%")) / (100 if text.endswith("%") else 1)
        except ValueError:
            self.fail(f"{text!r} is no share: say 1% or 0.01", param, ctx)
        if not 0 <= share <= 1:
            hint = f" (did you mean {text}%?)" if 1 < share <= 100 and "%" not in text else ""
            self.fail(f"{text!r} is not between 0% and 100%{hint}", param, ctx)
        return share


class _Rate(flags.ParamType):
    """Bits a second, as tc has them: `10mbit`, `512kbit`."""

    name = "rate"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> float:
        if isinstance(value, float):
            return value
        match = _RATE.fullmatch(str(value))
        rate = float(match[1]) * _UNITS[match[2].lower()] if match else 0.0
        if rate <= 0:
            self.fail(f"{value!r} is no rate: say 10mbit or 512kbit", param, ctx)
        return rate


SHARE: Final = _Share()
RATE: Final = _Rate()


def title(node: str, link: str, names: Mapping[str, str]) -> str:
    """A link as its node has it."""
    if link.startswith(_POD):
        address = link.removeprefix(_POD)
        return f"of pod {names.get(address, address)}"
    return f"from {node} to {link}"


def is_dead(one: Any) -> bool:
    """Whether a link (cluster.v1.LinkState) lets nothing through. Copies may survive a loss."""
    return bool(one.cut or (one.impairment.loss >= 1 and not one.impairment.duplicate))


def words(one: Any) -> str:
    """What is wrong with a link (cluster.v1.LinkState), as tc's netem writes it."""
    how = one.impairment
    found = ["cut"] if one.cut else []
    if how.delay or how.jitter:
        jitter = f" {durations.format(how.jitter)}" if how.jitter else ""
        found.append(f"delay {durations.format(how.delay)}{jitter}")
    for name in ("loss", "duplicate", "reorder"):
        share = getattr(how, name)
        if share:
            found.append(f"{name} {share * 100:.4g}%")
    if how.rate:
        found.append(f"rate {_rate(how.rate)}")
    return " ".join(found) or "healed, with packets under way"


def _rate(rate: float) -> str:
    for unit, size in (("gbit", 1e9), ("mbit", 1e6), ("kbit", 1e3)):
        if rate >= size:
            return f"{rate / size:.4g}{unit}"
    return f"{rate:.4g}bit"


def document(node: str, one: Any) -> dict[str, Any]:
    """A link for JSON."""
    how = one.impairment
    return {
        "node": node,
        "link": one.link,
        "impairment": words(one),
        "cut": one.cut,
        "delay": how.delay,
        "jitter": how.jitter,
        "loss": how.loss,
        "duplicate": how.duplicate,
        "reorder": how.reorder,
        "rate": how.rate,
        "seed": one.seed,
        "passed": one.passed,
        "lost": one.lost + one.overflowed + one.refused,
        "duplicated": one.duplicated,
        "reordered": one.reordered,
    }
