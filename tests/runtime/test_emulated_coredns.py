"""CoreDNS: its configuration, what it answers of services and pods, and how it runs."""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable

import dnslib
import pytest
from apiworld import Api, endpoints, external, meta, namespace, service
from dnslib import DNSRecord
from hypothesis import given
from hypothesis import strategies as st
from webworld import Box, World

from cluster.aio import virtual
from cluster.runtime.emulated import catalog, incluster
from cluster.runtime.emulated.coredns import chain, corefile, messages, naming
from cluster.runtime.emulated.coredns.answering import NO_DATA, NO_NAME, Found, Settings, Zones
from cluster.runtime.emulated.coredns.corefile import Key, Unusable
from cluster.runtime.emulated.coredns.messages import Reply
from cluster.runtime.emulated.coredns.plugins import cache
from cluster.runtime.emulated.coredns.records import Store
from cluster.runtime.vos.sockets import Endpoint

KUBEADM = """.:53 {
    errors
    health {
       lameduck 5s
    }
    ready
    kubernetes cluster.local in-addr.arpa ip6.arpa {
       pods insecure
       fallthrough in-addr.arpa ip6.arpa
       ttl 30
    }
    prometheus :9153
    forward . /etc/resolv.conf {
       max_concurrent 1000
    }
    cache 30 {
       disable success cluster.local
       disable denial cluster.local
    }
    loop
    reload
    loadbalance
}
"""
UPSTREAM = "10.244.0.200"
WRONG = "Error during parsing: "


# ---- the Corefile --------------------------------------------------------------------------------


def read(text: str, **env: str) -> tuple[corefile.Block, ...]:
    return corefile.blocks(text, env=env, known=chain.known)


def test_a_corefile_of_kubeadm_is_read_with_its_blocks() -> None:
    (block,) = read(KUBEADM)
    assert block.keys == (Key("", 53),)
    assert [one.name for one in block.directives] == [
        "errors", "health", "ready", "kubernetes", "prometheus", "forward", "cache", "loop",
        "reload", "loadbalance",
    ]  # fmt: skip
    plugin = block.directives[3]
    assert plugin.args == ("cluster.local", "in-addr.arpa", "ip6.arpa")
    assert [(one.name, one.args) for one in plugin.block] == [
        ("pods", ("insecure",)), ("fallthrough", ("in-addr.arpa", "ip6.arpa")), ("ttl", ("30",)),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("text", "keys"),
    [
        (".", ["..:53"]),
        ("example.org example.net:1053 {\nwhoami\n}", ["example.org.:53", "example.net.:1053"]),
        ("a.org,\nb.org {\n}", ["a.org.:53", "b.org.:53"]),
        ("dns://Example.ORG.:5300 {\n}", ["example.org.:5300"]),
        ("10.96.0.0/16 {\n}", ["96.10.in-addr.arpa.:53"]),
        ("{$ZONE}:{$PORT} {\n}", ["env.org.:99"]),
    ],
)
def test_keys_of_server_blocks(text: str, keys: list[str]) -> None:
    (block,) = read(text, ZONE="env.org", PORT="99")
    assert [str(key) for key in block.keys] == [key.replace("..", ".") for key in keys]


def test_snippets_are_put_where_they_are_imported() -> None:
    text = (
        '(common) {\n errors\n hosts { # it has\n 10.0.0.1 "a b"\n }\n}\n.:53 {\n import common\n}'
    )
    (block,) = read(text)
    assert [one.name for one in block.directives] == ["errors", "hosts"]
    assert block.directives[1].block[0].args == ("a b",)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (".:53 {\n  errors\n", f"Corefile:1 - {WRONG}Unexpected EOF; expecting '}}'"),
        (".:53 {\n  nonsense\n}", f"Corefile:2 - {WRONG}Unknown directive 'nonsense'"),
        (".:53 {\n import gone\n}", f"Corefile:2 - {WRONG}File to import not found: gone"),
        (". {\n}\n. {\n}", "cannot serve dns://.:53 - it is already defined"),
        ("}", f"Corefile:1 - {WRONG}Unexpected '}}' because no matching opening brace"),
        (".:99999 {\n}", f"Corefile:1 - {WRONG}invalid port 99999"),
        ("(a) {\n import a\n}\n. {\n import a\n}",
         f"Corefile:2 - {WRONG}a is imported without end"),
    ],
)  # fmt: skip
def test_what_is_no_corefile_is_refused_in_corednss_words(text: str, said: str) -> None:
    with pytest.raises(Unusable) as caught:
        read(text)
    assert str(caught.value) == said


