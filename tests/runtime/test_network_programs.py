"""The network's programs of the shell, between containers and from outside."""

import asyncio

import pytest
from podworld import Node, on_a_node


def test_nc_listens_and_is_reached_by_other_pods_and_from_outside() -> None:
    async def story(node: Node) -> None:
        server = await node.run("server", "busybox", "nc", "-lk", "-p", "80")
        client = await node.run("client", "busybox", "sleep", "9999")
        where = node.address("server")
        said = await node.sh(client, f"echo hello | nc {where} 80; echo $?")
        assert said == "0\n"
        assert await node.said(server) == ["hello"]
        outputs = await node.forward("server", 80, b"from outside\n")
        assert outputs[0].connected
        assert (await node.said(server))[1:] == ["from outside"]
        assert await node.sh(client, f"nc -zv {where} 80") == f"{where} ({where}:80) open\n"
        refused = await node.sh(client, f"nc -z {where} 81; echo $?")
        assert refused == f"nc: {where} ({where}:81): Connection refused\n1\n"

    on_a_node(story)


@pytest.mark.parametrize("send", ["nc -w 3 {} 9 < /big", "cat /big | nc -w 3 {} 9"])
def test_nc_sends_all_to_who_says_nothing(send: str) -> None:
    async def story(node: Node) -> None:
        server = await node.run("server", "busybox", "sleep", "9999")
        client = await node.run("client", "busybox", "sleep", "9999")
        await node.sh(client, "dd if=/dev/zero of=/big bs=1M count=5 2>/dev/null")
        await node.sh(server, "nc -l -p 9 < /dev/null > /got & sleep 1")
        assert await node.sh(client, f"{send.format(node.address('server'))}; echo $?") == "0\n"
        assert await node.sh(server, "sleep 1; wc -c < /got") == "5242880\n"

    on_a_node(story)


def test_nc_talks_both_ways_and_by_datagrams() -> None:
    async def story(node: Node) -> None:
        server = await node.run("server", "busybox", "sleep", "9999")
        said = await node.sh(server, "echo answer | nc -l -p 7 > /got & sleep 1; "
                                     "echo question | nc localhost 7; wait; cat /got")  # fmt: skip
        assert said == "answer\nquestion\n"
        script = "nc -ul -p 9 -w 3 > /got & sleep 1; echo datagram | nc -u -w 1 127.0.0.1 9; "
        said = await node.sh(server, script + "wait; cat /got")
        assert said == "datagram\n"
        assert "Connection refused" in await node.sh(server, "nc -zu localhost 10")

    on_a_node(story)


@pytest.mark.parametrize(
    ("sent", "wget", "curl"),
    [
        ("", "error getting response", "(52) Empty reply from server"),
        ("hello\\r\\n\\r\\n", "error getting response", "(1) Received HTTP/0.9 when not allowed"),
        ("HTTP/1.1 200 OK\\r\\nno header\\r\\n\\r\\n", "error getting response",
         "(8) Header without colon"),
        ("HTTP/1.1 2 OK\\r\\n\\r\\n", "error getting response", "(8) Invalid status line"),
        ("HTTP/1.1 200 OK\\r\\nContent-Length: 9\\r\\n\\r\\nab", "connection closed prematurely",
         "(18) end of response with 7 bytes missing"),
        ("HTTP/1.1 200 OK\\r\\nTransfer-Encoding: chunked\\r\\n\\r\\nzz\\r\\n",
         "connection closed prematurely", "(56) Malformed encoding found in chunked-encoding"),
    ],
)  # fmt: skip
def test_an_answer_that_is_none_is_told_in_the_words_of_the_program(
    sent: str, wget: str, curl: str
) -> None:
    async def story(node: Node) -> None:
        cid = await node.run("server", "busybox", "sleep", "9999")
        for port, program in ((7, "wget -q -O /dev/null"), (8, "curl -s -S -o /dev/null")):
            said = await node.sh(
                cid, f"printf '{sent}' | nc -l -p {port} > /dev/null & sleep 1; "
                f"{program} http://localhost:{port}/",
            )  # fmt: skip
            assert said == (f"wget: {wget}\n" if port == 7 else f"curl: {curl}\n")

    on_a_node(story)


