"""Node selectors over all rows of the node table at once; `api.nodeselectors` has the rules."""

import numpy as np

from cluster.api.nodeselectors import NAME_FIELD, Expression, Required, Term
from cluster.scheduler.nodes.columns import ABSENT, Mask, Rows
from cluster.scheduler.nodes.table import NodeTable


def required_mask(required: Required, nodes: NodeTable, rows: Rows) -> Mask:
    """Which of the rows are as required."""
    good: Mask = np.ones(len(rows), np.bool_)
    if required.selector is not None:
        good &= mask(required.selector, nodes, rows)
    if required.terms is not None:
        any_term: Mask = np.zeros(len(rows), np.bool_)
        for one in required.terms:
            any_term |= mask(one, nodes, rows)
        good &= any_term
    return good


def mask(term: Term, nodes: NodeTable, rows: Rows) -> Mask:
    """Which of the rows meet all of a term's expressions."""
    found: Mask = np.full(len(rows), bool(term.expressions))
    for one in term.expressions:
        found &= _expression_mask(one, nodes, rows)
    return found


def _expression_mask(one: Expression, nodes: NodeTable, rows: Rows) -> Mask:
    if one.field:
        return _field_mask(one, nodes, rows)
    column = nodes.label(one.key)
    codes = column.codes[rows]
    match one.operator:
        case "In" | "NotIn":
            found: Mask = np.isin(codes, [column.code(value) for value in one.values])
            return found if one.operator == "In" else ~found
        case "Exists":
            return np.asarray(codes != ABSENT)
        case "DoesNotExist":
            return np.asarray(codes == ABSENT)
        case _:
            texts = (column.text(code) if code else None for code in codes.tolist())
            return np.fromiter((one.holds(text) for text in texts), np.bool_, len(rows))


def _field_mask(one: Expression, nodes: NodeTable, rows: Rows) -> Mask:
    wanted = [] if one.key != NAME_FIELD else [nodes.row(value) for value in one.values]
    found: Mask = np.isin(rows, [row for row in wanted if row is not None])
    return found if one.operator == "In" else ~found
