import pytest
from hypothesis import given
from hypothesis import strategies as st

from cluster.api import errors, resources
from cluster.apiserver.rest import paths, reads

TABLE = resources.built_in()


@pytest.mark.parametrize(
    ("path", "resource", "namespace", "name", "subresource", "tail", "watch"),
    [
        ("/api/v1/pods", "pods", "", "", "", "", False),
        ("/api/v1/pods/", "pods", "", "", "", "", False),
        ("/api/v1/namespaces/a/pods", "pods", "a", "", "", "", False),
        ("/api/v1/namespaces/a/pods/b", "pods", "a", "b", "", "", False),
        ("/api/v1/namespaces/a/pods/b/log", "pods", "a", "b", "log", "", False),
        ("/api/v1/namespaces/a/pods/b/proxy/x/y", "pods", "a", "b", "proxy", "x/y", False),
        ("/api/v1/namespaces", "namespaces", "", "", "", "", False),
        ("/api/v1/namespaces/a", "namespaces", "", "a", "", "", False),
        ("/api/v1/namespaces/a/status", "namespaces", "", "a", "status", "", False),
        ("/api/v1/namespaces/a/finalize", "namespaces", "", "a", "finalize", "", False),
        ("/api/v1/nodes/n%31/status", "nodes", "", "n1", "status", "", False),
        ("/api/v1/watch/pods", "pods", "", "", "", "", True),
        ("/api/v1/watch/namespaces/a/pods/b", "pods", "a", "b", "", "", True),
        ("/apis/apps/v1/deployments", "deployments.apps", "", "", "", "", False),
        ("/apis/apps/v1/namespaces/a/deployments/b/scale",
         "deployments.apps", "a", "b", "scale", "", False),
    ],
)  # fmt: skip
def test_paths_name_targets(
    path: str, resource: str, namespace: str, name: str, subresource: str, tail: str, watch: bool
) -> None:
    found = paths.parse(path, TABLE)
    assert found is not None
    assert found == paths.Target(found.resource, namespace, name, subresource, tail, watch)
    assert found.resource.id == resource


@pytest.mark.parametrize(
    "path", ["/", "/api", "/api/v1", "/api/v1/", "/apis", "/apis/apps", "/apis/apps/v1", "/version"]
)
def test_other_paths_are_left_to_others(path: str) -> None:
    assert paths.parse(path, TABLE) is None


@pytest.mark.parametrize(
    "path",
    [
        "/api/v1/cats", "/api/v2/pods", "/apis/apps/v1beta1/deployments", "/api/v1/pods/b",
        "/api/v1/namespaces/a/nodes", "/api/v1/namespaces//pods", "/apis/x/v1/namespaces/a/b",
        "/api/v1/watch",
    ],
)  # fmt: skip
def test_nothing_is_served_elsewhere(path: str) -> None:
    with pytest.raises(errors.NotFound, match="could not find the requested resource"):
        paths.parse(path, TABLE)


def test_a_subresource_of_a_newer_kubernetes_is_not_found_as_there() -> None:
    path = "/api/v1/namespaces/a/pods/b/resize"
    reads.check_subresource(paths.parse(path, resources.built_in("1.33")), "patch")
    old = paths.parse(path, resources.built_in("1.30"))
    with pytest.raises(errors.NotFound, match="could not find the requested resource"):
        reads.check_subresource(old, "patch")


@given(
    st.lists(st.sampled_from(["", "api", "apis", "v1", "namespaces", "pods", "a", "%", "watch"]))
)
def test_no_path_is_a_fault(parts: list[str]) -> None:
    try:
        found = paths.parse("/" + "/".join(parts), TABLE)
    except errors.NotFound:
        return
    assert found is None or found.resource in list(TABLE)
