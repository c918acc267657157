"""Server-side apply of configurations, as https://kubernetes.io/docs/reference/using-api/
server-side-apply/ and the tests of structured-merge-diff describe it.
"""

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cluster.api import errors, schema
from cluster.api.managedfields import (
    applying,
    elements,
    fieldsets,
    lastapplied,
    roots,
    types,
    updating,
    walking,
)
from cluster.api.managedfields.applying import Apply
from cluster.api.managedfields.updating import Writer
from cluster.api.objects import Object

DEPLOYMENT = types.of_kind("apps/v1", "Deployment", schema.NEWEST)
CONFIG_MAP = types.of_kind("v1", "ConfigMap", schema.NEWEST)
SERVICE = types.of_kind("v1", "Service", schema.NEWEST)
POD = types.of_kind("v1", "Pod", schema.NEWEST)
KINDS = {"Deployment": DEPLOYMENT, "ConfigMap": CONFIG_MAP, "Service": SERVICE, "Pod": POD}


def apply(
    live: Object, config: Object, manager: str = "one", *, force: bool = False, now: float = 0
) -> Object:
    by = Writer(manager, config["apiVersion"], now)
    before = json.dumps([live, config])
    found = applying.apply(KINDS[config["kind"]], live, Apply(config, by, force))
    assert json.dumps([live, config]) == before
    return found


def update(live: Object | None, new: Object, manager: str, subresource: str = "") -> Object:
    by = Writer(manager, new["apiVersion"], 0, subresource)
    found = updating.update(KINDS[new["kind"]], live, new, by)
    metadata = {k: v for k, v in new["metadata"].items() if k != "managedFields"}
    return new | {"metadata": metadata | ({"managedFields": found} if found else {})}


def config_map(**data: Any) -> Object:
    return {
        "apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "m"}, "data": data,
    }  # fmt: skip


def pod(**spec: Any) -> Object:
    return {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "p"}, "spec": spec}


def owned(obj: Object) -> dict[str, list[str]]:
    """The paths that each manager owns."""
    return {
        entry["manager"]: [
            fieldsets.shown(path) for path in fieldsets.paths(entry["fieldsV1"])
        ]
        for entry in obj["metadata"].get("managedFields") or ()
    }  # fmt: skip


def refused(live: Object, config: Object, manager: str) -> errors.Conflict:
    with pytest.raises(errors.Conflict) as caught:
        apply(live, config, manager)
    return caught.value


# The documentation's own examples.


def test_an_object_made_by_apply_is_its_appliers() -> None:
    config = config_map(key="some value")
    config["metadata"]["labels"] = {"test-label": "test"}
    made = apply({}, config, "kubectl")
    assert made["metadata"]["managedFields"] == [
        {
            "manager": "kubectl", "operation": "Apply", "apiVersion": "v1",
            "time": "1970-01-01T00:00:00Z", "fieldsType": "FieldsV1",
            "fieldsV1": {
                "f:data": {"f:key": {}},
                "f:metadata": {"f:labels": {"f:test-label": {}}},
            },
        }
    ]  # fmt: skip


def test_a_change_by_another_takes_the_field_and_a_second_apply_conflicts() -> None:
    made = apply({}, config_map(key="some value"), "kubectl")
    changed = update(made, made | {"data": {"key": "new value"}}, "kube-controller-manager")
    assert owned(changed) == {"kube-controller-manager": [".data.key"]}
    error = refused(changed, config_map(key="some value"), "kubectl")
    assert error.message == (
        'Apply failed with 1 conflict: conflict with "kube-controller-manager" using v1: .data.key'
    )


