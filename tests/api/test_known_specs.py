"""What is made of a document by a spec that is known is what is made of it by walking."""

import copy
import itertools

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cluster.api import completion, decoding, defaults, errors, resources, walker

TABLE = resources.built_in()
_fresh = itertools.count()

amounts = st.sampled_from(["1", "0.5", "100m", "1.0", 1, 1.5, True, None])
container = st.fixed_dictionaries(
    {"name": st.sampled_from(["a", "b"])},
    optional={
        "image": st.sampled_from(["nginx", "nginx:1"]),
        "resources": st.fixed_dictionaries({"limits": st.dictionaries(
            st.sampled_from(["cpu", "memory"]), amounts)}),
        "ports": st.lists(st.fixed_dictionaries({"containerPort": st.sampled_from([80, "80", 1])})),
        "odd": st.just(1),
    },
)  # fmt: skip
pod_spec = st.fixed_dictionaries(
    {"containers": st.lists(container, max_size=2)},
    optional={
        "nodeName": st.sampled_from(["n", None, ""]),
        "terminationGracePeriodSeconds": st.sampled_from([1, 1.0, True, "1", 2**70]),
        "hostNetwork": st.booleans(),
        "nodeSelector": st.dictionaries(st.sampled_from(["x", "y"]), st.just("z")),
    },
)
labels = st.fixed_dictionaries({"labels": st.dictionaries(st.just("l"), st.just("m"))})
template = st.fixed_dictionaries({"spec": pod_spec}, optional={"metadata": labels})
specs = {
    "pods": pod_spec,
    "jobs.batch": st.fixed_dictionaries({"template": template}, optional={
        "completions": st.sampled_from([1, 2, None, "1"])}),
    "leases.coordination.k8s.io": st.fixed_dictionaries({}, optional={
        "renewTime": st.sampled_from(["2024-02-29T00:00:00Z", "2023-02-29T00:00:00Z"])}),
    "namespaces": st.just({"finalizers": ["kubernetes"]}),
}  # fmt: skip
documents = st.sampled_from(sorted(specs)).flatmap(
    lambda kind: st.tuples(
        st.just(kind),
        st.fixed_dictionaries({}, optional={
            "metadata": st.fixed_dictionaries({}, optional={
                "labels": st.dictionaries(st.just("a"), st.just("b")), "odd": st.just(1)}),
            "spec": specs[kind],
            "status": st.sampled_from([{}, {"phase": "Running"}, {"active": 1}, {"odd": 1}, 3]),
        }),
    )
)  # fmt: skip


def by_walking(row, document, validation):
    made, warnings = decoding.decoded(row, document, "1.37", validation)
    defaults.apply(row, made, "1.37")
    return made, warnings


def outcome(make, *given):
    try:
        made, warnings = make(*given)
        return msgspec.json.encode(made), warnings
    except errors.StatusError as error:
        return str(error.status())


@settings(max_examples=250)
@given(documents, st.sampled_from(["Ignore", "Warn", "Strict"]))
def test_a_known_spec_makes_what_a_new_one_makes(given_, validation):
    kind, document = given_
    row = TABLE.get(kind)

    def known(*args):
        return completion.completed(row, copy.deepcopy(document), "1.37", *args)

    wanted = outcome(by_walking, row, copy.deepcopy(document), validation)
    assert outcome(known, "Ignore") == outcome(by_walking, row, document, "Ignore")
    assert outcome(known, validation) == wanted
    assert outcome(known, validation) == wanted


def test_a_known_spec_is_walked_once_and_everybody_has_an_own_one(monkeypatch):
    row = TABLE.get("jobs.batch")
    spec = {"template": {"spec": {"nodeName": f"n{next(_fresh)}", "containers": []}}}
    walked = []
    real = walker.walk
    monkeypatch.setattr(
        walker, "walk", lambda node, doc, unknown: walked.append(doc) or real(node, doc, unknown)
    )
    first, _ = completion.completed(row, {"spec": spec}, "1.37", "Ignore")
    second, _ = completion.completed(row, {"spec": spec}, "1.37", "Ignore")
    assert [bool(document["spec"]) for document in walked] == [True, False]
    assert first == second
    second["spec"]["template"]["spec"]["nodeName"] = "changed"
    assert completion.completed(row, {"spec": spec}, "1.37", "Ignore")[0] == first


@pytest.mark.parametrize("micro", [False, True])
@given(st.from_regex(r"\d{4}-[01]\d-[0-3]\d[Tt ][012]\d:[0-6]\d:[0-6]\d(\.\d{1,9})?(Z|\+00:00)",
                     fullmatch=True))  # fmt: skip
def test_times_that_look_canonical_are(micro, text):
    def found(rewrite):
        try:
            return rewrite(text, micro)
        except walker.Malformed as error:
            return str(error)

    assert found(walker._canonical_time) == found(walker._rewritten_time)