@given(st.text(alphabet='.:{}()"\\# \n$ab%,import', max_size=80))
def test_no_text_does_worse_than_be_refused(text: str) -> None:
    with contextlib.suppress(Unusable):
        assert all(block.keys for block in read(text))


@pytest.mark.parametrize("ip", ["10.96.0.10", "fd00::1:2"])
def test_addresses_and_their_names_are_the_same_both_ways(ip: str) -> None:
    assert naming.undashed(naming.dashed(ip)) == ip
    name = dnslib.DNSLabel(__import__("ipaddress").ip_address(ip).reverse_pointer)
    assert naming.address_of(naming.normal(str(name))) == ip


# ---- answers -------------------------------------------------------------------------------------


def zones(pods: str = "insecure", **more: object) -> Zones:
    store = Store()
    for name in ("default", "kube-system", "prod"):
        store.put_namespace(name, namespace(name))
    for one in (
        service("web", "10.96.0.7", ("http", 80), ("https", 443)),
        service("db"),
        service("empty"),
        external("ext", "Example.com"),
        service("kube-dns", "10.96.0.10", ("dns", 53), namespace="kube-system"),
    ):
        store.put_service(f"{one['metadata']['namespace']}/{one['metadata']['name']}", one)
    mine = endpoints("db", ("10.244.1.5", "db-0"), "10.244.2.6", ports=(("pg", 5432),))
    store.put_slice("default/db-x", mine)
    store.put_slice("default/web-x", endpoints("web", "10.244.1.9", ports=(("http", 8080),)))
    store.put_slice("default/no-x", endpoints("empty", "10.244.1.8", ready=False))
    dns = endpoints("kube-dns", "10.244.0.3", namespace="kube-system", ports=(("dns", 53),))
    store.put_slice("kube-system/dns-x", dns)
    store.put_pod("default/p", {"metadata": meta("p"), "status": {"podIP": "10.244.1.5"}})
    told = ("cluster.local", "in-addr.arpa")
    return Zones(Settings(told, pods, own=("10.244.0.3",), **more), store)  # type: ignore[arg-type]


SVC = "svc.cluster.local"


@pytest.mark.parametrize(
    ("name", "kind", "answers"),
    [
        (f"web.default.{SVC}", "A", ["10.96.0.7"]),
        (f"_http._tcp.web.default.{SVC}", "A", ["10.96.0.7"]),
        (f"web.default.{SVC}", "SRV",
         [(50, 80, f"web.default.{SVC}"), (50, 443, f"web.default.{SVC}")]),
        (f"_https._tcp.web.default.{SVC}", "SRV", [(100, 443, f"web.default.{SVC}")]),
        (f"db.default.{SVC}", "A", ["10.244.1.5", "10.244.2.6"]),
        (f"db-0.db.default.{SVC}", "A", ["10.244.1.5"]),
        (f"10-244-2-6.db.default.{SVC}", "A", ["10.244.2.6"]),
        (f"10-244-1-9.web.default.{SVC}", "A", ["10.244.1.9"]),
        (f"_pg._tcp.db.default.{SVC}", "SRV",
         [(50, 5432, f"db-0.db.default.{SVC}"), (50, 5432, f"10-244-2-6.db.default.{SVC}")]),
        (f"ext.default.{SVC}", "A", ["example.com"]),
        (f"ext.default.{SVC}", "CNAME", ["example.com"]),
        ("10-1-2-3.default.pod.cluster.local", "A", ["10.1.2.3"]),
        ("7.0.96.10.in-addr.arpa", "PTR", [f"web.default.{SVC}"]),
        ("5.1.244.10.in-addr.arpa", "PTR", [f"db-0.db.default.{SVC}"]),
        ("cluster.local", "NS", [f"kube-dns.kube-system.{SVC}"]),
        ("cluster.local", "SOA", [("ns.dns.cluster.local", "hostmaster.cluster.local")]),
        ("ns.dns.cluster.local", "A", ["10.96.0.10"]),
        ("dns-version.cluster.local", "TXT", ["1.1.0"]),
    ],
)  # fmt: skip
def test_names_of_services_and_pods(name: str, kind: str, answers: list[object]) -> None:
    found = zones().find(name, kind)
    assert [one.data for one in found.answers] == answers
    assert all(one.name == name for one in found.answers)