def test_replicas_are_handed_from_an_applier_to_an_autoscaler() -> None:
    def deployment(**spec: Any) -> Object:
        found = json.loads(json.dumps(NGINX))
        found["spec"] |= spec
        return found  # type: ignore[no-any-return]

    made = apply({}, deployment(replicas=3), "kubectl")
    # The handover: the autoscaler's own apply says the same, and so shares the field ...
    shared = apply(
        made,
        {
            "apiVersion": "apps/v1", "kind": "Deployment",
            "metadata": {"name": "nginx-deployment"}, "spec": {"replicas": 3},
        },
        "nginx-deployment-handover-to-hpa",
    )  # fmt: skip
    assert ".spec.replicas" in owned(shared)["kubectl"]
    assert owned(shared)["nginx-deployment-handover-to-hpa"] == [".spec.replicas"]
    # ... so that kubectl lets go of it and nothing changes.
    done = apply(shared, deployment(), "kubectl")
    assert done["spec"]["replicas"] == 3
    assert ".spec.replicas" not in owned(done)["kubectl"]


NGINX: Object = {
    "apiVersion": "apps/v1",
    "kind": "Deployment",
    "metadata": {"name": "nginx-deployment", "labels": {"app": "nginx"}},
    "spec": {
        "selector": {"matchLabels": {"app": "nginx"}},
        "template": {
            "metadata": {"labels": {"app": "nginx"}},
            "spec": {"containers": [{"name": "nginx", "image": "nginx:1.14.2"}]},
        },
    },
}


# Sharing, conflicts, removal.


def test_equal_values_are_shared_and_stay_until_the_last_owner_lets_go() -> None:
    both = apply(apply({}, config_map(x="1", y="1"), "one"), config_map(x="1", y="1"), "two")
    assert owned(both) == {"one": [".data.x", ".data.y"], "two": [".data.x", ".data.y"]}
    left = apply(both, config_map(y="1"), "one")
    assert left["data"] == {"x": "1", "y": "1"}
    assert apply(left, config_map(y="1"), "two")["data"] == {"y": "1"}


def test_a_conflict_tells_all_fields_of_all_owners_in_order() -> None:
    live = apply({}, config_map(x="1", y="1"), "zoe")
    live = update(live, live | {"data": live["data"] | {"z": "1"}}, "ann")
    error = refused(live, config_map(x="2", y="2", z="2"), "me")
    assert error.message == (
        'Apply failed with 3 conflicts: conflicts with "ann" using v1:\n- .data.z\n'
        'conflicts with "zoe":\n- .data.x\n- .data.y'
    )
    assert [cause["field"] for cause in error.details["causes"]] == [
        ".data.z", ".data.x", ".data.y",
    ]  # fmt: skip
    assert {cause["reason"] for cause in error.details["causes"]} == {"FieldManagerConflict"}


def test_force_takes_what_conflicts_and_no_more() -> None:
    live = apply({}, config_map(x="1", y="1"), "zoe")
    forced = apply(live, config_map(x="2"), "me", force=True)
    assert owned(forced) == {"me": [".data.x"], "zoe": [".data.y"]}
    assert forced["data"] == {"x": "2", "y": "1"}


def test_removing_a_field_takes_it_from_all_managers() -> None:
    live = apply(apply({}, config_map(x="1", y="1"), "one"), config_map(x="1"), "two")
    assert owned(update(live, live | {"data": {"y": "1"}}, "three")) == {"one": [".data.y"]}


def test_applying_nothing_gives_everything_up_but_what_others_have() -> None:
    live = apply({}, config_map(x="1", y="1"), "one")
    live = update(live, live | {"data": live["data"] | {"z": "1"}}, "two")
    bare = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "m"}}
    done = apply(live, bare, "one")
    assert done["data"] == {"z": "1"}
    assert owned(done) == {"two": [".data.z"]}
    assert done["metadata"]["name"] == "m"


def test_a_field_that_was_changed_by_another_stays_when_its_applier_drops_it() -> None:
    live = apply({}, config_map(x="1", y="1"), "one")
    live = update(live, live | {"data": {"x": "2", "y": "1"}}, "two")
    assert apply(live, config_map(y="1"), "one")["data"] == {"x": "2", "y": "1"}


# Lists.


PORT = {"name": "http", "containerPort": 80}


