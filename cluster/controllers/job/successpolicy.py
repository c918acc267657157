"""Whether spec.successPolicy lets an Indexed job succeed by now (KEP-3998)."""

from typing import Any

from cluster.controllers.job import intervals


def met(policy: dict[str, Any] | None, limit: int, done: intervals.Intervals) -> str | None:
    """The message of the first rule that is met by the indexes `done`, of `limit`; None: none."""
    if not done:
        return None
    for index, rule in enumerate((policy or {}).get("rules") or ()):
        if _rule_met(rule, limit, done):
            return f"Matched rules at index {index}"
    return None


def _rule_met(rule: dict[str, Any], limit: int, done: intervals.Intervals) -> bool:
    enough, listed = rule.get("succeededCount"), rule.get("succeededIndexes")
    if listed is None:
        return enough is not None and intervals.total(done) >= enough
    wanted = intervals.parse(listed, limit)
    if not wanted:
        return False
    common = intervals.overlap(wanted, done)
    return common == intervals.total(wanted) or (enough is not None and common >= enough)