@pytest.mark.parametrize(
    ("name", "kind", "verdict"),
    [
        (f"web.default.{SVC}", "AAAA", NO_DATA),
        (f"web.default.{SVC}", "TXT", NO_DATA),
        (f"default.{SVC}", "A", NO_DATA),
        (SVC, "A", NO_DATA),
        ("cluster.local", "A", NO_DATA),
        ("default.pod.cluster.local", "A", NO_DATA),
        (f"none.default.{SVC}", "A", NO_NAME),
        (f"empty.default.{SVC}", "A", NO_NAME),
        (f"web.nowhere.{SVC}", "A", NO_NAME),
        (f"nowhere.{SVC}", "A", NO_NAME),
        (f"_grpc._tcp.web.default.{SVC}", "SRV", NO_NAME),
        (f"a.b.c.web.default.{SVC}", "A", NO_NAME),
        (f"*.default.{SVC}", "A", NO_NAME),
        ("other.cluster.local", "A", NO_NAME),
        ("10-1-2-3.nowhere.pod.cluster.local", "A", NO_NAME),
        ("no-address.default.pod.cluster.local", "A", NO_NAME),
        ("6.2.244.10.in-addr.arpa", "PTR", NO_NAME),
        ("244.10.in-addr.arpa", "PTR", NO_NAME),
    ],
)
def test_what_is_not_there_and_what_has_no_such_record(
    name: str, kind: str, verdict: Found
) -> None:
    found = zones().find(name, kind)
    assert not found.answers
    assert found.exists == verdict.exists


def test_pods_are_nobodys_names_or_only_those_that_are_there() -> None:
    there, gone = "10-244-1-5.default.pod.cluster.local", "10-244-1-6.default.pod.cluster.local"
    assert not zones("disabled").find(there, "A").exists
    assert zones("verified").find(there, "A").answers
    assert not zones("verified").find(gone, "A").exists


def test_only_namespaces_that_are_shown_have_names() -> None:
    shown = zones(namespaces=frozenset(("prod",)))
    assert not shown.find(f"web.default.{SVC}", "A").exists
    assert shown.find(f"prod.{SVC}", "A").exists


def test_what_is_gone_leaves_nothing() -> None:
    store = Store()
    store.put_service("default/a", service("a", "10.96.0.1", ("x", 1)))
    store.put_slice("default/a-x", endpoints("a", ("10.244.0.9", "h"), ports=(("x", 1),)))
    store.put_pod("default/p", {"metadata": meta("p"), "status": {"podIP": "10.244.0.9"}})
    store.put_service("default/a", None)
    store.put_slice("default/a-x", None)
    store.put_pod("default/p", None)
    assert store == Store()


# ---- the wire ------------------------------------------------------------------------------------


@given(st.binary(max_size=80))
def test_no_bytes_do_worse_than_be_refused(data: bytes) -> None:
    found = messages.parsed(data, Endpoint("10.0.0.1", 1), "udp")
    if isinstance(found, bytes):
        assert found[2] & 0x80
        assert found[3] in (messages.FORMERR, messages.NOTIMP)


@pytest.mark.parametrize("section", [4, 6, 8, 10])
def test_a_question_with_records_without_number_is_refused_unread(section: int) -> None:
    data = bytearray(DNSRecord.question("a.test").pack())
    data[section : section + 2] = b"\xff\xff"
    found = messages.parsed(bytes(data), Endpoint("10.0.0.1", 1), "tcp")
    assert isinstance(found, bytes)
    assert found[3] == messages.FORMERR


@pytest.mark.parametrize(("size", "limit"), [(0, 512), (1232, 1232), (100, 512)])
def test_long_answers_are_cut_to_what_a_client_takes(size: int, limit: int) -> None:
    question = DNSRecord.question("web.default.svc.cluster.local")
    if size:
        question.add_ar(dnslib.EDNS0(udp_len=size))
    query = messages.parsed(bytes(question.pack()), Endpoint("10.0.0.1", 1), "udp")
    assert isinstance(query, messages.Query)
    addresses = [f"10.0.{n >> 8}.{n & 255}" for n in range(300)]
    answers = [messages.made(f"web.default.{SVC}.", "A", 5, dnslib.A(ip)) for ip in addresses]
    data = messages.packed(query, messages.Reply(answers=answers))
    assert len(data) <= limit
    answer = DNSRecord.parse(data)
    assert answer.header.tc
    assert 0 < len(answer.rr) < 300
    assert limit - len(data) < 16


