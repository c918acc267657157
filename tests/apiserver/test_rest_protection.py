"""The REST face protected: audit events, fairness, figures, and the pages beside the API."""

import asyncio
import contextlib
import json
from random import Random

import aiohttp
import jwt
import pytest
import structlog
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from rest_world import MAPS, Answer, StillClock, config_map, pod

from cluster.aio import tasks
from cluster.api import identity
from cluster.api.tokens import keys
from cluster.apiserver.audit import events as audit_events
from cluster.apiserver.audit.policy import read
from cluster.apiserver.audit.settings import Settings as AuditSettings
from cluster.apiserver.authn.serviceaccounts import ISSUER, Settings
from cluster.apiserver.component import ApiServer
from cluster.apiserver.config import Config
from cluster.apiserver.fairness.settings import Settings as Fairness
from cluster.storage.memory import MemoryStorage

KEY = keys.signing_key(
    ec.derive_private_key(77, ec.SECP256R1()).private_bytes(
        Encoding.PEM, PrivateFormat.TraditionalOpenSSL, NoEncryption()
    )
)
USERS = {
    "root": identity.User("root", (identity.MASTERS,)),
    "jane": identity.User("jane", ("devs",), "7"),
}


class Server:
    def __init__(self, part, session, lines, group):
        self.part = part
        self.group = group
        self.session = session
        self.lines = lines

    async def call(self, method, path, body=None, token="root", **headers):
        sent = {name.replace("_", "-"): value for name, value in headers.items()}
        if token:
            sent["Authorization"] = f"Bearer {token}"
        data = None if body is None else json.dumps(body).encode()
        if data is not None:
            sent.setdefault("Content-Type", "application/json")
        url = f"http://127.0.0.1:{self.part.port}{path}"
        async with self.session.request(method, url, data=data, headers=sent) as response:
            return Answer(response.status, response.headers, await response.text())

    async def get(self, path, **more):
        return await self.call("GET", path, **more)

    def events(self):
        """What has been written to the audit log so far."""
        return [json.loads(line) for line in self.lines.read_text().splitlines()]


@contextlib.asynccontextmanager
async def serving(tmp_path, rules=None, **settings):
    lines = tmp_path / "audit.log"
    audit = None
    if rules is not None:
        policy = {"apiVersion": "audit.k8s.io/v1", "kind": "Policy", **rules}
        audit = AuditSettings(read(policy), str(lines))
    settings = {"authorization": ("RBAC",)} | settings
    config = Config(
        port=0, grpc_address="", tokens=USERS, audit=audit,
        service_accounts=Settings(signing=KEY), **settings,
    )  # fmt: skip
    part = ApiServer(config, storage=MemoryStorage(), clock=StillClock(), random=Random("x"))
    serve = asyncio.get_running_loop().create_task(part.run())
    try:
        async with (
            asyncio.timeout(30),
            aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as session,
            tasks.Group("test") as group,
        ):
            await part.ready.wait()
            yield Server(part, session, lines, group)
    finally:
        serve.cancel()
        await asyncio.gather(serve, return_exceptions=True)


def run(story, tmp_path, rules=None, after=None, **settings):
    async def main():
        async with serving(tmp_path, rules, **settings) as server:
            await story(server)
        if after is not None:
            after(server.events())

    asyncio.run(main())


def rules(*found, **more):
    return {"rules": list(found), **more}


def test_every_answer_has_an_audit_id_and_tells_flow_and_level(tmp_path):
    async def story(server):
        first, second = await server.get(MAPS), await server.get(MAPS)
        assert first.headers["Audit-ID"] != second.headers["Audit-ID"]
        assert len(first.headers["Audit-ID"]) == 36
        schema = (await server.get(f"{FLOW}/flowschemas/exempt")).json
        assert first.headers["X-Kubernetes-PF-FlowSchema-UID"] == schema["metadata"]["uid"]
        level = (await server.get(f"{FLOW}/prioritylevelconfigurations/exempt")).json
        assert first.headers["X-Kubernetes-PF-PriorityLevel-UID"] == level["metadata"]["uid"]
        own = await server.get(MAPS, Audit_ID="mine")
        assert own.headers["Audit-ID"] == "mine"
        long = await server.get(MAPS, Audit_ID="x" * 100)
        assert long.headers["Audit-ID"] == "x" * 64
        refused = await server.get(MAPS, token="nobody")
        assert refused.status == 401
        assert refused.headers["Audit-ID"]

    run(story, tmp_path)


