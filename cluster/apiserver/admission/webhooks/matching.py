"""Which webhooks are to be asked about a request."""

from cluster.api import errors
from cluster.api.resources import Resource
from cluster.apiserver.admission.matching import conditions, evaluation
from cluster.apiserver.admission.matching.attributes import Attributes
from cluster.apiserver.admission.matching.rules import Static
from cluster.apiserver.admission.webhooks.hook import Hook


def matched(hook: Hook, static: Static, attributes: Attributes) -> Resource | None:
    """The version in which the request is to be shown to a webhook; None: it is not concerned.

    errors.Forbidden where its match conditions have no value. outside.Ask.
    """
    row = static.row(attributes.name)
    if row is None:
        return None
    criteria = hook.criteria
    if not attributes.selected(criteria.namespaces, criteria.objects):
        return None
    if not hook.conditions:
        return row
    bindings = evaluation.bindings(attributes, row)
    try:
        found = conditions.matched(hook.conditions, bindings, fail=hook.fails)
    except evaluation.Failed as error:
        raise errors.forbidden(attributes.request.row.id, attributes.name, str(error)) from None
    return row if found else None


def check_dry(hook: Hook, attributes: Attributes) -> None:
    """errors.BadRequest where a webhook may not be asked about a dry run."""
    if attributes.request.call.operation.dry_run and not hook.dry:
        raise errors.BadRequest(f'admission webhook "{hook.name}" does not support dry run')