# ---- the program ---------------------------------------------------------------------------------


class Upstream:
    """A name server outside."""

    def __init__(self, world: World) -> None:
        self.asked: list[str] = []
        self.silent = False
        from cluster.runtime.podnetwork import Namespace, Nobody

        self.net = Namespace(world.bridge, (UPSTREAM,), Nobody())
        world.bridge.join((UPSTREAM,), lambda: self.net)
        self.socket = self.net.datagrams(53)

    async def run(self) -> None:
        while True:
            data, sender = await self.socket.receive()
            question = DNSRecord.parse(data)
            self.asked.append(str(question.q.qname))
            if self.silent:
                continue
            reply = question.reply()
            if str(question.q.qname) == "example.com.":
                reply.add_answer(*dnslib.RR.fromZone("example.com. 300 A 192.0.2.7"))
            else:
                reply.header.rcode = 3
            self.socket.send(bytes(reply.pack()), sender)


class Cluster:
    """A pod of CoreDNS with an API, and who asks it."""

    def __init__(self, config: str) -> None:
        self.world = World()
        self.api = Api()
        self.upstream = Upstream(self.world)
        for name in ("default", "kube-system"):
            self.api.put("namespaces", namespace(name))
        self.api.put("services", service("web", "10.96.0.7", ("http", 80)))
        self.box: Box = self.world.box(
            catalog.find("coredns/coredns"), "v1.11.3", hostname="coredns-1",
            files={"/etc/coredns/Corefile": config, f"{incluster.FOLDER}/token": "t",
                   "/etc/resolv.conf": f"nameserver {UPSTREAM}\n"},
        )  # fmt: skip
        self.box.kernel.api = lambda _token: self.api

    async def ask(self, name: str, kind: str = "A", *, size: int = 0) -> DNSRecord:
        question = DNSRecord.question(name, kind)
        if size:
            question.add_ar(dnslib.EDNS0(udp_len=size))
        socket = self.world.client.datagrams()
        try:
            socket.send(bytes(question.pack()), Endpoint(self.box.address, 53))
            async with asyncio.timeout(20):
                data, _ = await socket.receive()
        finally:
            socket.close()
        return DNSRecord.parse(data)

    async def name(self, name: str, kind: str = "A") -> list[str]:
        return [str(one.rdata) for one in (await self.ask(name, kind)).rr]


def on(story: Callable[[Cluster], Awaitable[None]], config: str = KUBEADM) -> Cluster:
    kept: list[Cluster] = []

    async def main() -> None:
        cluster = Cluster(config)
        kept.append(cluster)
        served = asyncio.get_running_loop().create_task(cluster.upstream.run())
        await cluster.box.begin("-conf", "/etc/coredns/Corefile")
        try:
            await story(cluster)
        finally:
            served.cancel()
            if cluster.box.main is not None:
                cluster.box.main.signal(9)
                await cluster.box.main.wait()

    virtual.run(main())
    return kept[0]


def test_it_answers_follows_the_api_and_asks_others() -> None:
    async def story(cluster: Cluster) -> None:
        answer = await cluster.ask(f"WEB.default.{SVC}")
        assert (str(answer.rr[0].rname), str(answer.rr[0].rdata), answer.rr[0].ttl) == (
            f"WEB.default.{SVC}.", "10.96.0.7", 30,
        )  # fmt: skip
        assert answer.header.aa
        cluster.api.put("services", service("late", "10.96.0.8", ("http", 80)))
        await asyncio.sleep(0.01)
        assert await cluster.name(f"late.default.{SVC}") == ["10.96.0.8"]
        cluster.api.remove("services", "default/late")
        await asyncio.sleep(0.01)
        gone = await cluster.ask(f"late.default.{SVC}")
        assert gone.header.rcode == messages.NXDOMAIN
        assert dnslib.QTYPE[gone.auth[0].rtype] == "SOA"
        assert await cluster.name("example.com") == ["192.0.2.7"]
        assert await cluster.name("example.com") == ["192.0.2.7"]
        assert cluster.upstream.asked.count("example.com.") == 1  # the second time it is known

    cluster = on(story)
    assert cluster.box.log.splitlines()[0] == ".:53"
    assert "CoreDNS-1.11.3" in cluster.box.log


