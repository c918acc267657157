"""FlowSchemas and PriorityLevelConfigurations: what is there from the start, and what is wrong."""

import copy

import pytest

from cluster.api import defaults, flowcontrol, printing, resources
from cluster.api.objects import Object
from cluster.api.validation import of_new, of_update

TABLE = resources.built_in()
SCHEMA = TABLE.get("flowschemas.flowcontrol.apiserver.k8s.io")
LEVEL = TABLE.get("prioritylevelconfigurations.flowcontrol.apiserver.k8s.io")
EVERY = [(SCHEMA, each) for each in flowcontrol.schemas()]
EVERY += [(LEVEL, each) for each in flowcontrol.levels()]


@pytest.mark.parametrize(
    ("row", "obj"), EVERY, ids=lambda x: x["metadata"]["name"] if isinstance(x, dict) else ""
)
def test_what_is_there_from_the_start_is_valid_and_complete(row, obj):
    before = copy.deepcopy(obj)
    defaults.apply(row, obj)
    assert obj == before
    assert of_new(row, obj) == []
    assert printing.of(row).cells(obj | {"metadata": {"name": "x", "creationTimestamp": None}}, 0.0)


def test_every_schema_names_a_level_that_is_there():
    levels = {each["metadata"]["name"] for each in flowcontrol.levels()}
    for each in flowcontrol.schemas():
        assert each["spec"]["priorityLevelConfiguration"]["name"] in levels


def schema(**spec) -> Object:
    rule = {
        "subjects": [{"kind": "User", "user": {"name": "a"}}],
        "nonResourceRules": [{"verbs": ["get"], "nonResourceURLs": ["/x"]}],
    }
    whole = {
        "priorityLevelConfiguration": {"name": "system"},
        "matchingPrecedence": 7,
        "rules": [rule],
    }
    return {"metadata": {"name": "mine"}, "spec": whole | spec}


def level(**limited) -> Object:
    queuing = {"queues": 8, "handSize": 2, "queueLengthLimit": 5}
    whole = {
        "nominalConcurrencyShares": 5,
        "limitResponse": {"type": "Queue", "queuing": queuing},
    }
    return {"metadata": {"name": "mine"}, "spec": {"type": "Limited", "limited": whole | limited}}


def queuing(**changed):
    found = {"queues": 8, "handSize": 2, "queueLengthLimit": 5} | changed
    return {"limitResponse": {"type": "Queue", "queuing": found}}


def rule(**changed):
    found = schema()["spec"]["rules"][0] | changed
    return {"rules": [found]}


def resource_rule(**changed):
    found = {"verbs": ["get"], "apiGroups": [""], "resources": ["pods"], "namespaces": ["x"]}
    return rule(resourceRules=[found | changed])


AT = "spec.rules[0]"


