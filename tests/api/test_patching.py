"""Patches of the three kinds, on documents as kubectl sends them."""

import copy
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cluster.api import errors, operations, patching, resources

TABLE = resources.built_in()
PODS = TABLE.get("pods")
DEPLOYMENTS = TABLE.get("deployments.apps")
CUSTOM = resources.Resource("example.com", "v1", "Widget", "widgets")


def container(name: str, **more: Any) -> dict[str, Any]:
    return {"name": name, "image": f"{name}:1"} | more


def pod(**spec: Any) -> dict[str, Any]:
    meta = {"name": "web", "namespace": "default", "labels": {"app": "web"}, "uid": "u1"}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": meta, "spec": spec}


def strategic(old: dict[str, Any], patch: Any) -> dict[str, Any]:
    before = copy.deepcopy(old)
    result = patching.patched(PODS, old, json.dumps(patch).encode(), operations.STRATEGIC_PATCH)
    assert old == before, "a patch left its mark on the old object"
    return result


def names(items: list[dict[str, Any]]) -> list[str]:
    return [item["name"] for item in items]


class TestStrategicMerge:
    def test_lists_merge_by_their_key_and_keep_what_the_patch_does_not_name(self) -> None:
        old = pod(containers=[container("a"), container("b", args=["x"])])
        new = strategic(old, {"spec": {"containers": [{"name": "b", "image": "b:2"}]}})
        assert new["spec"]["containers"] == [
            container("a"),
            {"name": "b", "image": "b:2", "args": ["x"]},
        ]

    def test_new_items_go_first_and_deleted_ones_go(self) -> None:
        # Kubernetes puts an item of the patch before those that only the server has.
        old = pod(containers=[container("a"), container("b")])
        patch = {"containers": [{"name": "a", "$patch": "delete"}, container("c")]}
        assert names(strategic(old, {"spec": patch})["spec"]["containers"]) == ["c", "b"]

    def test_replace_directive_in_a_list_takes_the_patch_items_alone(self) -> None:
        old = pod(containers=[container("a"), container("b")])
        patch = {"containers": [{"$patch": "replace"}, container("z")]}
        assert strategic(old, {"spec": patch})["spec"]["containers"] == [container("z")]

    def test_replace_and_delete_directives_on_maps(self) -> None:
        old = pod(nodeSelector={"a": "1"})
        replaced = {"spec": {"nodeSelector": {"$patch": "replace", "b": "2"}}}
        assert strategic(old, replaced)["spec"]["nodeSelector"] == {"b": "2"}
        deleted = {"metadata": {"labels": {"$patch": "delete"}}}
        assert strategic(old, deleted)["metadata"]["labels"] == {}

    def test_null_removes_and_leaves_no_null_behind(self) -> None:
        old = pod(nodeName="n1", containers=[container("a")])
        new = strategic(old, {"spec": {"nodeName": None, "hostname": None}})
        assert new["spec"] == {"containers": [container("a")]}

    @pytest.mark.parametrize(
        ("order", "expected"),
        [
            (["c", "b", "a"], ["c", "b", "a"]),
            (["c", "a"], ["b", "c", "a"]),
            (["b"], ["a", "b", "c"]),
        ],
    )
    def test_set_element_order_arranges_items(self, order: list[str], expected: list[str]) -> None:
        old = pod(containers=[container("a"), container("b"), container("c")])
        patch = {"$setElementOrder/containers": [{"name": name} for name in order]}
        assert names(strategic(old, {"spec": patch})["spec"]["containers"]) == expected

    def test_set_element_order_with_an_added_and_a_changed_item(self) -> None:
        old = pod(containers=[container("a"), container("b")])
        patch = {
            "$setElementOrder/containers": [{"name": "new"}, {"name": "a"}, {"name": "b"}],
            "containers": [container("new"), {"name": "a", "image": "a:9"}],
        }
        found = strategic(old, {"spec": patch})["spec"]["containers"]
        assert names(found) == ["new", "a", "b"]
        assert found[1]["image"] == "a:9"

    def test_set_element_order_must_name_the_patched_items(self) -> None:
        old = pod(containers=[container("a")])
        patch = {"$setElementOrder/containers": [{"name": "a"}], "containers": [container("x")]}
        with pytest.raises(errors.Invalid, match="doesn't match"):
            strategic(old, {"spec": patch})

    def test_primitive_lists_merge_and_shed_items(self) -> None:
        old = pod()
        old["metadata"]["finalizers"] = ["example.com/a", "example.com/b"]
        patch = {
            "$deleteFromPrimitiveList/finalizers": ["example.com/a"],
            "$setElementOrder/finalizers": ["example.com/b", "example.com/c"],
            "finalizers": ["example.com/c"],
        }
        new = strategic(old, {"metadata": patch})
        assert new["metadata"]["finalizers"] == ["example.com/b", "example.com/c"]

    def test_retain_keys_clears_the_other_keys_of_a_union(self) -> None:
        old = pod(volumes=[{"name": "v", "emptyDir": {}}])
        patch = {"volumes": [{"name": "v", "$retainKeys": ["name", "secret"], "secret": {}}]}
        assert strategic(old, {"spec": patch})["spec"]["volumes"] == [{"name": "v", "secret": {}}]

    def test_retain_keys_must_name_what_the_patch_sets(self) -> None:
        old = pod(volumes=[{"name": "v", "emptyDir": {}}])
        patch = {"volumes": [{"name": "v", "$retainKeys": ["name"], "secret": {}}]}
        with pytest.raises(errors.BadRequest, match="retainKeys"):
            strategic(old, {"spec": patch})

    def test_lists_without_a_merge_strategy_are_replaced(self) -> None:
        old = pod(containers=[container("a", args=["x", "y"])])
        patch = {"spec": {"containers": [{"name": "a", "args": ["z"]}]}}
        assert strategic(old, patch)["spec"]["containers"][0]["args"] == ["z"]

    def test_an_item_without_its_merge_key_is_refused(self) -> None:
        old = pod(containers=[container("a")])
        with pytest.raises(errors.Invalid, match="does not contain declared merge key: name"):
            strategic(old, {"spec": {"containers": [{"image": "x"}]}})

    def test_directives_do_not_survive_in_new_parts(self) -> None:
        patch = {"spec": {"securityContext": {"$retainKeys": ["runAsUser"], "runAsUser": 1}}}
        assert strategic(pod(), patch)["spec"]["securityContext"] == {"runAsUser": 1}

    def test_custom_resources_have_no_strategic_merge(self) -> None:
        with pytest.raises(errors.UnsupportedMediaType):
            patching.patched(CUSTOM, pod(), b"{}", operations.STRATEGIC_PATCH)


