"""KubeSchedulerConfiguration files: what they come to, and what is said of those that are wrong."""

from typing import Any

import pytest
import yaml
from scheduling import NoBinder

from cluster.api import yaml_text
from cluster.scheduler.configuration import loading
from cluster.scheduler.framework.profile import Profile
from cluster.scheduler.nodes.cache import Cache
from cluster.scheduler.plugins import args, outside, registry
from cluster.scheduler.plugins.handle import Handle
from cluster.scheduler.plugins.interpodaffinity import InterPodAffinityArgs
from cluster.scheduler.plugins.spreadconstraints import PodTopologySpreadArgs

HEAD = "apiVersion: kubescheduler.config.k8s.io/v1\nkind: KubeSchedulerConfiguration\n"


def known(name: str) -> str:
    return "" if name in registry.BUILT_IN else outside.missing(name)


def loaded(text: str) -> loading.Loaded:
    return loading.load(HEAD + text, known)


def of_plugins(plugins: Any, config: Any = ()) -> str:
    profile = {"plugins": plugins, "pluginConfig": list(config)}
    return yaml.safe_dump({"profiles": [profile]})


def built(text: str) -> list[Profile]:
    return list(registry.profiles(loaded(text).profiles, Handle(Cache(), NoBinder())))


def complaint(text: str) -> str:
    with pytest.raises(loading.Invalid) as caught:
        loaded(text)
    return str(caught.value)


def names(plugins: Any) -> list[str]:
    return [plugin.name for plugin in plugins]


def test_an_empty_configuration_is_the_default_one():
    (profile,) = built("")
    assert profile.scheduler_name == "default-scheduler"
    assert profile.weights == {
        "TaintToleration": 3, "NodeAffinity": 2, "NodeResourcesFit": 1, "PodTopologySpread": 2,
        "InterPodAffinity": 2, "NodeResourcesBalancedAllocation": 1, "ImageLocality": 1,
    }  # fmt: skip
    found = loaded("")
    assert (found.initial_backoff, found.maximum_backoff) == (1.0, 10.0)
    assert found.leader_elect is None
    assert found.notes == ()


def test_settings_beside_the_profiles_are_read():
    found = loaded(
        "podInitialBackoffSeconds: 2\npodMaxBackoffSeconds: 60\n"
        "leaderElection: {resourceName: mine, leaseDuration: 1m}\n"
        "clientConnection: {kubeconfig: /etc/x.conf, qps: 50.5}\n"
        "percentageOfNodesToScore: 30\nparallelism: 8\nenableProfiling: true\n"
    )
    assert (found.initial_backoff, found.maximum_backoff) == (2.0, 60.0)
    assert (found.leader_elect, found.lease_name, found.lease_duration) == (True, "mine", 60.0)
    assert found.kubeconfig == "/etc/x.conf"
    assert "percentageOfNodesToScore has no effect: every node is judged" in found.notes
    assert len(found.notes) == 4


def test_the_arguments_of_every_plugin_reach_it():
    terms = {"nodeSelectorTerms": [{"matchExpressions": [{"key": "a", "operator": "Exists"}]}]}
    added = {"requiredDuringSchedulingIgnoredDuringExecution": terms}
    spread = {"maxSkew": 1, "topologyKey": "zone", "whenUnsatisfiable": "ScheduleAnyway"}
    given = {
        "NodeResourcesFit": {
            "ignoredResources": ["example.com/foo"],
            "scoringStrategy": {
                "type": "RequestedToCapacityRatio",
                "resources": [{"name": "cpu", "weight": 3}, {"name": "memory"}],
                "requestedToCapacityRatio": {
                    "shape": [{"utilization": 0, "score": 0}, {"utilization": 100, "score": 10}]
                },
            },
        },
        "NodeAffinity": {"addedAffinity": added},
        "PodTopologySpread": {"defaultingType": "List", "defaultConstraints": [spread]},
        "InterPodAffinity": {"hardPodAffinityWeight": 0},
        "DefaultPreemption": {"minCandidateNodesAbsolute": 5},
        "VolumeBinding": {"bindTimeoutSeconds": 7},
        "NodeResourcesBalancedAllocation": {"resources": [{"name": "cpu"}]},
        "Elsewhere": {"any": ["thing"]},
    }
    listed = [{"name": name, "args": value} for name, value in given.items()]
    found = loaded(of_plugins({}, listed)).profiles[0].args
    shape = (args.UtilizationShapePoint(0, 0), args.UtilizationShapePoint(100, 10))
    assert found == {
        "NodeResourcesFit": args.NodeResourcesFitArgs(
            ignored_resources=("example.com/foo",),
            scoring_strategy=args.ScoringStrategy(
                "RequestedToCapacityRatio",
                (args.ResourceSpec("cpu", 3), args.ResourceSpec("memory", 1)),
                args.RequestedToCapacityRatioParam(shape),
            ),
        ),
        "NodeAffinity": args.NodeAffinityArgs(added),
        "PodTopologySpread": PodTopologySpreadArgs((spread,), "List"),
        "InterPodAffinity": InterPodAffinityArgs(0, False),
        "DefaultPreemption": args.DefaultPreemptionArgs(10, 5),
        "VolumeBinding": 7.0,
        "NodeResourcesBalancedAllocation": args.NodeResourcesBalancedAllocationArgs(
            (args.ResourceSpec("cpu", 1),)
        ),
        "Elsewhere": {"any": ["thing"]},
    }
    assert len(built(of_plugins({}, [one for one in listed if one["name"] != "Elsewhere"]))) == 1


