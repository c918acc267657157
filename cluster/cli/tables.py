"""Tables as kubectl prints them."""

from collections.abc import Sequence

import click


def show(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Print rows under their heads, each column as wide as it must be."""
    everything = [tuple(heads), *(tuple(row) for row in rows)]
    widths = [max(len(row[column]) for row in everything) for column in range(len(heads))]
    for row in everything:
        cells = (cell.ljust(width) for cell, width in zip(row, widths, strict=True))
        click.echo("   ".join(cells).rstrip())