FLOW = "/apis/flowcontrol.apiserver.k8s.io/v1"


def test_audit_tells_a_create_with_both_objects(tmp_path):
    async def story(server):
        made = await server.call("POST", MAPS, config_map("one"), User_Agent="test/1")
        assert made.status == 201

    def after(events):
        received, complete = events
        assert received["stage"] == "RequestReceived"
        assert complete["stage"] == "ResponseComplete"
        assert received["auditID"] == complete["auditID"]
        assert complete["kind"] == "Event"
        assert complete["apiVersion"] == "audit.k8s.io/v1"
        assert complete["level"] == "RequestResponse"
        assert complete["verb"] == "create"
        assert complete["requestURI"] == MAPS
        assert complete["user"]["username"] == "root"
        assert complete["userAgent"] == "test/1"
        assert complete["sourceIPs"] == ["127.0.0.1"]
        assert complete["objectRef"] == {
            "resource": "configmaps", "namespace": "default", "name": "one", "apiVersion": "v1",
        }  # fmt: skip
        assert complete["responseStatus"] == {"metadata": {}, "code": 201}
        assert complete["requestObject"]["metadata"]["name"] == "one"
        assert complete["responseObject"]["metadata"]["uid"]
        assert complete["annotations"]["authorization.k8s.io/decision"] == "allow"
        assert "requestObject" not in received

    wanted = rules(
        {"level": "RequestResponse", "resources": [{"group": "", "resources": ["configmaps"]}]}
    )
    run(story, tmp_path, wanted, after)


def test_audit_names_objects_as_they_were_sent(tmp_path):
    """kube-apiserver's LogRequestObject: the path first, then metadata of the request's object."""

    async def story(server):
        made = await server.call("POST", MAPS, {"metadata": {"generateName": "x-"}})
        name = made.json["metadata"]["name"]
        await server.call("PUT", f"{MAPS}/{name}", made.json)
        await server.call("POST", MAPS, config_map(name))
        await server.call("POST", MAPS, config_map("late"), token="jane")
        await server.call("POST", MAPS, ["no object"])
        # What is JSON is YAML as well.
        await server.call("POST", MAPS, config_map("written"), Content_Type="application/yaml")
        await server.call("DELETE", f"{MAPS}/{name}")
        known.update(made.json["metadata"])

    def after(events):
        told = [
            {key: event["objectRef"].get(key) for key in ("name", "uid", "resourceVersion")}
            for event in events
        ]
        name = {"name": known["name"]}
        sent = {"uid": known["uid"], "resourceVersion": known["resourceVersion"]}
        assert [{key: value for key, value in each.items() if value} for each in told] == [
            {}, name | sent, name, {}, {}, {"name": "written"}, name,
        ]  # fmt: skip

    known = {}
    wanted = rules({"level": "Metadata"}, omitStages=["RequestReceived"])
    run(story, tmp_path, wanted, after)


def test_a_fault_of_audit_is_logged_and_the_answer_goes_out(tmp_path, monkeypatch):
    def event(*_given):
        raise ValueError("no event")

    async def story(server):
        monkeypatch.setattr(audit_events, "event", event)
        for _ in range(2):
            assert (await server.call("GET", MAPS)).status == 200

    with structlog.testing.capture_logs() as logs:
        run(story, tmp_path, rules({"level": "Metadata"}, omitStages=["RequestReceived"]))
    assert [str(log.get("exc_info")) for log in logs if log["log_level"] == "error"] == [
        "no event"
    ] * 2


