"""How `kubemu explain pod` prints an attempt."""

from typing import Any

import click

from cluster.cli import tables

Document = dict[str, Any]


def show(document: Document, *, wide: bool) -> None:
    """Print what is known of a pod's attempt; `wide`: a line for every plugin's score."""
    click.echo(f"Pod:        {document['namespace']}/{document['pod']}")
    click.echo(f"Scheduler:  {document['scheduler']}")
    click.echo(f"Node:       {document['node'] or '<none>'}")
    if document["time"]:
        made = "Attempt" if document["remembered"] else "Computed"
        click.echo(f"{made + ':':<12}{document['time']}")
    if document.get("queue"):
        click.echo(f"Queue:      {document['queue']}")
    if document["message"]:
        click.echo(f"Message:    {document['message']}")
    for note in document["notes"]:
        click.echo(f"Note:       {note}")
    refused = [one for one in document["nodes"] if "refusedBy" in one]
    scored = [one for one in document["nodes"] if "refusedBy" not in one]
    scored.sort(key=lambda one: -one["total"])
    if scored:
        click.echo()
        _show_scores(scored, document["node"], wide=wide)
    if refused:
        click.echo()
        rows = [
            (one["node"], one["refusedBy"] or "<none>", ", ".join(one["reasons"]))
            for one in refused
        ]
        tables.show(("NODE", "REFUSED BY", "WHY"), rows)


def _show_scores(scored: list[Document], chosen: str, *, wide: bool) -> None:
    if wide:
        rows = [
            (one["node"], part["plugin"], str(part["raw"]), str(part["normalized"]),
             f"×{part['weight']}", str(part["score"]))
            for one in scored
            for part in one["scores"]
        ]  # fmt: skip
        tables.show(("NODE", "PLUGIN", "RAW", "NORMALIZED", "WEIGHT", "SCORE"), rows)
        click.echo()
    totals: list[tuple[str, ...]] = []
    for one in scored:
        sums = " + ".join(
            f"{part['plugin']} {part['raw']}/{part['normalized']}×{part['weight']}"
            for part in one["scores"]
        )
        mark = "chosen" if one["node"] == chosen else ""
        totals.append((one["node"], str(one["total"]), mark, "" if wide else sums))
    last = "" if wide else "PLUGIN RAW/NORMALIZED×WEIGHT"
    tables.show(("NODE", "SCORE", "", last), totals)