def test_items_of_a_list_map_are_told_apart_by_their_keys_and_defaults_of_keys() -> None:
    made = apply({}, pod(containers=[{"name": "c", "image": "i", "ports": [PORT]}]))
    key = '.spec.containers[name="c"].ports[containerPort=80,protocol="TCP"]'
    assert [path for path in owned(made)["one"] if path.startswith(key)] == [
        key, f"{key}.containerPort", f"{key}.name",
    ]  # fmt: skip
    udp = {"containerPort": 80, "protocol": "UDP"}
    both = apply(made, pod(containers=[{"name": "c", "ports": [udp]}]), "two")
    assert both["spec"]["containers"][0]["ports"] == [PORT, udp]
    named = {"containerPort": 80, "protocol": "TCP", "name": "web"}
    error = refused(both, pod(containers=[{"name": "c", "ports": [named]}]), "two")
    assert error.details["causes"][0]["field"] == f"{key}.name"


def test_sets_are_joined_and_atomic_lists_are_not() -> None:
    def finalizers(*names: str) -> Object:
        found = pod(containers=[{"name": "c", "args": list(names)}])
        found["metadata"]["finalizers"] = list(names)
        return found

    one = apply({}, finalizers("a/1", "b/2"), "one")
    two = apply(one, finalizers("b/2", "c/3"), "two", force=True)
    assert two["metadata"]["finalizers"] == ["a/1", "b/2", "c/3"]
    assert two["spec"]["containers"][0]["args"] == ["b/2", "c/3"]
    assert '.spec.containers[name="c"].args' not in owned(two)["one"]
    assert '.metadata.finalizers[="a/1"]' in owned(two)["one"]
    done = apply(two, finalizers(), "two", force=True)
    assert done["metadata"]["finalizers"] == ["a/1", "b/2"]


@pytest.mark.parametrize(
    ("live", "config", "merged"),
    [
        ("abc", "b", "abc"), ("abc", "d", "abcd"), ("abc", "cd", "abcd"), ("abc", "ca", "bca"),
        ("abc", "cba", "cba"), ("ab", "bxa", "bxa"), ("abc", "xa", "xabc"), ("", "ab", "ab"),
        ("abcd", "db", "acdb"), ("ab", "axb", "axb"), ("aab", "b", "aab"),
    ],
)  # fmt: skip
def test_items_stand_as_the_configuration_has_them(live: str, config: str, merged: str) -> None:
    def containers(names: str) -> Object:
        return pod(containers=[{"name": name} for name in names])

    found = apply(containers(live), containers(config), force=True)
    assert "".join(item["name"] for item in found["spec"]["containers"]) == merged


def test_an_atomic_map_is_owned_whole() -> None:
    def service(**selector: str) -> Object:
        return {
            "apiVersion": "v1", "kind": "Service", "metadata": {"name": "s"},
            "spec": {"selector": selector},
        }  # fmt: skip

    made = apply({}, service(a="1", b="2"))
    assert owned(made) == {"one": [".spec.selector"]}
    assert apply(made, service(c="3"))["spec"]["selector"] == {"c": "3"}
    assert refused(made, service(c="3"), "two").details["causes"][0]["field"] == ".spec.selector"


@pytest.mark.parametrize(
    ("config", "words"),
    [
        (pod(containers=[{"name": "a"}, {"name": "a"}]),
         '.spec.containers: duplicate entries for key [name="a"]'),
        (pod(containers=[{"image": "a"}]),
         ".spec.containers: element 0: associative list with keys has an element that omits all "
         'key fields ["name"] (and doesn\'t have default values for any key fields)'),
        (pod(containers=["a"]), "element 0: associative list with keys may not have non-map"),
        (pod(containers=[None]), "element 0: associative list with keys may not have a null"),
        (pod(containers={}), ".spec.containers: expected list, got"),
        (pod(nodeName=1), ".spec.nodeName: expected string, got &{1}"),
        (pod(activeDeadlineSeconds="1"),
         ".spec.activeDeadlineSeconds: expected numeric (int or float), got string"),
        (pod(hostNetwork="yes"), ".spec.hostNetwork: expected boolean, got &{yes}"),
        (pod(foo=1), ".spec.foo: field not declared in schema"),
        (pod(tolerations=[{"foo": 1}]), ".spec.tolerations[0].foo: field not declared in schema"),
        (config_map(x=[]), ".data.x: expected string, got &{[]}"),
    ],
)  # fmt: skip
def test_what_does_not_fit_the_schema_is_refused(config: Object, words: str) -> None:
    with pytest.raises(errors.BadRequest, match=r"failed to create typed patch object \(/") as got:
        apply({}, config)
    assert words in got.value.message