def test_audit_tells_refusals_strangers_and_who_acts_as_whom(tmp_path):
    async def story(server):
        assert (await server.get(MAPS, token="jane")).status == 403
        assert (await server.get(MAPS, token="nobody")).status == 401
        await server.get(MAPS, Impersonate_User="jane")

    def after(events):
        forbidden, unknown, acted = events
        assert forbidden["responseStatus"]["code"] == 403
        assert forbidden["responseStatus"]["reason"] == "Forbidden"
        assert forbidden["annotations"]["authorization.k8s.io/decision"] == "forbid"
        assert forbidden["user"] == {
            "username": "jane", "uid": "7", "groups": ["devs", "system:authenticated"],
        }  # fmt: skip
        assert unknown["user"] == {}
        assert unknown["responseStatus"]["code"] == 401
        assert acted["user"]["username"] == "root"
        assert acted["impersonatedUser"]["username"] == "jane"

    run(story, tmp_path, rules({"level": "Metadata"}, omitStages=["RequestReceived"]), after)


def test_audit_of_a_watch_has_a_start_and_an_end(tmp_path):
    async def story(server):
        await server.get(f"{MAPS}?watch=1&timeoutSeconds=1")

    def after(events):
        assert [event["stage"] for event in events] == [
            "RequestReceived", "ResponseStarted", "ResponseComplete",
        ]  # fmt: skip
        assert {event["verb"] for event in events} == {"watch"}

    run(story, tmp_path, rules({"level": "Metadata", "verbs": ["watch"]}), after)


def test_managed_fields_can_be_left_out(tmp_path):
    async def story(server):
        await server.call("POST", MAPS, config_map("one"))
        await server.get(MAPS)

    def after(events):
        made, listed = events
        assert "managedFields" not in made["responseObject"]["metadata"]
        assert all("managedFields" not in i["metadata"] for i in listed["responseObject"]["items"])

    wanted = rules(
        {"level": "RequestResponse", "namespaces": ["default"]},
        omitStages=["RequestReceived"], omitManagedFields=True,
    )  # fmt: skip
    run(story, tmp_path, wanted, after)


def test_metrics_tell_what_was_asked(tmp_path):
    async def story(server):
        await server.call("POST", MAPS, config_map("one"))
        await server.get(f"{MAPS}/none")
        text = (await server.get("/metrics")).text
        kind = 'component="apiserver",group="",resource="configmaps"'
        assert f'apiserver_request_total{{code="201",{kind}' in text
        assert f'apiserver_request_total{{code="404",{kind}' in text
        assert 'apiserver_request_duration_seconds_bucket{component="apiserver"' in text
        assert 'apiserver_storage_objects{resource="configmaps"} 1.0' in text
        assert 'apiserver_current_inflight_requests{request_kind="readOnly"} 1.0' in text
        assert "process_resident_memory_bytes" in text
        dispatched = "apiserver_flowcontrol_dispatched_requests_total"
        assert f'{dispatched}{{flow_schema="exempt",priority_level="exempt"}}' in text
        assert (await server.get("/metrics", token="jane")).status == 403

    run(story, tmp_path)


def test_others_can_verify_tokens_by_what_is_published(tmp_path):
    async def story(server):
        found = await server.get("/.well-known/openid-configuration")
        assert found.headers["Content-Type"] == "application/json"
        assert found.json == {
            "issuer": ISSUER,
            "jwks_uri": f"{ISSUER}/openid/v1/jwks",
            "response_types_supported": ["id_token"],
            "subject_types_supported": ["public"],
            "id_token_signing_alg_values_supported": ["ES256"],
        }
        published = await server.get("/openid/v1/jwks")
        assert published.headers["Content-Type"] == "application/jwk-set+json"
        path = "/api/v1/namespaces/default/serviceaccounts/default/token"
        answer = await server.call("POST", path, {"spec": {"audiences": ["vault"]}})
        assert answer.status == 201
        token = answer.json["status"]["token"]
        key = jwt.PyJWKSet.from_dict(published.json)[jwt.get_unverified_header(token)["kid"]]
        said = jwt.decode(
            token, key.key, algorithms=["ES256"], audience="vault", options={"verify_exp": False,
            "verify_iat": False, "verify_nbf": False},
        )  # fmt: skip
        assert said["sub"] == "system:serviceaccount:default:default"

    run(story, tmp_path)