def test_an_alias_is_followed_beyond_the_cluster_and_no_circle_is() -> None:
    async def story(cluster: Cluster) -> None:
        cluster.api.put("services", external("ext", "example.com"))
        cluster.api.put("services", external("ring", f"ring.default.{SVC}"))
        await asyncio.sleep(0.01)
        assert await cluster.name(f"ext.default.{SVC}") == ["example.com.", "192.0.2.7"]
        assert len(await cluster.name(f"ring.default.{SVC}")) < 20

    on(story)


def test_readiness_follows_the_api_and_metrics_count_questions() -> None:
    async def story(cluster: Cluster) -> None:
        assert (await cluster.world.get(cluster.box, "/ready", port=8181)).text == "OK"
        assert (await cluster.world.get(cluster.box, "/health", port=8080)).text == "OK"
        await cluster.name(f"web.default.{SVC}")
        page = (await cluster.world.get(cluster.box, "/metrics", port=9153)).text
        assert (
            'coredns_dns_requests_total{family="1",proto="udp",server="dns://:53",view="",'
            'zone=".",type="A"} 1' in page
        )
        assert 'plugin="kubernetes",rcode="NOERROR"' in page

    on(story)


def test_without_the_api_it_starts_late_is_not_ready_and_catches_up() -> None:
    async def main() -> None:
        cluster = Cluster(KUBEADM)
        cluster.api.down = True
        await cluster.box.begin("-conf", "/etc/coredns/Corefile")
        await asyncio.sleep(5.5)
        assert "starting server with unsynced Kubernetes API" in cluster.box.log
        got = await cluster.world.get(cluster.box, "/ready", port=8181)
        assert (got.status, got.text) == (503, "kubernetes")
        assert (await cluster.ask(f"web.default.{SVC}")).header.rcode == messages.SERVFAIL
        cluster.api.down = False
        await asyncio.sleep(10)
        assert await cluster.name(f"web.default.{SVC}") == ["10.96.0.7"]
        assert cluster.box.main is not None
        cluster.box.main.signal(9)
        await cluster.box.main.wait()

    virtual.run(main())


def test_a_new_corefile_counts_within_half_a_minute_and_a_bad_one_does_not() -> None:
    async def story(cluster: Cluster) -> None:
        more = KUBEADM.replace("    loop\n", "    hosts {\n 192.0.2.9 own.test\n fallthrough\n}\n")
        cluster.box.kernel.files.put("/etc/coredns/Corefile", more.encode())
        await asyncio.sleep(31)
        assert await cluster.name("own.test") == ["192.0.2.9"]
        assert await cluster.name(f"web.default.{SVC}") == ["10.96.0.7"]
        cluster.box.kernel.files.put("/etc/coredns/Corefile", b".:53 {\n nonsense\n}")
        await asyncio.sleep(61)
        assert await cluster.name("own.test") == ["192.0.2.9"]

    log = on(story).box.log
    assert "[INFO] Reloading complete" in log
    assert log.count("plugin/reload: Corefile changed but reload failed: /etc/coredns/Corefile:2 - "
                     "Error during parsing: Unknown directive 'nonsense'") >= 1  # fmt: skip


def test_an_upstream_that_is_silent_is_told_of() -> None:
    async def story(cluster: Cluster) -> None:
        cluster.upstream.silent = True
        assert (await cluster.ask("silent.test")).header.rcode == messages.SERVFAIL

    log = on(story).box.log
    assert "[ERROR] plugin/errors: 2 silent.test. A: read udp " in log
    assert f"->{UPSTREAM}:53: i/o timeout" in log


def test_questions_are_printed_as_log_has_them() -> None:
    async def story(cluster: Cluster) -> None:
        await cluster.name(f"web.default.{SVC}")

    log = on(story, KUBEADM.replace("    errors\n", "    errors\n    log\n")).box.log
    assert f'"A IN web.default.{SVC}. udp 47 false 512" NOERROR qr,aa,rd 63 0.' in log