def test_null_owns_a_field_and_empties_it() -> None:
    made = apply({}, pod(nodeName="n", nodeSelector={"a": "b"}))
    null = apply(made, pod(nodeName=None, nodeSelector=None))
    assert owned(null) == {"one": [".spec.nodeName", ".spec.nodeSelector"]}
    assert null["spec"]["nodeName"] is None


def test_a_configuration_may_not_carry_managers() -> None:
    config = config_map(x="1")
    config["metadata"]["managedFields"] = []
    with pytest.raises(errors.BadRequest, match="managedFields must be nil"):
        apply({}, config)


def test_a_configuration_that_is_far_too_deep_is_refused() -> None:
    deep: Any = {}
    for _ in range(2000):
        deep = {"a": deep}
    config = config_map() | {"data": deep}
    with pytest.raises(errors.BadRequest):
        applying.apply(types.of_custom(None), {}, Apply(config, Writer("m", "v1", 0)))


# kubectl's annotation.


def test_kubectl_takes_over_what_it_applied_client_side_and_keeps_the_annotation() -> None:
    before = config_map(x="1", y="1")
    text = json.dumps(before)
    live = config_map(x="1", y="1")
    live["metadata"]["annotations"] = {lastapplied.ANNOTATION: text}
    live = update(None, live, "kubectl-client-side-apply")
    done = apply(live, config_map(x="2", y="1"), "kubectl")
    assert done["data"] == {"x": "2", "y": "1"}
    kept = json.loads(done["metadata"]["annotations"][lastapplied.ANNOTATION])
    assert kept == config_map(x="2", y="1")
    assert refused(live, config_map(x="2"), "other").details["causes"][0]["field"] == ".data.x"


def test_kubectl_does_not_take_over_what_others_changed_since() -> None:
    live = config_map(x="1", y="1")
    live["metadata"]["annotations"] = {lastapplied.ANNOTATION: json.dumps(config_map(x="1"))}
    live = update(None, live, "kubectl-client-side-apply")
    live = update(live, live | {"data": {"x": "9", "y": "1"}}, "someone")
    error = refused(live, config_map(x="2"), "kubectl")
    assert error.details["causes"][0]["message"] == 'conflict with "someone" using v1'


@pytest.mark.parametrize("text", ["", "{", "[]", '{"apiVersion":"v2"}', '{"apiVersion":"v1"}'])
def test_an_annotation_that_says_nothing_excuses_nothing(text: str) -> None:
    live = config_map(x="1")
    live["metadata"]["annotations"] = {lastapplied.ANNOTATION: text}
    refused(update(None, live, "kubectl-client-side-apply"), config_map(x="2"), "kubectl")


# Properties.

keys = st.sampled_from("abcd")
values = st.sampled_from(["1", "2"])
data = st.dictionaries(keys, values, max_size=4)
containers = st.lists(
    st.fixed_dictionaries(
        {"name": st.sampled_from(["a", "b", "c"])},
        optional={
            "image": values,
            "args": st.lists(values, max_size=2),
            "env": st.lists(
                st.fixed_dictionaries({"name": keys}, optional={"value": values}),
                max_size=3, unique_by=lambda item: item["name"],
            ),
        },
    ),
    max_size=3, unique_by=lambda item: item["name"],
)  # fmt: skip
more = st.fixed_dictionaries(
    {}, optional={"nodeName": values, "nodeSelector": data, "hostNetwork": st.booleans()}
)
pods = st.builds(lambda items, rest: pod(containers=items, **rest), containers, more)
configs = st.one_of(pods, data.map(lambda items: config_map(**items)))


