"""`dig` and `host` of the images that have them, against a name server."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable

import dnslib
import pytest
from vosworld import Result
from webworld import Box, World

from cluster.aio import tasks, virtual
from cluster.runtime.emulated import catalog
from cluster.runtime.podnetwork import Namespace

SERVER = "10.244.0.2"
RESOLV = (
    f"search default.svc.cluster.local svc.cluster.local\nnameserver {SERVER}\noptions ndots:5\n"
)
ZONE = """
web.default.svc.cluster.local. 30 IN A 10.96.0.7
_http._tcp.web.default.svc.cluster.local. 30 IN SRV 0 100 80 web.default.svc.cluster.local.
7.0.96.10.in-addr.arpa. 30 IN PTR web.default.svc.cluster.local.
alias.example.com. 300 IN CNAME www.example.com.
www.example.com. 300 IN A 192.0.2.1
www.example.com. 300 IN AAAA 2001:db8::1
mail.example.com. 300 IN MX 10 mx.example.com.
txt.example.com. 300 IN TXT "v=1" "b c"
"""
RECORDS = dnslib.RR.fromZone(ZONE)
SOA = dnslib.RR.fromZone("cluster.local. 30 IN SOA ns. host. 1 7200 1800 86400 30")


def answered(query: dnslib.DNSRecord, *, tcp: bool) -> bytes:
    reply = query.reply(ra=0)
    reply.header.ad = 0
    name, kind = str(query.q.qname), query.q.qtype
    if name == "big.example.com." and not tcp:
        reply.header.tc = 1
    elif name == "big.example.com." and kind == dnslib.QTYPE.A:
        reply.add_answer(*dnslib.RR.fromZone("big.example.com. 5 IN A 192.0.2.9"))
    rows = [one for one in RECORDS if str(one.rname) == name]
    reply.add_answer(*(one for one in rows if one.rtype in (kind, dnslib.QTYPE.CNAME)))
    if any(one.rtype == dnslib.QTYPE.CNAME for one in rows):
        reply.add_answer(*(one for one in RECORDS if str(one.rname) == "www.example.com."
                           and one.rtype == kind))  # fmt: skip
    if not rows and name != "big.example.com.":
        reply.header.rcode = 3
        reply.add_auth(*SOA)
    if name == "broken.example.com.":
        reply.header.rcode = 2
    if query.ar:
        reply.add_ar(dnslib.EDNS0(udp_len=1232))
    return bytes(reply.pack())


@contextlib.asynccontextmanager
async def serving(server: Namespace) -> AsyncIterator[None]:
    async def datagrams() -> None:
        sock = server.datagrams(53)
        while True:
            data, sender = await sock.receive()
            sock.send(answered(dnslib.DNSRecord.parse(data), tcp=False), sender)

    async def streams() -> None:
        listener = server.listen(53)
        while True:
            stream = await listener.accept()
            data = await stream.receive()
            made = answered(dnslib.DNSRecord.parse(data[2:]), tcp=True)
            await stream.send(len(made).to_bytes(2, "big") + made)
            stream.close()

    async with tasks.Group("dns") as group:
        group.spawn(datagrams(), "udp")
        group.spawn(streams(), "tcp")
        await asyncio.sleep(0)
        yield
        group.cancel()


def in_a_box(story: Callable[[Box], Awaitable[None]], resolv: str = RESOLV) -> None:
    async def main() -> None:
        world = World()
        image = catalog.find("e2e-test-images/agnhost")
        box = world.box(image, files={"/etc/resolv.conf": resolv, "/etc/hosts": ""})
        async with serving(world.client):
            await story(box)

    virtual.run(main())


def run(*argv: str) -> Result:
    kept: list[Result] = []

    async def story(box: Box) -> None:
        kept.append(await box.run(*argv))

    in_a_box(story)
    return kept[0]


def test_dig_shows_an_answer_as_bind_does() -> None:
    found = run("dig", "web.default.svc.cluster.local")
    number = found.out.partition("id: ")[2].split("\n")[0]
    assert found.code == 0
    assert (
        found.out
        == f"""
; <<>> DiG 9.18.33 <<>> web.default.svc.cluster.local
;; global options: +cmd
;; Got answer:
;; WARNING: .local is reserved for Multicast DNS
;; You are currently testing what happens when an mDNS query is leaked to DNS
;; ->>HEADER<<- opcode: QUERY, status: NOERROR, id: {number}
;; flags: qr aa rd; QUERY: 1, ANSWER: 1, AUTHORITY: 0, ADDITIONAL: 1
;; WARNING: recursion requested but not available

;; OPT PSEUDOSECTION:
; EDNS: version: 0, flags:; udp: 1232
;; QUESTION SECTION:
;web.default.svc.cluster.local.	IN	A

;; ANSWER SECTION:
web.default.svc.cluster.local. 30 IN	A	10.96.0.7

;; Query time: 0 msec
;; SERVER: {SERVER}#53({SERVER}) (UDP)
;; WHEN: Thu Jan 01 00:00:00 UTC 2026
;; MSG SIZE  rcvd: 74

