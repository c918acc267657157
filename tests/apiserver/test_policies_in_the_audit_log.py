"""What admission policies say of requests stands in the events of a whole server's audit log."""

import json

import policy_world as pw
from rest_world import MAPS, config_map
from test_rest_protection import rules, run

PATH = f"/apis/{pw.GROUP}/v1"


def test_failures_and_annotations_are_told(tmp_path):
    async def story(server):
        annotations = [{"key": "size", "valueExpression": "string(size(object.data))"}]
        policy = pw.policy("false", auditAnnotations=annotations)
        kind = "validatingadmissionpolicies"
        await server.call("POST", f"{PATH}/{kind}", policy)
        binding = pw.binding(actions=["Audit"])
        await server.call("POST", f"{PATH}/validatingadmissionpolicybindings", binding)
        answer = await server.call("POST", MAPS, config_map("x", a="b"))
        assert answer.status == 201, answer.text

    def after(events):
        (found,) = [
            event["annotations"]
            for event in events
            if event["stage"] == "ResponseComplete"
            and event["objectRef"]["resource"] == "configmaps"
        ]
        assert found["policy/size"] == "1"
        (failure,) = json.loads(found["validation.policy.admission.k8s.io/validation_failure"])
        assert failure["message"] == "failed expression: false"
        assert failure["validationActions"] == ["Audit"]

    run(story, tmp_path, rules({"level": "Metadata"}), after)
