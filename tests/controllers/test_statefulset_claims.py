"""Who should own a claim, by the retention policy and by who owns it now."""

from typing import Any

import pytest
from statefulsets import stateful_set

from cluster.controllers.statefulset import claims, retention, settings

SET = {"apiVersion": "apps/v1", "kind": "StatefulSet", "name": "web", "uid": "set"}
POD = {"apiVersion": "v1", "kind": "Pod", "name": "web-0", "uid": "pod"}
OTHER = {"apiVersion": "example.com/v1", "kind": "Thing", "name": "t", "uid": "t"}
BY_SET = SET | {"controller": True, "blockOwnerDeletion": True}
BY_POD = POD | {"controller": True, "blockOwnerDeletion": True}
BY_OTHER = OTHER | {"controller": True}


def policy(deleted: bool, scaled: bool) -> settings.Settings:
    made = stateful_set(
        persistentVolumeClaimRetentionPolicy={
            "whenDeleted": "Delete" if deleted else "Retain",
            "whenScaled": "Delete" if scaled else "Retain",
        }
    )
    return settings.of(made)


def corrected(owners: list[dict[str, Any]], asked: settings.Settings, scaled: bool) -> Any:
    claim = {"metadata": {"name": "www-web-0", "ownerReferences": owners}}
    web = {"metadata": {"name": "web", "uid": "set"}}
    pod = {"metadata": {"name": "web-0", "uid": "pod"}}
    return retention.corrected(claim, web, pod, asked, scaled=scaled)


@pytest.mark.parametrize(
    ("deleted", "when_scaled", "scaled", "owner"),
    [
        (False, False, False, None),
        (False, False, True, None),
        (True, False, False, BY_SET),
        (True, False, True, BY_SET),
        (False, True, False, None),
        (False, True, True, BY_POD),
        (True, True, False, BY_SET),
        (True, True, True, BY_POD),
    ],
)
@pytest.mark.parametrize("before", [[], [BY_SET], [BY_POD], [SET], [OTHER], [OTHER, BY_SET]])
def test_the_owner_is_the_policys(
    deleted: bool, when_scaled: bool, scaled: bool, owner: Any, before: list[dict[str, Any]]
) -> None:
    found = corrected(before, policy(deleted, when_scaled), scaled)
    kept = [one for one in before if one is OTHER]
    wanted = [*kept, owner] if owner else kept
    assert (before if found is None else found) == wanted
    if found is None:
        assert before == wanted, "nothing was to change, and something was wrong"
    else:
        assert corrected(found, policy(deleted, when_scaled), scaled) is None, "it is not at rest"


@pytest.mark.parametrize("stale", [BY_SET | {"uid": "earlier"}, BY_POD | {"uid": "earlier"}])
@pytest.mark.parametrize("scaled", [False, True])
def test_what_an_earlier_set_or_pod_owns_is_left_alone(stale: Any, scaled: bool) -> None:
    assert corrected([stale], policy(True, True), scaled) is None


def test_what_another_controls_is_left_to_it() -> None:
    assert corrected([BY_OTHER], policy(True, True), False) is None
    assert corrected([BY_OTHER, BY_SET], policy(True, True), False) == [BY_OTHER]
    # With nothing to be deleted, another controller is no matter.
    assert corrected([BY_OTHER, BY_SET], policy(False, False), False) == [BY_OTHER]


@pytest.mark.parametrize(
    ("scaled", "owner", "stale"),
    [
        (True, BY_POD | {"uid": "earlier"}, True),
        (True, BY_SET, False),
        (True, BY_POD | {"name": "web-1"}, False),
        (False, BY_POD | {"uid": "earlier"}, False),
    ],
)
def test_a_claim_of_an_earlier_pod_is_stale_where_it_goes_with_it(
    scaled: bool, owner: Any, stale: bool
) -> None:
    made = stateful_set(claims=("www",))
    present = {"metadata": {"name": "www-web-0", "ownerReferences": [owner]}}
    found = claims.Claims(
        made, policy(False, scaled), lambda name: present if name == "www-web-0" else None
    )
    assert found.stale(0) is stale


def test_claims_carry_what_the_template_says_and_the_sets_labels() -> None:
    made = stateful_set(claims=("www",))
    template = made["spec"]["volumeClaimTemplates"][0]
    template["metadata"] |= {"annotations": {"a": "b"}, "labels": {"x": "y"}}
    template["status"] = {"phase": "Pending"}
    found = claims.Claims(made, policy(False, False), lambda name: None)
    (claim,) = found.missing(4).create
    assert claim == {
        "apiVersion": "v1",
        "kind": "PersistentVolumeClaim",
        "metadata": {
            "name": "www-web-4",
            "namespace": "default",
            "annotations": {"a": "b"},
            "labels": {"x": "y", "app": "web"},
        },
        "spec": template["spec"],
    }
    assert template["metadata"]["name"] == "www", "the cache was changed"
