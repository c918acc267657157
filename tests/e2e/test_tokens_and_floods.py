"""A real cluster: service accounts' tokens by kubectl, and a flood that leaves room for others."""

import asyncio
import base64
import json
import ssl
from collections.abc import Callable

import aiohttp
import pytest
import yaml
from realcluster import Cluster, until

pytestmark = pytest.mark.usefixtures("kubectl")
FLOOD = 200
QUICK = 1.0
"""Seconds that a small question may take while the flood lasts: a hundred times what it takes."""


@pytest.fixture(scope="module")
def cluster(clusters: Callable[..., Cluster]) -> Cluster:
    found = clusters("tokens", "--nodes", "1")
    found.kubectl("create", "serviceaccount", "loud")
    found.kubectl("create", "serviceaccount", "quiet")
    for name in ("loud", "quiet"):
        account = f"--serviceaccount=default:{name}"
        found.kubectl("create", "clusterrolebinding", name, "--clusterrole=view", account)
    return found


def access(cluster: Cluster) -> tuple[str, str]:
    """The server's address and its CA's certificate."""
    found = yaml.safe_load(cluster.folder.kubeconfig.read_text())["clusters"][0]["cluster"]
    return found["server"], base64.b64decode(found["certificate-authority-data"]).decode()


def by_token(cluster: Cluster, token: str, *arguments: str, code: int = 0) -> str:
    """kubectl with a token and nothing else."""
    server, _ = access(cluster)
    ca = str(cluster.folder.pki / "ca.crt")
    return cluster.kubectl(
        "--kubeconfig=/dev/null", "--server", server, "--certificate-authority", ca,
        "--token", token, *arguments, code=code,
    )  # fmt: skip


def test_a_token_made_by_kubectl_lets_in(cluster: Cluster) -> None:
    token = cluster.kubectl("create", "token", "quiet", "--duration=10m").strip()
    who = json.loads(by_token(cluster, token, "auth", "whoami", "-o", "json"))
    user = who["status"]["userInfo"]
    assert user["username"] == "system:serviceaccount:default:quiet"
    assert "system:serviceaccounts:default" in user["groups"]
    assert user["extra"]["authentication.kubernetes.io/credential-id"][0].startswith("JTI=")
    by_token(cluster, token, "get", "pods")
    refused = by_token(cluster, token, "create", "configmap", "x", code=1)
    assert 'User "system:serviceaccount:default:quiet" cannot create' in refused
    said = cluster.kubectl("create", "token", "quiet", "--duration=5m", code=1)
    assert "may not specify a duration less than 10 minutes" in said


def test_a_token_of_a_pod_ends_with_it(cluster: Cluster) -> None:
    cluster.kubectl("run", "web", "--image=nginx")
    (pod,) = cluster.running(1)
    (volume,) = pod["spec"]["volumes"]
    assert volume["name"].startswith("kube-api-access-")
    bound = ("--bound-object-kind=Pod", "--bound-object-name=web")
    token = cluster.kubectl("create", "token", "default", *bound).strip()
    by_token(cluster, token, "auth", "whoami")
    cluster.kubectl("delete", "pod", "web", "--now")
    assert "You must be logged in" in by_token(cluster, token, "get", "pods", code=1)


SECRET = """
apiVersion: v1
kind: Secret
metadata:
  name: old
  annotations: {kubernetes.io/service-account.name: quiet}
type: kubernetes.io/service-account-token
"""


def test_a_secret_gets_a_token_that_lets_in(cluster: Cluster) -> None:
    path = cluster.home / "secret.yaml"
    path.write_text(SECRET)
    cluster.kubectl("create", "-f", str(path))
    data = until("the secret is filled", lambda: cluster.get("secret", "old").get("data"))
    assert base64.b64decode(data["ca.crt"]) == (cluster.folder.pki / "ca.crt").read_bytes()
    token = base64.b64decode(data["token"]).decode()
    by_token(cluster, token, "get", "pods")
    cluster.kubectl("delete", "secret", "old")
    assert "You must be logged in" in by_token(cluster, token, "get", "pods", code=1)


def test_a_flood_of_one_user_leaves_another_quick(cluster: Cluster) -> None:
    loud, quiet = (cluster.kubectl("create", "token", each).strip() for each in ("loud", "quiet"))
    server, ca = access(cluster)
    took = asyncio.run(_flooded(server, ssl.create_default_context(cadata=ca), loud, quiet))
    assert sorted(took)[len(took) // 2] < QUICK
    assert len(took) == 20


async def _flooded(server: str, tls: ssl.SSLContext, loud: str, quiet: str) -> list[float]:
    """How long each of 20 small questions took while 200 connections asked for lists."""
    loop = asyncio.get_running_loop()
    over = asyncio.Event()

    async def flood(session: aiohttp.ClientSession) -> None:
        while not over.is_set():
            async with session.get(f"{server}/api/v1/configmaps", ssl=tls) as answer:
                await answer.read()
                assert answer.status in (200, 429)

    async def ask(session: aiohttp.ClientSession) -> list[float]:
        took = []
        for _ in range(20):
            began = loop.time()
            async with session.get(f"{server}/api/v1/namespaces/default", ssl=tls) as answer:
                assert answer.status == 200
            took.append(loop.time() - began)
            await asyncio.sleep(0.05)
        return took

    def session(token: str) -> aiohttp.ClientSession:
        return aiohttp.ClientSession(
            headers={"Authorization": f"Bearer {token}"},
            connector=aiohttp.TCPConnector(limit=0),
            timeout=aiohttp.ClientTimeout(total=60),
        )

    async with session(loud) as first, session(quiet) as second, asyncio.TaskGroup() as group:
        for _ in range(FLOOD):
            group.create_task(flood(first))
        await asyncio.sleep(1)
        took = await ask(second)
        over.set()
    return took