class TestMergePatch:
    @pytest.mark.parametrize(
        ("target", "patch", "expected"),
        [
            ({"a": "b"}, {"a": "c"}, {"a": "c"}),
            ({"a": "b"}, {"b": "c"}, {"a": "b", "b": "c"}),
            ({"a": "b"}, {"a": None}, {}),
            ({"a": ["b"]}, {"a": "c"}, {"a": "c"}),
            ({"a": {"b": "c"}}, {"a": {"b": "d", "c": None}}, {"a": {"b": "d"}}),
            ({"a": [{"b": "c"}]}, {"a": [1]}, {"a": [1]}),
            ({"e": None}, {"a": 1}, {"e": None, "a": 1}),
            ({}, {"a": {"bb": {"ccc": None}}}, {"a": {"bb": {}}}),
        ],
    )
    def test_examples_of_the_rfc(self, target: Any, patch: Any, expected: Any) -> None:
        assert patching.merged(target, patch) == expected

    @pytest.mark.parametrize("body", [b"[]", b"null", b"1", b"{", b"\xff"])
    def test_a_body_that_is_no_merge_patch(self, body: bytes) -> None:
        with pytest.raises(errors.BadRequest):
            patching.patched(PODS, pod(), body, operations.MERGE_PATCH)

    def test_preconditions_stay_in_the_result(self) -> None:
        body = b'{"metadata": {"uid": "other", "resourceVersion": "7"}}'
        new = patching.patched(PODS, pod(), body, operations.MERGE_PATCH)
        assert (new["metadata"]["uid"], new["metadata"]["resourceVersion"]) == ("other", "7")

    def test_the_name_may_not_change(self) -> None:
        with pytest.raises(errors.BadRequest, match="does not match the name on the URL"):
            patching.patched(PODS, pod(), b'{"metadata":{"name":"x"}}', operations.MERGE_PATCH)


