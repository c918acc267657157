"""The experiments that come with kubemu, by name: files beside this module."""

from functools import lru_cache
from importlib import resources

from cluster.chaos import reading
from cluster.chaos.experiment import Experiment

_FOLDER = "experiments"


@lru_cache(1)
def names() -> tuple[str, ...]:
    """Their names, in order."""
    folder = resources.files("cluster.chaos").joinpath(_FOLDER)
    files = (one.name for one in folder.iterdir())
    return tuple(sorted(name.removesuffix(".yaml") for name in files if name.endswith(".yaml")))


def text(name: str) -> str:
    """The file of one. OSError where there is none."""
    file = resources.files("cluster.chaos").joinpath(_FOLDER, f"{name}.yaml")
    return file.read_text(encoding="utf-8")


def get(name: str) -> Experiment:
    """One, by its name."""
    return reading.parse(text(name), f"{name}.yaml")