def test_many_addresses_come_by_tcp_where_a_datagram_is_too_small() -> None:
    async def story(cluster: Cluster) -> None:
        many = [f"10.244.{n}.1" for n in range(60)]
        cluster.api.put("services", service("many"))
        cluster.api.put("endpointslices.discovery.k8s.io",
                        endpoints("many", *many, ports=(("x", 1),)))  # fmt: skip
        await asyncio.sleep(0.01)
        assert (await cluster.ask(f"many.default.{SVC}")).header.tc
        assert len((await cluster.ask(f"many.default.{SVC}", size=4096)).rr) == 60
        stream = await cluster.world.client.connect(cluster.box.address, 53)
        packet = bytes(DNSRecord.question(f"many.default.{SVC}").pack())
        framed = len(packet).to_bytes(2, "big") + packet
        await stream.send(framed + framed[:3])
        data = b""
        while len(data) < 2 or len(data) < 2 + int.from_bytes(data[:2], "big"):
            data += await stream.receive()
        assert sorted(str(one.rdata) for one in DNSRecord.parse(data[2:]).rr) == sorted(many)
        stream.close()

    on(story)


def test_it_ends_after_its_lameduck_and_answers_until_then() -> None:
    async def story(cluster: Cluster) -> None:
        loop = asyncio.get_running_loop()
        begun = loop.time()
        assert cluster.box.main is not None
        cluster.box.main.signal(15)
        await asyncio.sleep(2)
        assert await cluster.name(f"web.default.{SVC}") == ["10.96.0.7"]
        assert await cluster.box.main.wait() == 0
        assert 5 <= loop.time() - begun < 6

    assert "Going into lameduck mode for 5s" in on(story).box.log


def test_what_is_for_nobody_here_is_refused() -> None:
    async def story(cluster: Cluster) -> None:
        assert (await cluster.ask("b.test")).header.rcode == messages.REFUSED
        assert len((await cluster.ask("a.test")).ar) == 2

    on(story, "a.test:53 {\n whoami\n}\n")


@pytest.mark.parametrize(
    ("rule", "asked"),
    [
        ("name exact other.test web.default.svc.cluster.local", "other.test"),
        ("name suffix .short .default.svc.cluster.local", "web.short"),
        ("name regex (.*)\\.re\\.test\\. {1}.default.svc.cluster.local answer auto", "web.re.test"),
    ],
)
def test_names_are_rewritten_and_answered_as_they_were_asked(rule: str, asked: str) -> None:
    async def story(cluster: Cluster) -> None:
        answer = await cluster.ask(asked)
        assert [(str(one.rname), str(one.rdata)) for one in answer.rr] == [
            (asked + ".", "10.96.0.7")
        ]

    on(story, KUBEADM.replace("    loop\n", f"    rewrite {rule}\n"))


@pytest.mark.parametrize(
    ("config", "said"),
    [
        (".:53 {\n kubernetes {\n pods sometimes\n }\n}", "wrong value for pods: sometimes"),
        (".:53 {\n forward .\n}", "Wrong argument count or unexpected line ending after '.'"),
        (".:53 {\n forward . tls://9.9.9.9\n}", "TLS is not built in the emulated CoreDNS"),
        (".:53 {\n file /zone\n}", "it is not built in the emulated CoreDNS"),
        (".:53 {\n cache 30 {\n nothing\n }\n}", "unknown property 'nothing'"),
    ],
)
def test_a_corefile_that_cannot_be_used_ends_it(config: str, said: str) -> None:
    async def main() -> None:
        cluster = Cluster(config)
        process = await cluster.box.begin("-conf", "/etc/coredns/Corefile")
        assert await process.wait() == 1
        assert said in cluster.box.log

    virtual.run(main())


def test_a_full_cache_forgets_what_is_over_among_the_oldest_and_looks_at_no_more() -> None:
    def item(ttl: int) -> cache.Item:
        return cache.Item(Reply(), 0.0, ttl)

    young = {(str(number), 1, False): item(100) for number in range(1000)}
    half = cache.Half(1000, 60, 5, {("old", 1, False): item(5)} | young)
    cache.make_room(half, 50.0, 0.0)
    assert list(half.items) == list(young)
    cache.make_room(half, 50.0, 0.0)
    assert list(half.items) == list(young)[1:]
    cache.make_room(half, 200.0, 0.0)
    assert 900 < len(half.items) < 999
