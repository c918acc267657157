import asyncio
import base64
import gzip
from typing import Any

import pytest
from rest_world import MAPS, PODS, Api, config_map, pod, serving

from cluster.apiserver import bodies, reader
from cluster.apiserver.rest import documents

MERGE = {"Content_Type": "application/merge-patch+json"}
JSON_PATCH = {"Content_Type": "application/json-patch+json"}
STRATEGIC = {"Content_Type": "application/strategic-merge-patch+json"}
YAML = {"Content_Type": "application/yaml"}
LONG = "n" * 254
DEEP = base64.urlsafe_b64encode(b'{"v":"meta.k8s.io/v1","x":' + b"[" * 2500).decode().rstrip("=")
"""A continue token that is nested too deep."""


def _wrong_type() -> dict[str, Any]:
    odd = pod("x")
    odd["spec"]["containers"][0]["ports"] = [{"containerPort": "eighty"}]
    return odd


def _unknown() -> dict[str, Any]:
    odd = pod("x")
    odd["spec"]["colour"] = "red"
    return odd


def _stale() -> dict[str, Any]:
    old = config_map("old", x="2")
    old["metadata"]["resourceVersion"] = "1"
    return old


DEPLOY = "/apis/apps/v1/namespaces/default/deployments"
DEPLOYMENT = {
    "apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "d"},
    "spec": {
        "selector": {"matchLabels": {"a": "b"}},
        "template": {
            "metadata": {"labels": {"a": "b"}},
            "spec": {"containers": [{"name": "c", "image": "i"}]},
        },
    },
}  # fmt: skip