@pytest.mark.parametrize(
    ("row", "obj", "field", "message"),
    [
        (SCHEMA, schema(matchingPrecedence=1), "spec.matchingPrecedence",
         "Invalid value: 1: only the schema named 'exempt' may have matchingPrecedence 1"),
        (SCHEMA, schema(matchingPrecedence=10001), "spec.matchingPrecedence",
         "Invalid value: 10001: must not be greater than 10000"),
        (SCHEMA, schema(distinguisherMethod={"type": "ByName"}), "spec.distinguisherMethod.type",
         'Unsupported value: "ByName": supported values: "ByNamespace", "ByUser"'),
        (SCHEMA, schema(priorityLevelConfiguration={}), "spec.priorityLevelConfiguration.name",
         "Required value: must reference a priority level"),
        (SCHEMA, schema(**rule(subjects=[])), f"{AT}.subjects",
         "Required value: subjects must contain at least one value"),
        (SCHEMA, schema(**rule(nonResourceRules=[])), AT,
         "Required value: at least one of resourceRules and nonResourceRules has to be non-empty"),
        (SCHEMA, schema(**rule(subjects=[{"kind": "User", "user": {"name": "a"}, "group": {}}])),
         f"{AT}.subjects[0].group",
         "Forbidden: group is forbidden when subject kind is not 'Group'"),
        (SCHEMA, schema(**rule(subjects=[{"kind": "Pod"}])), f"{AT}.subjects[0].kind",
         'Unsupported value: "Pod": supported values: "Group", "ServiceAccount", "User"'),
        (SCHEMA, schema(**resource_rule(verbs=["get", "*"])), f"{AT}.resourceRules[0].verbs",
         "Invalid value: [\"get\",\"*\"]: if '*' is present, must not specify other verbs"),
        (SCHEMA, schema(**resource_rule(namespaces=[])), f"{AT}.resourceRules[0].namespaces",
         "Required value: resource rules that are not cluster scoped must supply at least one "
         "namespace"),
        (SCHEMA, schema(**rule(nonResourceRules=[{"verbs": ["get"], "nonResourceURLs": ["x"]}])),
         f"{AT}.nonResourceRules[0].nonResourceURLs[0]",
         'Invalid value: "x": must start with slash'),
        (LEVEL, level(nominalConcurrencyShares=-1), "spec.limited.nominalConcurrencyShares",
         "Invalid value: -1: must be a non-negative integer"),
        (LEVEL, level(lendablePercent=101), "spec.limited.lendablePercent",
         "Invalid value: 101: must be between 0 and 100, inclusive"),
        (LEVEL, level(borrowingLimitPercent=-1), "spec.limited.borrowingLimitPercent",
         "Invalid value: -1: if specified, must be a non-negative integer"),
        (LEVEL, level(limitResponse={"type": "Reject", "queuing": {}}),
         "spec.limited.limitResponse.queuing",
         "Forbidden: must be nil if limited.limitResponse.type is not Limited"),
        (LEVEL, level(**queuing(handSize=9)), "spec.limited.limitResponse.queuing.handSize",
         "Invalid value: 9: should not be greater than queues (8)"),
        (LEVEL, level(**queuing(queues=512, handSize=8)),
         "spec.limited.limitResponse.queuing.handSize",
         "Invalid value: 8: required entropy bits of deckSize 512 and handSize 8 should not be "
         "greater than 60"),
        (LEVEL, level() | {"metadata": {"name": "exempt"}}, "spec.type",
         "Invalid value: \"Limited\": type must be 'Exempt' if and only if name is 'exempt'"),
    ],
)  # fmt: skip
def test_what_is_wrong(row, obj, field, message):
    found = of_new(row, obj)
    assert [(cause.field, cause.message) for cause in found] == [(field, message)]


def test_what_is_right():
    assert of_new(SCHEMA, schema()) == []
    assert of_new(LEVEL, level()) == []


def test_the_mandatory_ones_cannot_be_changed():
    (catch_all,) = [
        each for each in flowcontrol.schemas() if each["metadata"]["name"] == "catch-all"
    ]
    changed = copy.deepcopy(catch_all)
    changed["spec"]["matchingPrecedence"] = 9000
    (cause,) = of_update(SCHEMA, catch_all, changed, "")
    assert cause.field == "spec"
    assert cause.message.endswith("spec of 'catch-all' must equal the fixed value")
    (limited,) = [each for each in flowcontrol.levels() if each["metadata"]["name"] == "catch-all"]
    changed = copy.deepcopy(limited)
    changed["spec"]["limited"]["nominalConcurrencyShares"] = 500
    (cause,) = of_update(LEVEL, limited, changed, "")
    assert cause.message.endswith("spec of 'catch-all' must equal the fixed value")


def test_defaults():
    obj = {"metadata": {"name": "x"}, "spec": {"type": "Limited", "limited": {}}}
    obj["spec"]["limited"]["limitResponse"] = {"type": "Queue", "queuing": {}}
    defaults.apply(LEVEL, obj)
    assert obj["spec"]["limited"] == {
        "nominalConcurrencyShares": 30,
        "lendablePercent": 0,
        "limitResponse": {
            "type": "Queue",
            "queuing": {"queues": 64, "handSize": 8, "queueLengthLimit": 50},
        },
    }
    obj = {"metadata": {"name": "x"}, "spec": {}}
    defaults.apply(SCHEMA, obj)
    assert obj["spec"]["matchingPrecedence"] == 1000


def test_rows_are_those_of_kubectl():
    (schema_,) = [each for each in flowcontrol.schemas() if each["metadata"]["name"] == "exempt"]
    cells = printing.of(SCHEMA).cells(schema_, 0.0)
    assert cells[:4] == ["exempt", "exempt", 1, "<none>"]
    assert cells[5] == "?"
    (level_,) = [each for each in flowcontrol.levels() if each["metadata"]["name"] == "system"]
    assert printing.of(LEVEL).cells(level_, 0.0)[:6] == ["system", "Limited", 30, 64, 6, 50]
    (level_,) = [each for each in flowcontrol.levels() if each["metadata"]["name"] == "exempt"]
    row = printing.of(LEVEL).cells(level_, 0.0)[:6]
    assert row == ["exempt", "Exempt", 0, "<none>", "<none>", "<none>"]