@pytest.mark.parametrize(
    ("plugins", "weights"),
    [
        ({"score": {"disabled": [{"name": "*"}], "enabled": [{"name": "ImageLocality"}]}},
         {"ImageLocality": 1}),
        ({"multiPoint": {"disabled": [{"name": "TaintToleration"}, {"name": "NodeAffinity"}]},
          "score": {"disabled": [{"name": "PodTopologySpread"}, {"name": "InterPodAffinity"}]}},
         {"NodeResourcesFit": 1, "NodeResourcesBalancedAllocation": 1, "ImageLocality": 1}),
        ({"multiPoint": {"disabled": [{"name": "*"}],
                         "enabled": [{"name": "PrioritySort"}, {"name": "DefaultBinder"},
                                     {"name": "NodeResourcesFit", "weight": 7}]}},
         {"NodeResourcesFit": 7}),
        ({"multiPoint": {"disabled": [{"name": "*"}],
                         "enabled": [{"name": "PrioritySort"}, {"name": "DefaultBinder"},
                                     {"name": "NodeResourcesFit", "weight": 7}]},
          "score": {"enabled": [{"name": "NodeResourcesFit", "weight": 2}]}},
         {"NodeResourcesFit": 2}),
    ],
)  # fmt: skip
def test_plugins_are_disabled_enabled_and_weighed(plugins: Any, weights: dict[str, int]):
    (profile,) = built(of_plugins(plugins))
    assert profile.weights == weights


def test_a_plugin_can_be_disabled_at_one_point_and_stay_at_others():
    (profile,) = built(of_plugins({"filter": {"disabled": [{"name": "TaintToleration"}]}}))
    assert "TaintToleration" not in names(profile.filters)
    assert "TaintToleration" in names(profile.scores)