"""
    )


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("+short web.default.svc.cluster.local", "10.96.0.7\n"),
        ("+short web", ""),
        ("+short +search web", "10.96.0.7\n"),
        ("+short +search +ndots=1 web.default", "10.96.0.7\n"),
        ("+short +domain=default.svc.cluster.local web", "10.96.0.7\n"),
        ("+short SRV _http._tcp.web.default.svc.cluster.local",
         "0 100 80 web.default.svc.cluster.local.\n"),
        ("-t srv +noall +answer _http._tcp.web.default.svc.cluster.local",
         "_http._tcp.web.default.svc.cluster.local. 30 IN\tSRV 0 100 80 "
         "web.default.svc.cluster.local.\n"),
        ("-x 10.96.0.7 +short", "web.default.svc.cluster.local.\n"),
        ("alias.example.com +short", "www.example.com.\n192.0.2.1\n"),
        ("www.example.com AAAA +noall +answer", "www.example.com.\t300\tIN\tAAAA\t2001:db8::1\n"),
        ("txt.example.com txt +short", '"v=1" "b c"\n'),
        ("@10.244.0.2 +short www.example.com mail.example.com mx",
         "192.0.2.1\n10 mx.example.com.\n"),
        ("big.example.com +short", "192.0.2.9\n"),
        ("big.example.com +short +ignore", ""),
        ("big.example.com +tcp +short", "192.0.2.9\n"),
    ],
)  # fmt: skip
def test_dig_asks_what_its_words_say(words: str, said: str) -> None:
    found = run("dig", *words.split())
    assert (found.out, found.err, found.code) == (said, "", 0)


def test_dig_of_a_name_that_nobody_has_shows_who_says_so() -> None:
    found = run("dig", "@10.244.0.2", "nobody.cluster.local", "+noedns", "+tcp")
    assert found.code == 0
    assert "\n; (1 server found)\n" in found.out
    assert "status: NXDOMAIN" in found.out
    assert "ADDITIONAL: 0\n" in found.out
    assert "\n;; AUTHORITY SECTION:\ncluster.local.\t\t30\tIN\tSOA\tns. host. 1 " in found.out
    assert f"{SERVER}#53({SERVER}) (TCP)\n" in found.out


@pytest.mark.parametrize(
    ("words", "out", "err", "code"),
    [
        ("@10.244.0.3 +short +tries=2 web", ";; communications error to 10.244.0.3#53: "
         "connection refused\n" * 1, "", 9),
        ("@nobody.example web", "", "dig: couldn't get address for 'nobody.example': not found\n",
         10),
        ("+nonsense web", "", "Invalid option: +nonsense\nUsage:", 1),
        ("+trace web", "", "+trace is not built in the emulated dig\n", 1),
        ("-x here", "", "Invalid IP address here\n", 1),
        ("+time=x web", "", "Couldn't parse 'x'", 1),
        (f"{'a' * 70}.com", "", "is not a legal name", 10),
        ("-v", "", "DiG 9.18.33\n", 0),
    ],
)  # fmt: skip
def test_dig_says_what_is_wrong(words: str, out: str, err: str, code: int) -> None:
    found = run("dig", *words.split())
    assert out in found.out
    assert err in found.err
    assert found.code == code


@pytest.mark.parametrize(
    ("words", "said", "code"),
    [
        ("web", "web.default.svc.cluster.local has address 10.96.0.7\n", 0),
        ("10.96.0.7", "7.0.96.10.in-addr.arpa domain name pointer web.default.svc.cluster.local.\n",
         0),
        ("alias.example.com", "alias.example.com is an alias for www.example.com.\n"
         "www.example.com has address 192.0.2.1\nwww.example.com has IPv6 address 2001:db8::1\n",
         0),
        ("-t srv _http._tcp.web", "_http._tcp.web.default.svc.cluster.local has SRV record "
         "0 100 80 web.default.svc.cluster.local.\n", 0),
        ("-t aaaa web", "web.default.svc.cluster.local has no AAAA record\n", 1),
        ("nobody", "Host nobody not found: 3(NXDOMAIN)\n", 1),
        ("-T big.example.com. 10.244.0.2", "Using domain server:\nName: 10.244.0.2\n"
         "Address: 10.244.0.2#53\nAliases: \n\nbig.example.com has address 192.0.2.9\n", 0),
    ],
)  # fmt: skip
def test_host_tells_each_record_in_a_sentence(words: str, said: str, code: int) -> None:
    found = run("host", *words.split())
    assert (found.out, found.code) == (said, code)


def test_nslookup_is_binds_where_dig_is() -> None:
    assert run("nslookup", "web").out == (
        f"Server:\t\t{SERVER}\nAddress:\t{SERVER}#53\n\n"
        "Name:\tweb.default.svc.cluster.local\nAddress: 10.96.0.7\n\n"
    )


def test_nslookup_tells_a_server_that_fails_from_none() -> None:
    assert run("nslookup", "broken.example.com.").out.endswith(
        "\n** server can't find broken.example.com: SERVFAIL\n\n"
    )
    assert run("nslookup", "web", "10.244.0.99").out.endswith(
        "\n;; connection timed out; no servers could be reached\n\n"
    )


@pytest.mark.parametrize("reference", ["nicolaka/netshoot", "library/busybox", "tutum/dnsutils"])
def test_dig_is_where_it_is_in_reality(reference: str) -> None:
    image = catalog.find(reference)
    assert ("dig" in catalog.programs(image)) == (reference != "library/busybox")


def test_nslookup_of_a_name_without_such_a_record_has_no_answer_though_the_search_goes_on() -> None:
    found = run("nslookup", "-type=aaaa", "web.default.svc.cluster.local")
    assert "*** Can't find web.default.svc.cluster.local: No answer\n" in found.out
    assert "NXDOMAIN" not in found.out
    assert found.code == 1