def stripped(obj: Object) -> Object:
    rest = {k: v for k, v in obj["metadata"].items() if k != "managedFields"}
    return obj | {"metadata": rest}


@given(pods, pods)
def test_applying_again_changes_nothing(first: Object, second: Object) -> None:
    once = apply(apply({}, first, "one"), second, "two", force=True)
    assert apply(once, second, "two") == once


@given(configs)
def test_applying_and_applying_nothing_leaves_nothing(config: Object) -> None:
    bare = {k: v for k, v in config.items() if k in ("apiVersion", "kind", "metadata")}
    done = apply(apply({}, config), bare)
    assert "managedFields" not in done["metadata"]
    assert json.dumps(stripped(done)).count("image") == 0
    assert done.get("data", {}) == {}


@given(pods, pods)
def test_a_manager_that_leaves_takes_only_what_is_its_own(first: Object, second: Object) -> None:
    bare = {k: v for k, v in second.items() if k in ("apiVersion", "kind", "metadata")}
    alone = apply({}, first, "one")
    both = apply(alone, second, "two", force=True)
    left = apply(both, bare, "two")
    mine, before = owned(left).get("one", []), owned(both).get("one", [])
    assert mine == before
    assert "two" not in owned(left)


@given(data, data)
def test_disjoint_configurations_commute(first: dict[str, str], second: dict[str, str]) -> None:
    other = {key.upper(): value for key, value in second.items()}
    one, two = config_map(**first), config_map(**other)
    here = apply(apply({}, one, "one"), two, "two")
    there = apply(apply({}, two, "two"), one, "one")
    assert here["data"] == there["data"]
    assert owned(here) == owned(there)


@settings(max_examples=200)
@given(pods, pods, pods)
def test_what_is_owned_is_there_and_said_in_order(
    first: Object, second: Object, third: Object
) -> None:
    live = apply({}, first, "one")
    live = update(live, second | {"metadata": live["metadata"]}, "two")
    live = apply(live, third, "three", force=True)
    for entry in live["metadata"].get("managedFields") or ():
        fields = entry["fieldsV1"]
        assert json.dumps(fieldsets.decoded(fields)) == json.dumps(fields)
        everything = json.dumps(live)
        for path in fieldsets.paths(fields):
            leaf = path[-1]
            if leaf.startswith("f:"):
                assert f'"{leaf[2:]}"' in everything


@given(pods, pods)
def test_an_update_gives_every_field_that_differs_to_its_writer(old: Object, new: Object) -> None:
    live = update(None, old, "one")
    changed = update(live, new | {"metadata": live["metadata"]}, "two")
    again = update(changed, changed, "three")
    assert owned(again) == owned(changed)
    one = set(owned(changed).get("one", []))
    two = set(owned(changed).get("two", []))
    assert not one & two
    if stripped(old) == stripped(new):
        assert not two


def test_what_is_remembered_of_objects_is_bounded() -> None:
    for number in range(600):
        config = pod(containers=[{"name": f"c{number}" * 200}])
        apply({}, config)
        update(None, config, "m")
        update(None, config_map(**{f"{number}-{more}": "x" for more in range(3)}), "m")
    assert 0 < len(roots._new) <= 512
    assert 0 < len(roots._claims) <= 512
    assert elements._known_order.cache_info().currsize <= 8192
    entries = walking.walker(CONFIG_MAP.fields["data"].type)
    assert isinstance(entries, walking.MapWalker)
    assert 0 < len(entries._plans) <= 512
    large = {f"{number}": "x" for number in range(3000)}
    update(None, config_map(**large), "m")
    assert max(len(keys) for keys in entries._plans) < 1000
