"""The same workload under several RuntimeClasses, each in a lab of its own."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cluster.kubelet.config import Config
from cluster.lab.comparing import figures, trial, workload

NODES = [Config(f"node-{number}", cpu="1", memory="4Gi") for number in (1, 2)]


def deployment(replicas=3, **spec):
    labels = {"app": "web"}
    container = {"name": "web", "image": "nginx", "resources": {"requests": {"cpu": "100m"}}}
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "web", "namespace": "default"},
        "spec": {
            "replicas": replicas,
            "selector": {"matchLabels": labels},
            "template": {
                "metadata": {"labels": labels},
                "spec": {"containers": [container], **spec},
            },
        },
    }


def tried(name, *manifests, seed=1, nodes=NODES, **settings):
    return trial.run(trial.Setting(nodes, manifests or [deployment()], seed=seed, **settings), name)


def test_guests_take_longer_and_fewer_of_them_fit():
    vm, container = tried("vm"), tried("container")
    assert (vm.handler, container.handler) == ("vm", "container")
    assert vm.placed == vm.ready == container.ready == 3
    assert 15 < vm.startup.first <= vm.startup.all < 26
    assert container.startup.all < 0.3
    # 350m of 1 CPU each, and 105m.
    assert vm.density == figures.Density(2, 4)
    assert container.density == figures.Density(9, 18)
    assert vm.overhead == figures.Amounts(750, 3 << 30)
    assert vm.requested == figures.Amounts(1050, 3 << 30)
    assert vm.scaling.seconds > 15 > 1 > container.scaling.seconds


def test_replicas_that_may_run_on_one_node_alone_fit_there():
    here = {"kubernetes.io/hostname": "node-2"}
    assert tried("vm", deployment(nodeSelector=here)).density == figures.Density(2, 2)


def test_a_seed_gives_the_same_figures_again():
    once, again, other = tried("vm", seed=5), tried("vm", seed=5), tried("vm", seed=6)
    assert once.document() == again.document()
    assert once.startup != other.startup


def test_what_does_not_fit_is_told_with_the_schedulers_words():
    found = tried("vm", deployment(6))
    assert (found.pods, found.placed, found.pending) == (6, 4, 2)
    assert found.scaling == figures.Change(6, 4, None)
    assert found.recovery.seconds is None
    (why,) = found.problems
    assert why.startswith("2 of them: 0/2 nodes are available: 2 Insufficient cpu.")


def test_pods_come_up_elsewhere_when_their_node_dies():
    found = tried("container", deployment(3)).recovery
    assert found.ready == found.wanted == 3
    # 40 to 50 s until the node is known to be dead, and 300 s that its pods tolerate it.
    assert 330 < found.seconds < 400


def test_a_single_node_cannot_be_recovered_from():
    assert tried("container", nodes=NODES[:1]).recovery is None


def test_classes_of_the_manifests_and_no_class_at_all_are_tried_too():
    slow = {
        "apiVersion": "node.k8s.io/v1",
        "kind": "RuntimeClass",
        "metadata": {"name": "vm"},
        "handler": "container",
        "overhead": {"podFixed": {"cpu": "400m"}},
    }
    changed, none = tried("vm", slow, deployment(1)), tried("none", deployment(1))
    assert (changed.handler, changed.overhead.cpu) == ("container", 400)
    assert (none.handler, none.overhead) == ("", figures.Amounts())


def test_a_class_that_is_not_there_is_refused_with_those_that_are():
    with pytest.raises(trial.Unknown, match=r"no RuntimeClass gvisor: there are container, vm,"):
        tried("gvisor")


def test_a_manifest_that_the_cluster_refuses_is_told():
    with pytest.raises(trial.Refused, match=r'Deployment default/web: .* "Sometimes"'):
        tried("vm", deployment(restartPolicy="Sometimes"))


@pytest.mark.parametrize(
    ("kind", "spec"),
    [
        ("Pod", {"spec": {"containers": []}}),
        ("Job", {"spec": {"template": {"spec": {"containers": []}}}}),
        (
            "CronJob",
            {"spec": {"jobTemplate": {"spec": {"template": {"spec": {"containers": []}}}}}},
        ),
    ],
)
def test_every_kind_that_makes_pods_is_put_under_the_class(kind, spec):
    given = {"kind": kind, "metadata": {"name": "a"}, **spec}
    text = str(given)
    made = workload.under(given, "vm")
    assert str(made).count("'runtimeClassName': 'vm'") == 1
    assert str(given) == text
    assert workload.under(workload.under(made, "container"), "none") == given


@given(st.lists(st.floats(0, 1e6), min_size=1), st.integers(1, 100))
def test_a_percentile_is_a_value_that_enough_are_not_above(values, share):
    found = figures.percentile(values, share)
    assert found in values
    assert sum(one <= found for one in values) * 100 >= share * len(values)
    assert sum(one < found for one in values) * 100 < share * len(values)
