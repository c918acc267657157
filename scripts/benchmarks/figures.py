"""A measured figure, what is asked of it, and how a table of them is shown."""

from collections.abc import Iterable
from dataclasses import asdict, dataclass


@dataclass(frozen=True, slots=True)
class Figure:
    """One measured value. `target` is what the project asks: at least, or at most if `lower`."""

    name: str
    value: float
    unit: str
    target: float | None = None
    lower: bool = False
    note: str = ""

    @property
    def met(self) -> bool | None:
        """Whether the target is met; None where there is none."""
        if self.target is None:
            return None
        return self.value <= self.target if self.lower else self.value >= self.target


@dataclass(frozen=True, slots=True)
class Skipped:
    """A measurement that could not be made here, and why."""

    name: str
    reason: str


Outcome = Figure | Skipped


def line(outcome: Outcome) -> str:
    """One line of the table."""
    if isinstance(outcome, Skipped):
        return f"{outcome.name:58} not measured: {outcome.reason}"
    verdict = {None: "", True: "ok", False: "MISSED"}[outcome.met]
    target = ""
    if outcome.target is not None:
        target = f"({'at most' if outcome.lower else 'at least'} {outcome.target:,g})"
    value = f"{outcome.value:,.0f}" if abs(outcome.value) >= 100 else f"{outcome.value:.3g}"
    shown = f"{outcome.name:58} {value:>10} {outcome.unit:10} {target:20} {verdict:6}"
    return f"{shown} {outcome.note}".rstrip()


def as_json(outcomes: Iterable[Outcome]) -> list[dict[str, object]]:
    """The outcomes as plain documents."""
    return [asdict(outcome) for outcome in outcomes]