class TestJsonPatch:
    def test_operations_apply_and_leave_the_old_object_alone(self) -> None:
        old = pod(containers=[container("a")])
        before = copy.deepcopy(old)
        steps = [
            {"op": "test", "path": "/metadata/uid", "value": "u1"},
            {"op": "replace", "path": "/spec/containers/0/image", "value": "a:2"},
            {"op": "add", "path": "/metadata/labels/x~1y", "value": "z"},
        ]
        new = patching.patched(PODS, old, json.dumps(steps).encode(), operations.JSON_PATCH)
        assert new["spec"]["containers"][0]["image"] == "a:2"
        assert new["metadata"]["labels"] == {"app": "web", "x/y": "z"}
        assert old == before

    @pytest.mark.parametrize(
        "step",
        [
            {"op": "test", "path": "/metadata/uid", "value": "no"},
            {"op": "remove", "path": "/spec/absent"},
            {"op": "replace", "path": "/a/b/c", "value": 1},
            {"op": "frobnicate", "path": "/spec"},
            {"path": "/spec"},
            {"op": "add", "path": "spec", "value": 1},
            {"op": "add", "path": 5, "value": 1},
            {"op": "replace", "path": "", "value": 1},
        ],
    )
    def test_a_step_that_does_not_fit_is_unprocessable(self, step: Any) -> None:
        with pytest.raises(errors.Invalid, match="the server rejected our request") as caught:
            patching.patched(PODS, pod(), json.dumps([step]).encode(), operations.JSON_PATCH)
        assert caught.value.code == 422

    @pytest.mark.parametrize("body", [b"{}", b"[1]", b"nonsense"])
    def test_a_body_that_is_no_json_patch(self, body: bytes) -> None:
        with pytest.raises(errors.BadRequest, match="error decoding patch"):
            patching.patched(PODS, pod(), body, operations.JSON_PATCH)

    def test_too_many_operations(self) -> None:
        step = {"op": "test", "path": "/kind", "value": "Pod"}
        body = json.dumps([step] * (patching.JSON_PATCH_LIMIT + 1)).encode()
        with pytest.raises(errors.RequestEntityTooLarge):
            patching.patched(PODS, pod(), body, operations.JSON_PATCH)


@pytest.mark.parametrize("kind", [operations.APPLY_PATCH, "text/plain", ""])
def test_other_patch_types_are_not_understood(kind: str) -> None:
    with pytest.raises(errors.UnsupportedMediaType):
        patching.patched(PODS, pod(), b"{}", kind)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=4),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from("abc"), inner, max_size=3)
    ),
    max_leaves=8,
)


@given(target=JSON, patch=st.dictionaries(st.sampled_from("abc"), JSON, max_size=3))
def test_a_merge_patch_is_idempotent(target: Any, patch: Any) -> None:
    once = patching.merged(target, patch)
    assert patching.merged(once, patch) == once


def _doubling(times: int) -> bytes:
    steps = [{"op": "copy", "from": "/data", "path": f"/data/x{n}"} for n in range(times)]
    return json.dumps(steps).encode()


def test_the_copies_of_a_json_patch_are_bounded() -> None:
    row = resources.built_in().get("configmaps")
    assert row is not None
    old = {"metadata": {"name": "a"}, "data": {"k": "v" * 100}}
    before = copy.deepcopy(old)
    made = patching.patched(row, old, _doubling(3), operations.JSON_PATCH)
    assert made["data"]["x2"]["x1"]["x0"] == {"k": "v" * 100}
    with pytest.raises(errors.Invalid):
        patching.patched(row, old, _doubling(26), operations.JSON_PATCH)
    assert old == before
