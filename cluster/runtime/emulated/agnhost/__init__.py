"""agnhost: what Kubernetes' own tests run in pods (test/images/agnhost).

Not built, and said so: TLS, SCTP, webhook, crd-conversion-webhook, audit-proxy, fake-gitserver,
net, nettest, openidmetadata, port-forward-tester, no-snat-test-proxy, resource-consumer-controller.
"""

from collections.abc import Sequence
from typing import Final

from cluster.runtime.emulated import bindtools
from cluster.runtime.emulated.agnhost import flags, once, servers
from cluster.runtime.emulated.agnhost.netexec import netexec
from cluster.runtime.emulated.image import Image
from cluster.runtime.emulated.serving import server
from cluster.runtime.vos.kernel import Call, Program, encoded


async def _health(call: Call) -> int:
    # Imported here: few are asked so, and h2 is much.
    from cluster.runtime.emulated.agnhost import health

    return await health.grpc_health_checking(call)


_SERVERS: Final[dict[str, Program]] = {
    "grpc-health-checking": _health, "guestbook": servers.guestbook,
    "liveness": servers.liveness, "netexec": netexec, "no-snat-test": servers.no_snat_test,
    "pause": once.pause, "porter": servers.porter, "serve-hostname": servers.serve_hostname,
    "tcp-reset": servers.tcp_reset, "test-webserver": servers.test_webserver,
}  # fmt: skip
_ONCE: Final[dict[str, Program]] = {
    "connect": once.connect, "dns-server-list": once.dns_server_list,
    "dns-suffix": once.dns_suffix, "entrypoint-tester": once.entrypoint_tester,
    "etc-hosts": once.etc_hosts, "inclusterclient": once.inclusterclient,
    "logs-generator": once.logs_generator, "mounttest": once.mounttest,
}  # fmt: skip
_UNBUILT: Final = frozenset((
    "audit-proxy", "crd-conversion-webhook", "fake-gitserver", "net", "nettest",
    "openidmetadata", "test-service-account-issuer-discovery", "port-forward-tester",
    "no-snat-test-proxy", "resource-consumer-controller", "webhook", "fips", "stress",
    "crd-conversion-webhook", "mtlsclient", "mtlsserver", "vishhstress",
))  # fmt: skip
_VERSION: Final = "2.53"


def _sleeps(argv: Sequence[str]) -> bool:
    """Servers sleep; a replica of a guestbook has to register first."""
    name = argv[1] if len(argv) > 1 else ""
    return name in _SERVERS and not (
        name == "guestbook" and any("replicaof" in word for word in argv)
    )


@server(stop_code=2, when=_sleeps)
async def agnhost(call: Call) -> int:
    """`agnhost SUBCOMMAND …`. Go programs end with 2 when SIGTERM ends them."""
    name = call.argv[1] if len(call.argv) > 1 else ""
    if name == "--version":
        await call.out(f"app version {_version(call)}\n")
        return 0
    program = _SERVERS.get(name) or _ONCE.get(name)
    if program is None:
        if name in _UNBUILT:
            said = f'Error: "{name}" is not built in the emulated agnhost'
        elif name and not name.startswith("-"):
            said = f'Error: unknown command "{name}" for "app"'
        else:
            await call.out("Usage:\n  app [command]\n\nAvailable Commands:\n" + "".join(
                f"  {one}\n" for one in sorted({**_SERVERS, **_ONCE})))  # fmt: skip
            return 0
        await call.io.stderr.write(encoded(f"{said}\nRun 'app --help' for usage.\n"))
        return 1
    try:
        return await program(call)
    except flags.Wrong as wrong:
        await call.io.stderr.write(
            encoded(f"Error: {wrong}\nUsage:\n  app {name} [flags]\n\n{wrong}\n")
        )
        return 1


def _version(call: Call) -> str:
    tag = call.kernel.image_tag
    return tag if tag[:1].isdigit() else _VERSION


IMAGES: Final = (
    Image(
        names=("e2e-test-images/agnhost", "kubernetes-e2e-test-images/agnhost", "agnhost",
               "k8s-staging-e2e-test-images/agnhost"),
        entrypoint=("/agnhost",),
        cmd=("pause",),
        ports=(80, 8080, 8081, 9376),
        files={"/uploads/": ""},
        programs={"/agnhost": agnhost, "agnhost": agnhost, "agnhost-2": agnhost,
                  "/agnhost-2": agnhost, **bindtools.PROGRAMS},
    ),
)  # fmt: skip