def test_what_is_off_the_node_is_not_reached_and_says_so() -> None:
    async def story(node: Node) -> None:
        cid = await node.run("client", "busybox", "sleep", "9999")
        said = await node.sh(
            cid, "wget -q -O- http://10.96.0.1/; ping -c 1 10.244.9.9; nc 10.0.0.9 80"
        )
        assert said.splitlines() == [
            "wget: can't connect to remote host (10.96.0.1): No route to host",
            "PING 10.244.9.9 (10.244.9.9): 56 data bytes",
            "ping: sendto: No route to host",
            "nc: 10.0.0.9 (10.0.0.9:80): No route to host",
        ]

    on_a_node(story)


def test_httpd_serves_files_to_wget_and_to_probes() -> None:
    async def story(node: Node) -> None:
        script = "mkdir -p /www/sub; echo home > /www/index.html; echo x > /www/a.txt; "
        script += "cd /www; exec httpd -f -v -p 8080 -h /www"
        server = await node.run("server", "busybox", "sh", "-c", script)
        await asyncio.sleep(0.1)
        client = await node.run("client", "busybox", "sleep", "9999")
        url = f"http://{node.address('server')}:8080"
        assert await node.sh(client, f"wget -q -O - {url}") == "home\n"
        assert await node.sh(client, f"wget -qO /tmp/x {url}; cat /tmp/x") == "home\n"
        assert await node.sh(client, f"wget -qcT 5 -O- {url}") == "home\n"
        assert await node.sh(client, f"cd /tmp; wget {url}/a.txt; cat a.txt") == (
            f"Connecting to {url[7:]} ({url[7:]})\nsaving to 'a.txt'\n"
            f"a.txt                100% |{'*' * 32}|     2  0:00:00 ETA\n'a.txt' saved\nx\n"
        )
        for path, why in (("none", "404 Not Found"), ("sub/", "404 Not Found")):
            said = await node.sh(client, f"wget -q {url}/{path}")
            assert said == f"wget: server returned error: HTTP/1.1 {why}\n"
        said = await node.sh(client, f"wget --spider -S {url}/a.txt")
        assert "  HTTP/1.1 200 OK\n" in said
        assert "  Content-Length: 2\n" in said
        assert said.endswith("remote file exists\n")
        said = await node.sh(client, f"wget -q --post-data a=1 {url}/")
        assert said == "wget: server returned error: HTTP/1.1 400 Bad Request\n"
        assert "HTTP/1.1 200 OK" in await node.get("server", 8080)
        assert "HTTP/1.1 404 Not Found" in await node.get("server", 8080, "/../../etc/passwd")
        assert "HTTP/1.1 302 Found" in await node.get("server", 8080, "/sub")
        assert "HTTP/1.1 400" in "".join(
            one.data.decode() for one in await node.forward("server", 8080, b"nonsense\r\n\r\n")
        )
        assert (await node.said(server))[-1].endswith("response:200")

    on_a_node(story)


def test_httpd_goes_into_the_background() -> None:
    async def story(node: Node) -> None:
        cid = await node.run("web", "busybox", "sh", "-c", "httpd -p 80 -h /etc; sleep 9999")
        await asyncio.sleep(0.1)
        assert "web" in await node.get("web", 80, "/hostname")
        said = await node.sh(cid, "httpd -f -p 80")
        assert said == "httpd: bind: Address already in use\n"
        said = await node.sh(cid, "netstat -ltn; ss -ltn")
        assert "tcp        0      0 :::80                   :::*                    LISTEN" in said
        assert "tcp    LISTEN  0       0       *:80" in said

    on_a_node(story)


def test_a_background_server_ends_with_its_container() -> None:
    async def story(node: Node) -> None:
        server = await node.run("web", "busybox", "sh", "-c", "httpd -p 80; sleep 9999")
        client = await node.run("client", "busybox", "sleep", "9999")
        await asyncio.sleep(0.1)
        where = node.address("web")
        await node.exec(client, "sh", "-c", f"nc {where} 80 > /tmp/out; echo $? > /tmp/code &")
        await node.stop(server, grace=0)
        assert "Connection refused" in await node.sh(client, f"nc -z {where} 80")

    on_a_node(story)


def test_ping_counts() -> None:
    async def story(node: Node) -> None:
        cid = await node.run("client", "busybox", "sleep", "9999")
        lines = (await node.sh(cid, "ping -c 3 -i 0.5 localhost")).splitlines()
        assert lines[0] == "PING localhost (127.0.0.1): 56 data bytes"
        assert lines[1].startswith("64 bytes from 127.0.0.1: seq=0 ttl=64 time=0.0")
        assert lines[3].startswith("64 bytes from 127.0.0.1: seq=2 ttl=64 time=0.0")
        assert lines[6] == "3 packets transmitted, 3 packets received, 0% packet loss"
        assert "seq=0" in await node.sh(cid, "ping6 -c 1 localhost")

    on_a_node(story)