def test_plugins_of_a_point_come_where_kubernetes_puts_them():
    (profile,) = built(
        of_plugins({"score": {"enabled": [{"name": "ImageLocality"}, {"name": "NodeAffinity"}]}})
    )
    assert names(profile.scores)[:3] == ["ImageLocality", "NodeAffinity", "TaintToleration"]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("profiles: [{schedulerName: a}, {}]", "profiles[1].schedulerName: Required value"),
        ("profiles: [{schedulerName: a}, {schedulerName: a}]",
         'profiles[1].schedulerName: Duplicate value: "profiles[0].schedulerName"'),
        ("parallelism: 0",
         "parallelism: Invalid value: 0: should be an integer value greater than zero"),
        ("percentageOfNodesToScore: 101",
         "percentageOfNodesToScore: Invalid value: 101: not in valid range [0-100]"),
        ("profiles: [{percentageOfNodesToScore: -1}]",
         "profiles[0].percentageOfNodesToScore: Invalid value: -1: not in valid range [0-100]"),
        ("podInitialBackoffSeconds: 0",
         "podInitialBackoffSeconds: Invalid value: 0: must be greater than 0"),
        ("podInitialBackoffSeconds: 5\npodMaxBackoffSeconds: 4",
         "podMaxBackoffSeconds: Invalid value: 4: must be greater than or equal to "
         "PodInitialBackoffSeconds"),
        ("clientConnection: {burst: -1}",
         "clientConnection.burst: Invalid value: -1: must be non-negative"),
        ("leaderElection: {leaseDuration: 1s, renewDeadline: 2s}",
         'leaderElection.leaseDuration: Invalid value: "2s": LeaseDuration must be greater than '
         "RenewDeadline"),
        ("leaderElection: {resourceLock: endpoints}",
         'leaderElection.resourceLock: Invalid value: "endpoints": resourceLock value must be '
         '"leases"'),
        (of_plugins({"score": {"enabled": [{"name": "EBSLimits"}]}}),
         'profiles[0].plugins.score.enabled[0]: Invalid value: "EBSLimits": was invalid in version '
         '"kubescheduler.config.k8s.io/v1" (KubeSchedulerConfiguration is version '
         '"kubescheduler.config.k8s.io/v1")'),
        (of_plugins({"filter": {"enabled": [{"name": "Nope"}]}}),
         'profiles[0].plugins.filter.enabled[0]: Not found: "Nope": no installed package offers it '
         "(entry point group kubemu.scheduler.plugins)"),
        (of_plugins({"filter": {"enabled": [{"name": "NodeName"}, {"name": "NodeName"}]}}),
         'profiles[0].plugins.filter.enabled[1]: Duplicate value: "NodeName"'),
        (of_plugins({}, [{"name": "X"}, {"name": "X"}]),
         'profiles[0].pluginConfig[1]: Duplicate value: "X"'),
        (of_plugins({"queueSort": {"enabled": [{"name": "PrioritySort"}, {"name": "NodeName"}]}}),
         "profiles[0].plugins.queueSort.Enabled: Invalid value: 2: only one queue sort plugin can "
         "be enabled"),
        (yaml.safe_dump({"profiles": [
            {"schedulerName": "a"},
            {"schedulerName": "b", "plugins": {
                "queueSort": {"disabled": [{"name": "*"}], "enabled": [{"name": "PrioritySort"}]}
            }},
        ]}),
         'profiles[1].plugins.queueSort: Invalid value: {"disabled":[{"name":"*"}],"enabled":'
         '[{"name":"PrioritySort"}]}: must be the same for all profiles'),
        ("extenders: [{urlPrefix: http://x}]",
         "extenders: Forbidden: extenders are not called by this scheduler yet; write a plugin in "
         "Python instead (docs/scheduler-plugins.md)"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_said_in_kubernetes_words(text: str, said: str):
    assert complaint(text) == said


ARGS = "profiles[0].pluginConfig[0].args"


@pytest.mark.parametrize(
    ("plugin", "given", "said"),
    [
        ("DefaultPreemption", {"minCandidateNodesPercentage": 0, "minCandidateNodesAbsolute": 0},
         f"{ARGS}.minCandidateNodesPercentage: Invalid value: 0: cannot be zero at the same time "
         f"as minCandidateNodesAbsolute\n{ARGS}.minCandidateNodesAbsolute: Invalid value: 0: "
         "cannot be zero at the same time as minCandidateNodesPercentage"),
        ("InterPodAffinity", {"hardPodAffinityWeight": 101},
         f"{ARGS}.hardPodAffinityWeight: Invalid value: 101: not in valid range [0, 100]"),
        ("NodeResourcesBalancedAllocation",
         {"resources": [{"name": "cpu", "weight": 2}, {"name": "cpu"}]},
         f"{ARGS}.resources[0].weight: Invalid value: 2: must be 1\n"
         f'{ARGS}.resources[1].name: Duplicate value: "cpu"'),
        ("NodeResourcesFit", {"scoringStrategy": {"type": "Best"}},
         f'{ARGS}.scoringStrategy.type: Unsupported value: "Best": supported values: '
         '"LeastAllocated", "MostAllocated", "RequestedToCapacityRatio"'),
        ("NodeResourcesFit", {"scoringStrategy": {"type": "RequestedToCapacityRatio"}},
         f"{ARGS}.scoringStrategy.requestedToCapacityRatio: Required value: must be specified when "
         "type is RequestedToCapacityRatio"),
        ("NodeResourcesFit", {"ignoredResourceGroups": ["a/b"]},
         f'{ARGS}.ignoredResourceGroups[0]: Invalid value: "a/b": resource group name can\'t '
         "contain '/'"),
        ("PodTopologySpread", {"defaultConstraints": [
            {"maxSkew": 1, "topologyKey": "z", "whenUnsatisfiable": "ScheduleAnyway"}]},
         f'{ARGS}.defaultingType: Invalid value: "System": when .defaultConstraints are not empty'),
        ("PodTopologySpread", {"defaultingType": "List", "defaultConstraints": [
            {"maxSkew": 0, "topologyKey": "z", "whenUnsatisfiable": "Later"}]},
         f"{ARGS}.defaultConstraints[0].maxSkew: Invalid value: 0: not in valid range (0, inf)\n"
         f'{ARGS}.defaultConstraints[0].whenUnsatisfiable: Unsupported value: "Later": supported '
         'values: "DoNotSchedule", "ScheduleAnyway"'),
        ("VolumeBinding", {"bindTimeoutSeconds": -1},
         f"{ARGS}.bindTimeoutSeconds: Invalid value: -1: invalid BindTimeoutSeconds, should not be "
         "a negative value"),
        ("NodeAffinity", {"addedAffinity": {
            "requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": []}}},
         f"{ARGS}.addedAffinity.requiredDuringSchedulingIgnoredDuringExecution.nodeSelectorTerms: "
         "Required value: must have at least one node selector term"),
    ],
)  # fmt: skip
def test_wrong_arguments_are_said_in_kubernetes_words(plugin: str, given: Any, said: str):
    assert complaint(of_plugins({}, [{"name": plugin, "args": given}])) == said


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("profile: []\nparalelism: 2",
         'strict decoding error: unknown field "profile", unknown field "paralelism"'),
        ("profiles: [{plugins: {filters: {}}}]",
         'strict decoding error: unknown field "profiles[0].plugins.filters"'),
        (of_plugins({}, [{"name": "NodeResourcesFit", "args": {"strategy": 1}}]),
         "decoding .profiles[0].pluginConfig[0]: decoding args for plugin NodeResourcesFit: strict "
         'decoding error: unknown field "strategy"'),
        (of_plugins({}, [{"name": "NodeAffinity", "args": {"addedAffinity": {"x": 1}}}]),
         "decoding .profiles[0].pluginConfig[0]: decoding args for plugin NodeAffinity: strict "
         'decoding error: unknown field "addedAffinity.x"'),
        (of_plugins({}, [{"name": "NodeAffinity", "args": {"kind": "Other"}}]),
         "args for plugin NodeAffinity were not of type NodeAffinityArgs.kubescheduler.config"
         ".k8s.io, got Other.kubescheduler.config.k8s.io"),
        ("parallelism: many",
         "json: cannot unmarshal string into Go struct field "
         "KubeSchedulerConfiguration.parallelism of type int32"),
        ("parallelism: 99999999999",
         "json: cannot unmarshal number 99999999999 into Go struct field "
         "KubeSchedulerConfiguration.parallelism of type int32"),
        ("profiles: 7",
         "json: cannot unmarshal number into Go struct field "
         "KubeSchedulerConfiguration.profiles of type []v1.KubeSchedulerProfile"),
        ("leaderElection: {leaderElect: false, retryPeriod: soon}",
         'leaderElection.retryPeriod: Invalid value: "soon": time: invalid duration "soon"'),
    ],
)  # fmt: skip
def test_decoding_is_strict(text: str, said: str):
    assert complaint(text) == said


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        "just words",
        "{apiVersion: v1, kind: Pod}",
        "{apiVersion: kubescheduler.config.k8s.io/v1beta3, kind: KubeSchedulerConfiguration}",
        "{apiVersion: kubescheduler.config.k8s.io/v1}",
        "a: [",
        "a: 1\na: 2",
        "? [a]\n: b",
        "\x00",
        "{" * 2000,
        "[" * 200 + "]" * 200,
        "a: &a [1,1,1,1,1,1,1,1,1,1]\nb: &b [*a,*a,*a,*a,*a,*a,*a,*a,*a,*a]\n"
        "c: &c [*b,*b,*b,*b,*b,*b,*b,*b,*b,*b]\nd: &d [*c,*c,*c,*c,*c,*c,*c,*c,*c,*c]\n"
        "e: [*d,*d,*d,*d,*d,*d,*d,*d,*d,*d]",
        "a: &a [*a]",
        "- x\n" * 200_000,
        "x" * (yaml_text.LARGEST + 1),
        "a: !!python/object/apply:os.system [ls]",
        "--- a\n--- b",
    ],
)
def test_hostile_texts_are_refused_and_nothing_else(text: str):
    with pytest.raises(loading.Invalid):
        loading.load(text, known)


def test_a_plugin_that_does_not_have_the_point_is_refused_when_it_is_built():
    with pytest.raises(outside.Unusable, match='"NodeName" does not extend ScorePlugin plugin'):
        built(of_plugins({"score": {"enabled": [{"name": "NodeName"}]}}))


def test_a_profile_that_binds_nothing_is_refused():
    with pytest.raises(ValueError, match="needs a plugin that binds"):
        built(of_plugins({"bind": {"disabled": [{"name": "*"}]}}))