CASES: list[tuple[str, str, Any, dict[str, str], int, str, str]] = [
    ("POST", MAPS, b'{"metadata": {', {}, 400, "BadRequest", "couldn't get version/kind"),
    ("POST", MAPS, b"", {}, 400, "BadRequest", "unrecognized"),
    ("POST", MAPS, b"[1]", {}, 400, "BadRequest", "cannot unmarshal array"),
    ("POST", MAPS, b"\xff\xfe", {}, 400, "BadRequest", "json parse error"),
    # It is not unpacked: kube-apiserver packs answers only.
    ("POST", MAPS, gzip.compress(b'{"metadata":{"name":"packed"}}'), {"Content_Encoding": "gzip"},
     400, "BadRequest", "unsupported content encoding"),
    ("POST", MAPS, b"a: b: c", YAML, 400, "BadRequest",
     "error converting YAML to JSON: yaml: line 1: mapping values are not allowed"),
    ("POST", MAPS, b"- &a [*a]", YAML, 400, "BadRequest", "error converting YAML to JSON"),
    ("POST", MAPS, b"? [1, 2]\n: 3\n", YAML, 400, "BadRequest", "error converting YAML to JSON"),
    ("POST", MAPS, b"\xff\xfe\x00", YAML, 400, "BadRequest", "error converting YAML to JSON"),
    ("POST", MAPS, b"x", {"Content_Type": "text/html"}, 415, "UnsupportedMediaType",
     "the body of the request was in an unknown format"),
    ("POST", MAPS, b"x", {"Content_Type": "application/vnd.kubernetes.protobuf"}, 400,
     "BadRequest", "protobuf"),
    ("POST", f"{PODS}?fieldValidation=Strict", _unknown(), {}, 400, "BadRequest",
     'strict decoding error: unknown field "spec.colour"'),
    ("POST", PODS, _wrong_type(), {}, 400, "BadRequest", "cannot unmarshal string into Go"),
    ("POST", MAPS, config_map(LONG), {}, 422, "Invalid", "must be no more than 253"),
    ("POST", MAPS, config_map("Old_One"), {}, 422, "Invalid", "RFC 1123"),
    ("POST", MAPS, config_map("old"), {}, 409, "AlreadyExists",
     'configmaps "old" already exists'),
    ("POST", MAPS, pod("x"), {}, 400, "BadRequest", "unknown conversion"),
    ("POST", "/api/v1/configmaps", config_map("x"), {}, 405, "MethodNotAllowed", "does not allow"),
    ("POST", f"{MAPS}/old", config_map("x"), {}, 405, "MethodNotAllowed", "does not allow"),
    ("POST", "/api/v1/namespaces/nowhere/configmaps", config_map("x"), {}, 404, "NotFound",
     'namespaces "nowhere" not found'),
    ("POST", f"{MAPS}?dryRun=maybe", config_map("x"), {}, 422, "Invalid", "dryRun"),
    ("PUT", f"{MAPS}/old", _stale(), {}, 409, "Conflict", "the object has been modified"),
    ("PUT", f"{MAPS}/old", config_map("other"), {}, 400, "BadRequest", "does not match the name"),
    ("PUT", f"{MAPS}/none", config_map("none"), {}, 404, "NotFound", 'configmaps "none" not found'),
    ("PUT", MAPS, config_map("x"), {}, 405, "MethodNotAllowed", "does not allow"),
    ("PATCH", f"{DEPLOY}/d", {"spec": {"replicas": "x"}}, STRATEGIC, 422, "Invalid",
     ' "" is invalid: patch: Invalid value: "map[spec:map[replicas:x]]": unrecognized type: int32'),
    ("PATCH", f"{DEPLOY}/d", {"spec": {"template": []}}, STRATEGIC, 422, "Invalid",
     'Invalid value: "map[spec:map[template:[]]]": cannot restore struct from: slice'),
    ("PATCH", f"{DEPLOY}/d", {"spec": {"replicas": "x"}}, MERGE, 422, "Invalid",
     "json: cannot unmarshal string into Go struct field DeploymentSpec.spec.replicas of type "
     "int32"),
    ("PATCH", f"{DEPLOY}/d", b'[{"op":"replace","path":"/spec","value":5}]', JSON_PATCH, 422,
     "Invalid", "cannot unmarshal number into Go struct field Deployment.spec"),
    ("PATCH", f"{DEPLOY}/d/scale", {"spec": {"replicas": "x"}}, MERGE, 422, "Invalid",
     "json: cannot unmarshal string into Go struct field ScaleSpec.spec.replicas of type int32"),
    ("PUT", f"{DEPLOY}/d/scale", {"metadata": {"name": "d"}, "spec": []}, {}, 400, "BadRequest",
     "json: cannot unmarshal array into Go struct field Scale.spec"),
    ("PATCH", f"{MAPS}/old", {"kind": "Secret"}, MERGE, 422, "Invalid", "unknown conversion"),
    ("PATCH", f"{DEPLOY}/d?fieldValidation=Strict", {"spec": {"x": 1}}, MERGE, 422, "Invalid",
     'strict decoding error: unknown field "spec.x"'),
    ("PATCH", f"{MAPS}/old?fieldValidation=Strict", b'{"data":{"a":"b","a":"c"}}', MERGE, 422,
     "Invalid", 'strict decoding error: duplicate field "data.a"'),
    ("POST", f"{MAPS}?fieldValidation=Strict",
     b'{"metadata":{"name":"x"},"data":{"a":"b", "a":"c"},"colour":1}', {}, 400, "BadRequest",
     'strict decoding error: duplicate field "data.a", unknown field "colour"'),
    ("PUT", f"{MAPS}/old?fieldValidation=Strict",
     b'{"metadata":{"name":"old"},"data":{"a":"b","a":"c"}}', {}, 400, "BadRequest",
     'strict decoding error: duplicate field "data.a"'),
    ("POST", "/api/v1/watch/namespaces/default/configmaps", config_map("x"), {}, 405,
     "MethodNotAllowed", "does not allow"),
    ("DELETE", f"{MAPS}/old", b"[" * 9999, {}, 400, "BadRequest", "exceeded max depth"),
    ("POST", f"{PODS}/x/binding", b'{"target":{"name":"\xff"}}', {}, 400, "BadRequest",
     "invalid UTF-8"),
    ("POST", f"{PODS}/x/binding", b'{"a":' * 9999, {}, 400, "BadRequest", "exceeded max depth"),
    ("PATCH", f"{MAPS}/old", b"{", MERGE, 400, "BadRequest", ""),
    ("PATCH", f"{MAPS}/old", b"[]", STRATEGIC, 400, "BadRequest", ""),
    ("PATCH", f"{MAPS}/old", {}, {}, 415, "UnsupportedMediaType", "merge-patch"),
    ("PATCH", f"{MAPS}/old?force=true", {}, MERGE, 422, "Invalid",
     "force: Forbidden: may not be specified for non-apply patch"),
    ("PATCH", f"{MAPS}/old", b"{}", {"Content_Type": "application/apply-patch+yaml"}, 422,
     "Invalid", "fieldManager: Required value: is required for apply patch"),
    ("PATCH", f"{DEPLOY}/d", {"spec": {"selector": {"matchLabels": {"a": "c"}}}}, MERGE, 422,
     "Invalid", "field is immutable"),
    ("DELETE", f"{MAPS}/none", None, {}, 404, "NotFound", 'configmaps "none" not found'),
    ("DELETE", f"{MAPS}/old", b"{", {}, 400, "BadRequest", ""),
    ("DELETE", f"{MAPS}/old", {"preconditions": {"uid": "other"}}, {}, 409, "Conflict", "UID"),
    ("DELETE", f"{MAPS}/old?propagationPolicy=Sideways", None, {}, 422, "Invalid", "Sideways"),
    ("DELETE", f"{MAPS}/old?gracePeriodSeconds=soon", None, {}, 400, "BadRequest", "ParseInt"),
    ("DELETE", "/api/v1/configmaps", None, {}, 405, "MethodNotAllowed", "does not allow"),
    ("GET", f"{MAPS}/none", None, {}, 404, "NotFound", 'configmaps "none" not found'),
    ("GET", f"{MAPS}?labelSelector=a+in", None, {}, 400, "BadRequest", "unable to parse"),
    ("GET", f"{MAPS}?fieldSelector=colour%3Dred", None, {}, 400, "BadRequest",
     "is not a known field selector"),
    ("GET", f"{MAPS}?limit=many", None, {}, 400, "BadRequest", "invalid syntax"),
    ("GET", f"{MAPS}?resourceVersion=new", None, {}, 400, "BadRequest", "new"),
    ("GET", f"{MAPS}?continue=next", None, {}, 400, "BadRequest", "continue key is not valid"),
    ("GET", f"{MAPS}?continue={DEEP}", None, {}, 400, "BadRequest", "continue key is not valid"),
    ("GET", f"{MAPS}?resourceVersion=999999", None, {}, 504, "Timeout",
     "Too large resource version"),
    ("GET", MAPS, None, {"Accept": "text/html"}, 406, "NotAcceptable", "media types"),
    ("GET", "/api/v1/cats", None, {}, 404, "NotFound", "could not find the requested resource"),
    ("GET", "/apis/authentication.k8s.io/v1/selfsubjectreviews", None, {}, 405,
     "MethodNotAllowed", "does not allow"),
    ("GET", "/cats", None, {}, 404, "NotFound", "could not find the requested resource"),
    ("GET", f"{PODS}/x/colour", None, {}, 404, "NotFound", "could not find the requested"),
    ("GET", f"{PODS}/x/log", None, {}, 404, "NotFound", 'pods "x" not found'),
    ("GET", f"{PODS}/x/log/y", None, {}, 404, "NotFound", "could not find the requested"),
    ("POST", f"{PODS}/x/exec?stdout=1", b"", {}, 400, "BadRequest", "at least one command"),
    ("DELETE", f"{DEPLOY}/d/scale", None, {}, 405, "MethodNotAllowed", "does not allow"),
    ("HEAD", f"{MAPS}/old", None, {}, 405, "MethodNotAllowed", ""),
    ("POST", "/api", b"{}", {}, 405, "MethodNotAllowed", "does not allow"),
]  # fmt: skip


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Reads of the future give up soon."""
    monkeypatch.setattr(reader, "SECONDS", 0.01)


async def _prepare(api: Api) -> None:
    assert (await api.create(MAPS, config_map("old", x="1"))).status == 201
    assert (await api.create(DEPLOY, DEPLOYMENT)).status == 201


def test_bad_input_gets_the_error_that_kubernetes_gives(impatient: None) -> None:
    async def scenario() -> list[str]:
        wrong = []
        async with serving() as api:
            await _prepare(api)
            for method, path, body, headers, code, reason, words in CASES:
                answer = await api.call(method, path, body, **headers)
                said = answer.json if method != "HEAD" else {"reason": reason, "message": ""}
                got = (answer.status, said.get("reason"), said.get("code", code))
                if got != (code, reason, code) or words not in said["message"]:
                    wrong.append(f"{method} {path}: {answer.status} {answer.text[:300]}")
        return wrong

    assert asyncio.run(scenario()) == []


@pytest.mark.parametrize("declared", [True, False])
def test_a_body_that_is_too_large(declared: bool) -> None:
    async def scenario() -> None:
        async with serving() as api:
            body = b" " * (bodies.MAX_BODY + 1)

            async def pieces() -> Any:
                for start in range(0, len(body), 1 << 18):
                    yield body[start : start + (1 << 18)]

            async with api.session.post(
                api.url + MAPS,
                data=body if declared else pieces(),
                headers={"Authorization": "Bearer secret", "Content-Type": "application/json"},
            ) as response:
                said = await response.json()
            assert (response.status, said["reason"]) == (413, "RequestEntityTooLarge")
            assert said["message"] == "Request entity too large: limit is 3145728"

    asyncio.run(scenario())


@pytest.mark.parametrize("token", ["", "Bearer wrong", "Basic c2VjcmV0", "secret"])
def test_whoever_is_not_known_is_told_so(token: str) -> None:
    async def scenario() -> None:
        async with serving() as api:
            for path in (MAPS, "/api", "/openapi/v3", "/cats"):
                answer = await api.get(path, Authorization=token)
                assert (answer.status, answer.json["reason"]) == (401, "Unauthorized")
            for path in ("/healthz", "/livez", "/readyz", "/version"):
                answer = await api.get(path, Authorization=token)
                assert answer.status == (401 if token.startswith("Bearer") else 200)

    asyncio.run(scenario())


def test_a_fault_is_a_status_too(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object) -> None:
        raise ZeroDivisionError("division by zero")

    monkeypatch.setattr(documents.discovery, "server_version", broken)

    async def scenario() -> None:
        async with serving() as api:
            answer = await api.get("/version")
            assert (answer.status, answer.json["reason"]) == (500, "InternalError")
            assert answer.json["message"] == "Internal error occurred: division by zero"

    asyncio.run(scenario())


def test_a_slow_down_says_when_to_come_back(impatient: None) -> None:
    async def scenario() -> None:
        async with serving() as api:
            answer = await api.get(f"{MAPS}?resourceVersion=999999")
            assert answer.headers["Retry-After"] == "1"

    asyncio.run(scenario())


def test_what_is_no_http_is_told_so_and_not_logged(caplog: pytest.LogCaptureFixture) -> None:
    async def scenario() -> list[bytes]:
        answers = []
        async with serving() as api:
            host, port = api.url.removeprefix("http://").split(":")
            for text in (
                b"NONSENSE\r\n\r\n",
                b"GET /api HTTP/1.1\r\nHost: x\r\nBad Header\r\n\r\n",
            ):
                reader, writer = await asyncio.open_connection(host, int(port))
                writer.write(text)
                answers.append(await reader.readline())
                writer.close()
        return answers

    assert all(b" 400 " in answer for answer in asyncio.run(scenario()))
    assert [record.message for record in caplog.records if record.name != "asyncio"] == []


def test_who_acts_as_a_group_without_a_user_is_told_so() -> None:
    async def main() -> None:
        async with serving() as api:
            answer = await api.get(PODS, Impersonate_Group="dev")
            assert (answer.status, answer.json["reason"]) == (400, "BadRequest")

    asyncio.run(main())
