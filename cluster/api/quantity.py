"""Quantities: amounts of a resource as Kubernetes writes them (`500m`, `128Mi`, `1e3`).

The grammar, the rounding (up, away from zero, to a billionth) and the canonical form are those of
k8s.io/apimachinery/pkg/api/resource. Parsing is cached: a cluster uses few different amounts.
"""

import re
from fractions import Fraction
from functools import lru_cache
from typing import Final

Amount = int | Fraction

LARGEST: Final = 2**63 - 1
FORMAT_WRONG: Final = (
    "quantities must match the regular expression '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'"
)
SUFFIX_WRONG: Final = "unable to parse quantity's suffix"

_DECIMAL: Final = {
    "n": -9, "u": -6, "m": -3, "": 0, "k": 3, "M": 6, "G": 9, "T": 12, "P": 15, "E": 18,
}  # fmt: skip
_DECIMAL_SUFFIX: Final = {power: suffix for suffix, power in _DECIMAL.items()}
_BINARY: Final = {"Ki": 10, "Mi": 20, "Gi": 30, "Ti": 40, "Pi": 50, "Ei": 60}
_SHAPE: Final = re.compile(r"([+-]?)([0-9]*)(?:\.([0-9]*))?([eEinumkKMGTP]*[-+]?[0-9]*)", re.ASCII)
_EXPONENT: Final = re.compile(r"[eE][-+]?[0-9]+", re.ASCII)
_BILLION: Final = 10**9
# Beyond these an amount is capped or rounded to a billionth anyway; they bound the arithmetic.
_DIGITS_KEPT: Final = 64
_EXPONENT_BOUND: Final = 128


def parse(text: str | float) -> Amount:
    """The amount, as an int where it is whole. ValueError in Kubernetes' words."""
    return _parsed(_as_text(text))[0]


def milli(text: str | float) -> int:
    """Thousandths, rounded up: `0.5` is 500. ValueError."""
    return _milli(_as_text(text))


def value(text: str | float) -> int:
    """Whole units, rounded up: `128Mi` is 134217728. ValueError."""
    return _value(_as_text(text))


def canonical(text: str | float) -> str:
    """The text that Kubernetes stores: `1000m` is `1`, `0.5` is `500m`, `1024Mi` is `1Gi`."""
    return _canonical(_as_text(text))


def format(amount: Amount, *, binary: bool = False) -> str:  # noqa: A001 - quantity.format
    """The canonical text of an amount; `binary` uses Ki, Mi, Gi… from 1024 on."""
    return _formatted(_rounded(Fraction(amount)), "i" if binary else "")


def format_milli(thousandths: int) -> str:
    """The canonical text of so many thousandths: 1500 is `1500m`, 2000 is `2`."""
    return format(Fraction(thousandths, 1000))


def _as_text(text: str | float) -> str:
    if isinstance(text, str):
        return text
    if isinstance(text, bool) or not isinstance(text, int | float):
        raise ValueError(FORMAT_WRONG)  # noqa: TRY004 - one error type for every bad amount
    return repr(text)


@lru_cache(4096)
def _milli(text: str) -> int:
    return _ceil(_parsed(text)[0] * 1000)


@lru_cache(4096)
def _value(text: str) -> int:
    return _ceil(_parsed(text)[0])


@lru_cache(4096)
def _canonical(text: str) -> str:
    return _formatted(*_parsed(text))


@lru_cache(4096)
def _parsed(text: str) -> tuple[Amount, str]:
    """The amount and its style: "" decimal, "i" binary, "e" exponent."""
    found = _SHAPE.fullmatch(text)
    if found is None or not (found[2] or found[3]):
        raise ValueError(FORMAT_WRONG)
    sign, whole, part, suffix = found.groups()
    base, power, style = _scale(suffix)
    whole = whole.lstrip("0")
    digits = _digits(whole, part or "", base, power)
    amount = _rounded(-digits if sign == "-" else digits)
    return amount, style


def _digits(whole: str, part: str, base: int, power: int) -> Fraction:
    if len(whole) > _DIGITS_KEPT:
        return Fraction(LARGEST)
    part = part[:_DIGITS_KEPT] + ("1" if part[_DIGITS_KEPT:].strip("0") else "")
    number = Fraction(int(f"0{whole}{part}"), 10 ** len(part))
    power = max(-_EXPONENT_BOUND, min(power, _EXPONENT_BOUND))
    return number * Fraction(base) ** power


def _scale(suffix: str) -> tuple[int, int, str]:
    if suffix in _DECIMAL:
        return 10, _DECIMAL[suffix], ""
    if suffix in _BINARY:
        return 2, _BINARY[suffix], "i"
    if _EXPONENT.fullmatch(suffix) and len(suffix) < 12:
        return 10, int(suffix[1:]), "e"
    raise ValueError(SUFFIX_WRONG)


def _rounded(exact: Fraction) -> Amount:
    """Up to a billionth, away from zero, and within 64 bits; an int where it is whole."""
    size = min(abs(exact), Fraction(LARGEST))
    scaled = Fraction(_ceil(size * _BILLION), _BILLION)
    amount: Fraction = -scaled if exact < 0 else scaled
    return amount.numerator if amount.denominator == 1 else amount


def _ceil(amount: Amount) -> int:
    return -((-amount.numerator) // amount.denominator)


def _formatted(amount: Amount, style: str) -> str:
    if amount == 0:
        return "0"
    if style == "i" and not -1024 < amount < 1024:
        return _in_binary(amount)
    return _in_decimal(amount, exponent=style == "e")


def _in_binary(amount: Amount) -> str:
    whole = _ceil(-amount if amount < 0 else amount)
    power = 0
    while power < 60 and whole % 1024 == 0:
        whole //= 1024
        power += 10
    suffix = {bits: name for name, bits in _BINARY.items()}.get(power, "")
    return f"{'-' if amount < 0 else ''}{whole}{suffix}"


def _in_decimal(amount: Amount, *, exponent: bool) -> str:
    power, number = 0, Fraction(amount)
    while number.denominator != 1:
        number *= 1000
        power -= 3
    return _shortened(number.numerator, power, exponent=exponent)


def _shortened(number: int, power: int, *, exponent: bool) -> str:
    while power < 18 and number % 1000 == 0:
        number //= 1000
        power += 3
    if exponent:
        return f"{number}e{power}" if power else str(number)
    return f"{number}{_DECIMAL_SUFFIX[power]}"