@pytest.mark.parametrize(
    ("script", "said"),
    [
        ("hostname -i", "10.244.1.2 fd00:1::2\n"),
        ("ip -4 addr show eth0 | grep inet",
         "    inet 10.244.1.2/24 brd 10.244.1.255 scope global eth0\n"),
        ("ip route", "default via 10.244.1.1 dev eth0 \n"
                     "10.244.1.0/24 dev eth0 scope link  src 10.244.1.2 \n"),
        ("ip link | grep ether", "    link/ether 0a:58:0a:f4:01:02 brd ff:ff:ff:ff:ff:ff\n"),
        ("ip addr add 10.0.0.1 dev eth0", "ip: RTNETLINK answers: Operation not permitted\n"),
        ("ifconfig eth0 | head -n 2",
         "eth0      Link encap:Ethernet  HWaddr 0A:58:0A:F4:01:02\n"
         "          inet addr:10.244.1.2  Bcast:10.244.1.255  Mask:255.255.255.0\n"),
        ("ifconfig nope", "ifconfig: nope: error fetching interface information: "
                          "Device not found\n"),
        ("wget -q https://web/", "wget: https://web/: https is not built: "
                                 "pods have no TLS so far\n"),
        ("wget -q ftp://web/", "wget: not an http or ftp url: ftp://web/\n"),
        ("wget", "wget: missing URL\nUsage: wget [-qS] [-O FILE] [-T SECS] [--spider] URL...\n"),
        ("wget -q http://nobody/", "wget: bad address 'nobody'\n"),
        ("wget -q http://x:99999/", "wget: bad port in http://x:99999/\n"),
        ("ping nobody", "ping: bad address 'nobody'\n"),
        ("nslookup nobody", "Server:\t\t127.0.0.1\nAddress:\t127.0.0.1:53\n\n"
                            ";; connection timed out; no servers could be reached\n\n"),
        ("dig web", "sh: dig: not found\n"),
        ("telnet localhost 1",
         "telnet: can't connect to remote host (127.0.0.1): Connection refused\n"),
        ("nc -l", "nc: bad or missing local port\n"),
        ("nc -e sh localhost 1", "nc: -e is not built\n"),
        ("netstat", "Active Internet connections (w/o servers)\nProto Recv-Q Send-Q "
                    "Local Address           Foreign Address         State       \n"),
    ],
)  # fmt: skip
def test_what_programs_say(script: str, said: str) -> None:
    async def story(node: Node) -> None:
        cid = await node.run("web", "busybox", "sleep", "9999")
        assert await node.sh(cid, script) == said

    on_a_node(story)


def test_pods_of_the_nodes_network_share_it() -> None:
    async def story(node: Node) -> None:
        for name in ("one", "two"):
            await node.pod(name, host=True)
        await node.run("one", "busybox", "httpd", "-f", "-p", "9100", "-h", "/etc")
        other = await node.run("two", "busybox", "sleep", "9999")
        pod = await node.run("pod", "busybox", "sleep", "9999")
        await asyncio.sleep(0.1)
        assert await node.sh(other, "wget -q -O- localhost:9100/hostname") == "one\n"
        assert await node.sh(pod, "wget -q -O- 10.244.1.1:9100/hostname") == "one\n"
        assert "refused" in await node.sh(pod, "wget -q -O- localhost:9100/hostname")

    on_a_node(story)


def test_traceroute_shows_the_way() -> None:
    async def story(node: Node) -> None:
        cid = await node.run("pod", "busybox", "sleep", "9999")
        where = node.address("pod")
        first, hop = (await node.sh(cid, f"traceroute -q 2 {where} 60")).splitlines()
        assert first == f"traceroute to {where} ({where}), 30 hops max, 60 byte packets"
        assert hop == f" 1  {where} ({where})  0.050 ms  0.050 ms"
        said = await node.sh(cid, "traceroute nowhere; traceroute -m 0 pod; traceroute 10.0.0.9")
        assert "bad address 'nowhere'" in said
        assert "usage: traceroute" in said
        assert "sendto: No route to host" in said

    on_a_node(story)
