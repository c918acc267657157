"""Whether a job that does not fail is complete, and whether it has been suspended or resumed."""

from cluster.api import timestamps
from cluster.controllers.job import fields, marks
from cluster.controllers.job.survey import Survey


def complete(found: Survey, active: int) -> marks.Condition | None:
    """The condition of a job that has all its successes and none of its pods left."""
    wanted = fields.completions(found.job)
    # A work queue is done when one pod has succeeded and the others have come to their end.
    if active or found.succeeded < (1 if wanted is None else wanted):
        return None
    message = "Reached expected number of succeeded pods"
    return marks.new(marks.SUCCESS_CRITERIA_MET, "CompletionsReached", message, found.now)


def suspension(found: Survey, *, unstarted: bool) -> tuple[str, str] | None:
    """Put the condition Suspended right; the event to record (reason, message) where it changed.

    A job that is resumed starts anew: its deadline counts the time that it runs. `unstarted`: one
    that is suspended has not started at all, and where its pods may go can be changed.
    """
    if fields.suspended(found.job):
        if unstarted:
            found.started = ""
        wanted = marks.new(marks.SUSPENDED, "JobSuspended", "Job suspended", found.now)
        return ("Suspended", "Job suspended") if marks.ensure(found.conditions, wanted) else None
    wanted = marks.new(marks.SUSPENDED, "JobResumed", "Job resumed", found.now, status="False")
    if not marks.ensure(found.conditions, wanted):
        return None
    found.started = timestamps.encode(found.now)
    return "Resumed", "Job resumed"