def test_nobody_in_particular_may_know_little(tmp_path):
    async def story(server):
        refused = await server.get(MAPS, token="")
        assert refused.status == 403
        assert 'User "system:anonymous" cannot list' in refused.json["message"]
        assert (await server.get("/version", token="")).status == 200
        assert (await server.get("/readyz", token="")).status == 200

    run(story, tmp_path)


def test_nobody_is_unauthorized_where_anonymous_may_not_ask(tmp_path):
    async def story(server):
        assert (await server.get(MAPS, token="")).status == 401

    run(story, tmp_path, anonymous=False)


def test_nobody_is_unauthorized_where_all_is_allowed(tmp_path):
    async def story(server):
        assert (await server.get(MAPS, token="")).status == 401

    run(story, tmp_path, authorization=("AlwaysAllow",))


def test_readiness_asks_the_store(tmp_path):
    async def story(server):
        verbose = await server.get("/readyz?verbose")
        assert "[+]etcd ok" in verbose.text
        assert "[+]poststarthook/rbac/bootstrap-roles ok" in verbose.text

        async def silent():
            await asyncio.sleep(60)

        server.part._storage.check = silent
        assert (await server.get("/readyz/etcd")).status == 500
        assert (await server.get("/readyz?exclude=etcd")).status == 200

    run(story, tmp_path)


SLOW = 0.05


def slow_writes(server):
    """Each commit takes its time, so that requests overlap."""
    store = server.part._storage
    write = store.write

    async def slow(changes):
        await asyncio.sleep(SLOW)
        return await write(changes)

    store.write = slow


@pytest.mark.parametrize("enabled", [True, False])
def test_too_many_are_told_to_come_again(tmp_path, enabled):
    async def story(server):
        await allow_jane(server)
        slow_writes(server)
        asked = [server.call("POST", MAPS, config_map(f"m{n}"), token="jane") for n in range(400)]
        found = await asyncio.gather(*asked)
        refused = [each for each in found if each.status == 429]
        assert {each.status for each in found} == {201, 429}
        (retry,) = {each.headers["Retry-After"] for each in refused}
        assert retry == "1"
        assert refused[0].json["reason"] == "TooManyRequests"
        assert refused[0].json["message"] == "Too many requests, please try again later."
        metrics = (await server.get("/metrics")).text
        if enabled:
            reason = (
                'flow_schema="global-default",priority_level="global-default",reason="queue-full"'
            )
            assert f"apiserver_flowcontrol_rejected_requests_total{{{reason}}}" in metrics

    run(story, tmp_path, fairness=Fairness(enabled, 5, 5))


async def allow_jane(server):
    binding = {
        "metadata": {"name": "all"},
        "roleRef": {"kind": "ClusterRole", "name": "cluster-admin",
                    "apiGroup": "rbac.authorization.k8s.io"},
        "subjects": [{"kind": "User", "name": "jane", "apiGroup": "rbac.authorization.k8s.io"},
                     {"kind": "ServiceAccount", "namespace": "default", "name": "default"}],
    }  # fmt: skip
    path = "/apis/rbac.authorization.k8s.io/v1/clusterrolebindings"
    assert (await server.call("POST", path, binding)).status == 201


def test_a_flood_of_one_user_leaves_room_for_another(tmp_path):
    async def story(server):
        await allow_jane(server)
        path = "/api/v1/namespaces/default/serviceaccounts/default/token"
        token = (await server.call("POST", path, {})).json["status"]["token"]
        slow_writes(server)
        flood = [
            server.group.spawn(server.call("POST", MAPS, config_map(f"m{n}"), token="jane"), "f")
            for n in range(150)
        ]
        await asyncio.sleep(SLOW / 2)
        mine = await server.get("/api/v1/namespaces/default", token=token)
        assert mine.status == 200
        assert sum(each.done() for each in flood) < len(flood) / 2
        await asyncio.gather(*flood)

    run(story, tmp_path, fairness=Fairness(True, 20, 10))


