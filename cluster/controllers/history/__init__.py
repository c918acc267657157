"""ControllerRevisions: the history of pod templates that StatefulSets and DaemonSets keep.

`snapshot` (what of a template is remembered), `naming` (names by hash) and `revisions` (equality,
order, numbers, what to forget) are pure; `keeper` reads and writes them. Nothing here knows which
kind owns a revision.
"""