def test_watches_keep_no_seat(tmp_path):
    async def story(server):
        await allow_jane(server)
        watches = [
            server.group.spawn(server.get(f"{MAPS}?watch=1&timeoutSeconds=2", token="jane"), "w")
            for _ in range(30)
        ]
        await asyncio.sleep(0.3)
        assert (await server.get(MAPS, token="jane")).status == 200
        assert [(await each).status for each in watches] == [200] * 30

    run(story, tmp_path, fairness=Fairness(True, 3, 3))


def test_a_level_that_somebody_makes_is_used_at_once(tmp_path):
    async def story(server):
        await allow_jane(server)
        level = {
            "metadata": {"name": "mine"},
            "spec": {"type": "Limited", "limited": {"limitResponse": {"type": "Reject"}}},
        }
        assert (
            await server.call("POST", f"{FLOW}/prioritylevelconfigurations", level)
        ).status == 201
        rule = {
            "subjects": [{"kind": "User", "user": {"name": "jane"}}],
            "resourceRules": [{"verbs": ["*"], "apiGroups": ["*"], "resources": ["*"],
                               "namespaces": ["*"]}],
        }  # fmt: skip
        schema = {
            "metadata": {"name": "jane"},
            "spec": {"priorityLevelConfiguration": {"name": "mine"}, "matchingPrecedence": 50,
                     "rules": [rule]},
        }  # fmt: skip
        made = await server.call("POST", f"{FLOW}/flowschemas", schema)
        assert made.status == 201
        answer = await server.get(MAPS, token="jane")
        assert answer.headers["X-Kubernetes-PF-FlowSchema-UID"] == made.json["metadata"]["uid"]
        gone = await server.call("DELETE", f"{FLOW}/prioritylevelconfigurations/mine")
        assert gone.status == 200
        answer = await server.get(MAPS, token="jane")
        assert answer.headers["X-Kubernetes-PF-FlowSchema-UID"] != made.json["metadata"]["uid"]
        async with asyncio.timeout(20):
            while True:
                found = (await server.get(f"{FLOW}/flowschemas/jane")).json
                conditions = found["status"].get("conditions") or [{}]
                if conditions[0].get("status") == "True":
                    break
                await asyncio.sleep(0.05)
        assert conditions[0]["reason"] == "NotFound"

    run(story, tmp_path)


def test_pods_still_come_with_everything_on(tmp_path):
    async def story(server):
        made = await server.call("POST", "/api/v1/namespaces/default/pods", pod("web"))
        assert made.status == 201
        assert made.json["spec"]["serviceAccountName"] == "default"

    run(story, tmp_path, rules({"level": "RequestResponse"}), lambda events: None)


def test_a_body_that_trickles_takes_no_seat(tmp_path):
    async def story(server):
        await allow_jane(server)
        more = asyncio.Event()

        async def body():
            yield b'{"metadata":{"name":"slow"},'
            await more.wait()
            yield b'"data":{"a":"b"}}'

        def trickle(name):
            url = f"http://127.0.0.1:{server.part.port}{MAPS}"
            headers = {"Authorization": f"Bearer {name}", "Content-Type": "application/json"}
            return server.session.post(url, data=body(), headers=headers)

        async def slow():
            async with trickle("jane") as answer:
                return answer.status

        writers = [server.group.spawn(slow(), "slow") for _ in range(20)]
        await asyncio.sleep(0.2)
        quick = await server.call("POST", MAPS, config_map("quick"), token="jane")
        assert quick.status == 201
        more.set()
        assert sorted([await each for each in writers]) == [201] + [409] * 19

    run(story, tmp_path, fairness=Fairness(True, 2, 1))
