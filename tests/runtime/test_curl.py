"""curl between containers: what it sends, prints and ends with."""

import asyncio
import datetime
import ipaddress
import random
import ssl
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest
from dataworld import Box, World

from cluster.aio import tasks, virtual
from cluster.runtime.emulated import catalog
from cluster.runtime.emulated.image import Image
from cluster.runtime.vos import accepting
from cluster.runtime.vos.kernel import Call
from cluster.runtime.vos.sockets import Stream
from cluster.runtime.vos.tls import Tls

CURL = catalog.find("curlimages/curl")
assert CURL is not None
ANSWERS = {
    "/ok": b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 6\r\n\r\nhello\n",
    "/moved": b"HTTP/1.1 302 Found\r\nLocation: /ok\r\nContent-Length: 0\r\n\r\n",
    "/kept": b"HTTP/1.1 307 Temporary Redirect\r\nLocation: /echo\r\nContent-Length: 0\r\n\r\n",
    "/loop": b"HTTP/1.1 301 Moved Permanently\r\nLocation: /loop\r\nContent-Length: 0\r\n\r\n",
    "/away": b"HTTP/1.1 302 Found\r\nLocation: http://other:80/echo\r\nContent-Length: 0\r\n\r\n",
    "/bad": b"HTTP/1.1 302 Found\r\nLocation: http://[x/\r\nContent-Length: 0\r\n\r\n",
    "/tel": b"HTTP/1.1 302 Found\r\nLocation: telnet://web\r\nContent-Length: 0\r\n\r\n",
    "/none": b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n",
    "/404": b"HTTP/1.1 404 Not Found\r\nContent-Length: 5\r\n\r\nnone\n",
    "/cut": b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhell",
    "/empty": b"",
    "/junk": b"SSH-2.0-OpenSSH_9.2\r\n",
    "/chunked": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n",
}


async def server(call: Call) -> int:
    """Answers by path; /echo gives the request back, /slow waits, /flaky fails twice."""
    asked = 0

    async def serve(stream: Stream) -> None:
        nonlocal asked
        data = b""
        while b"\r\n\r\n" not in data:
            more = await stream.receive()
            if not more:
                return
            data += more
        head, _, body = data.partition(b"\r\n\r\n")
        length = next((int(line[16:]) for line in head.split(b"\r\n")
                       if line.lower().startswith(b"content-length: ")), 0)  # fmt: skip
        while len(body) < length:
            body += await stream.receive()
        path = head.split(b" ")[1].decode().partition("?")[0]
        if path == "/slow":
            await stream.send(b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nhel")
            await asyncio.sleep(30)
        if path == "/flaky":
            asked += 1
            lame = b"HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\n\r\n"
            await stream.send(lame if asked < 3 else ANSWERS["/ok"])
            return
        whole = head + b"\r\n\r\n" + body
        echo = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b" % (len(whole), whole)
        await stream.send(ANSWERS.get(path, echo))

    if call.env.get("TLS"):
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(call.env["TLS"])
        plain = serve

        async def serve(stream: Stream) -> None:
            tls = Tls(stream, context)
            try:
                await tls.handshake()
            except ssl.SSLError:
                return
            await plain(tls)

    await accepting.serve(call.net.listen(80), serve)
    return 0


SERVER = Image(names=("test/server",), cmd=("server",), programs={"server": server})


def between(story: Callable[[Box], Awaitable[None]], **env: str) -> None:
    """Run a story in a container with curl, where `web` and `other` are servers."""

    async def main() -> None:
        world = World()
        names = ""
        for name in ("web", "other"):
            box = world.box(SERVER, **env)
            box.begin()
            names += f"{box.address} {name}\n"
        client = world.box(CURL)
        client.kernel.files.put("/etc/hosts", f"127.0.0.1 localhost\n{names}".encode())
        client.kernel.files.put("/tmp/data", b"one\r\ntwo\n")
        await story(client)

    virtual.run(main())


HEAD = "HTTP/1.1\r\nHost: web\r\n"
REST = "User-Agent: curl/8.11.1\r\nAccept: */*\r\n"
FORM = "Content-Type: application/x-www-form-urlencoded\r\n"


@pytest.mark.parametrize(
    ("words", "out", "code"),
    [
        ("web/ok", "hello\n", 0),
        ("http://web:80/chunked", "abc", 0),
        ("web/echo?a=b#c", f"GET /echo?a=b {HEAD}{REST}\r\n", 0),
        ("-X DELETE -A me -e you -b k=v web/echo",
         f"DELETE /echo {HEAD}User-Agent: me\r\nAccept: */*\r\nReferer: you\r\nCookie: k=v\r\n"
         "\r\n", 0),
        ("-H 'Accept: a/b' -H X-One:1 -H User-Agent: -HHost:me web/echo",
         "GET /echo HTTP/1.1\r\nHost: me\r\nAccept: a/b\r\nX-One: 1\r\n\r\n", 0),
        ("-u me:secret web/echo",
         f"GET /echo {HEAD}Authorization: Basic bWU6c2VjcmV0\r\n{REST}\r\n", 0),
        ("-d a=1 --data b=2 web/echo",
         f"POST /echo {HEAD}{REST}Content-Length: 7\r\n{FORM}\r\na=1&b=2", 0),
        ("-d @/tmp/data web/echo",
         f"POST /echo {HEAD}{REST}Content-Length: 6\r\n{FORM}\r\nonetwo", 0),
        ("--data-urlencode 'q=a b&' -G web/echo", f"GET /echo?q=a%20b%26 {HEAD}{REST}\r\n", 0),
        ("--json '{}' web/echo",
         f"POST /echo {HEAD}User-Agent: curl/8.11.1\r\nAccept: application/json\r\n"
         "Content-Length: 2\r\nContent-Type: application/json\r\n\r\n{}", 0),
        ("-T /tmp/data web/echo",
         f"PUT /echo {HEAD}{REST}Content-Length: 9\r\n\r\none\r\ntwo\n", 0),
        ("-I web/ok", "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 6\r\n\r\n",
         0),
        ("-i web/404", "HTTP/1.1 404 Not Found\r\nContent-Length: 5\r\n\r\nnone\n", 0),
        ("web/moved", "", 0),
        ("-L web/moved", "hello\n", 0),
        ("-L -d x web/moved", "hello\n", 0),
        ("-L -d x web/kept", f"POST /echo {HEAD}{REST}Content-Length: 1\r\n{FORM}\r\nx", 0),
        ("-L -u me:secret web/away", f"GET /echo HTTP/1.1\r\nHost: other\r\n{REST}\r\n", 0),
        ("-L --max-redirs 3 web/loop",
         "curl: (47) Maximum (3) redirects followed\n", 47),
        ("-f web/404", "curl: (22) The requested URL returned error: 404\n", 22),
        ("--fail-with-body web/404", "none\ncurl: (22) The requested URL returned error: 404\n",
         22),
        ("-o /dev/null -w '%{http_code} %{size_download} %{content_type}\\n' web/ok",
         "200 6 text/plain\n", 0),
        ("-w '%{num_redirects} %{url_effective} %header{content-length}%%' -L web/moved",
         "hello\n1 http://web/ok 6%", 0),
        ("-w '%{redirect_url}' web/moved", "http://web/ok", 0),
        ("-w '%{http_code}' nowhere", "curl: (6) Could not resolve host: nowhere\n000", 6),
        ("web:81", "curl: (7) Failed to connect to web port 81 after 0 ms: "
                   "Could not connect to server\n", 7),
        ("--connect-timeout 2 10.9.9.9", "curl: (7) Failed to connect to 10.9.9.9 port 80 after "
                                         "0 ms: Could not connect to server\n", 7),
        ("-m 2 web/slow", "helcurl: (28) Operation timed out after 2000 milliseconds with 3 out "
                          "of 6 bytes received\n", 28),
        ("web/cut", "hellcurl: (18) end of response with 6 bytes missing\n", 18),
        ("web/empty", "curl: (52) Empty reply from server\n", 52),
        ("web/junk", "curl: (1) Received HTTP/0.9 when not allowed\n", 1),
        ("ftp://web", 'curl: (1) Protocol "ftp" not supported\n', 1),
        ("http://", "curl: (3) URL rejected: No host part in the URL\n", 3),
        ("'http://a b'", "curl: (3) URL rejected: Malformed input to a URL function\n", 3),
        ("http://web:99999", "curl: (3) URL rejected: Port number was not a decimal number "
                             "between 0 and 65535\n", 3),
        ("", "curl: (2) no URL specified\n", 2),
        ("--zork web", "curl: option --zork: is unknown\n"
                       "curl: try 'curl --help' or 'curl --manual' for more information\n", 2),
        ("web -m", "curl: option -m: requires parameter\n"
                   "curl: try 'curl --help' or 'curl --manual' for more information\n", 2),
        ("-m x web", "curl: option -m: expected a proper numerical parameter\n"
                     "curl: try 'curl --help' or 'curl --manual' for more information\n", 2),
        ("-x proxy web", "curl: option -x: not emulated\n", 2),
        ("-d @/none web", "curl: (26) Failed to open /none: No such file or directory\n", 26),
        ("-o /no/such/folder web/ok",
         "curl: (23) client returned ERROR on write: No such file or directory\n", 23),
        ("-o /no/such/folder web/none",
         "curl: (23) client returned ERROR on write: No such file or directory\n", 23),
        ("-o /tmp/none web/none; wc -c /tmp/none", "0 /tmp/none\n", 0),
        ("web/bad", "curl: (3) URL rejected: Bad IPv6 address\n", 3),
        ("-L web/tel",
         'curl: (1) Protocol "telnet" not supported or disabled in redirects\n', 1),
        ("http://[::1/", "curl: (3) URL rejected: Bad IPv6 address\n", 3),
        ("-H 'a b: c' web/ok", "curl: (43) bad request: Illegal header name b'a b'\n", 43),
        ("-O web/", "curl: (23) Remote file name has no length\n", 23),
        ("--resolve www.example:80:10.244.0.2 http://www.example/ok", "hello\n", 0),
        ("-sS -o /tmp/got web/ok; cat /tmp/got", "hello\n", 0),
        ("-O --output-dir /tmp/a/b --create-dirs web/ok; cat /tmp/a/b/ok", "hello\n", 0),
        ("-D /tmp/head web/404 >/dev/null; head -n 1 /tmp/head",
         "HTTP/1.1 404 Not Found\r\n", 0),
        ("--retry 3 web/flaky",
         "Warning: Problem: HTTP error. Will retry in 1 second. 3 retries left.\n"
         "Warning: Problem: HTTP error. Will retry in 2 seconds. 2 retries left.\nhello\n", 0),
        ("telnet://web:80 </tmp/get", "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n"
                                      "Content-Length: 6\r\n\r\nhello\n", 0),
        ("web/ok nowhere web/404", "hello\ncurl: (6) Could not resolve host: nowhere\nnone\n", 0),
    ],
)  # fmt: skip
def test_a_command_does_what_curl_does(words: str, out: str, code: int) -> None:
    async def story(client: Box) -> None:
        client.kernel.files.put("/tmp/get", b"GET /ok HTTP/1.1\r\n\r\n")
        result = await client.run("sh", "-c", f"{{ curl --no-progress-meter {words}; }} 2>&1")
        assert (result.out, result.code) == (out, code)

    between(story)


def test_silence_has_degrees() -> None:
    async def story(client: Box) -> None:
        for words, err in (
            ("-s", ""),
            ("-sS", "curl: (6) Could not resolve host: nowhere\n"),
        ):
            result = await client.run("curl", words, "nowhere")
            assert (result.err, result.code) == (err, 6)
        result = await client.run("curl", "web/ok")
        assert result.out == "hello\n"
        assert result.err.startswith("  % Total    % Received % Xferd")
        assert result.err.endswith("100     6  100     6    0     0      0      0 "
                                   "--:--:-- --:--:-- --:--:--     0\n")  # fmt: skip
        result = await client.run("curl", "-sv", "web/ok")
        for line in ("* Connected to web (10.244.0.2) port 80", "> GET /ok HTTP/1.1\r",
                     "> Host: web\r", "< HTTP/1.1 200 OK\r",
                     "* Connection #0 to host web left intact"):  # fmt: skip
            assert line in result.err.split("\n")

    between(story)


def test_the_image_takes_arguments_or_a_program() -> None:
    async def story(client: Box) -> None:
        for words, begin in (
            (("curl", "--version"), "curl 8.11.1 (emulated by kubemu)"),
            (("-s", "web/ok"), "hello"),
            (("sh", "-c", "echo shell"), "shell"),
        ):
            client.out.data.clear()
            await client.begin(*words).wait()
            assert client.out.data.decode().startswith(begin)

    between(story)


def certificate(folder: Path) -> tuple[str, str]:
    """A key with its own certificate, in a file; and the certificate's text."""
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "web")])
    begin = datetime.datetime(2020, 1, 1, tzinfo=datetime.UTC)
    names = [x509.DNSName("web"), x509.IPAddress(ipaddress.ip_address("10.244.0.2"))]
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(begin)
        .not_valid_after(begin + datetime.timedelta(days=36500))
        .add_extension(x509.SubjectAlternativeName(names), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    text = made.public_bytes(serialization.Encoding.PEM)
    secret = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    path = folder / "server.pem"
    path.write_bytes(secret + text)
    return str(path), text.decode()


def test_https_is_checked_unless_it_is_not_to_be(tmp_path: Path) -> None:
    path, text = certificate(tmp_path)

    async def story(client: Box) -> None:
        client.kernel.files.put("/ca.crt", text.encode())
        asked = ("curl", "-sS", "https://web:80/ok")
        refused = await client.run(*asked)
        begin = "curl: (60) SSL certificate problem: self-signed certificate\nMore details here: "
        assert refused.code == 60
        assert refused.err.startswith(begin)
        assert (await client.run(*asked, "-k")).out == "hello\n"
        assert (await client.run(*asked, "--cacert", "/ca.crt")).out == "hello\n"
        assert (await client.run(*asked, "--cacert", "/none")).code == 77
        other = await client.run("curl", "-sS", "https://other:80/ok", "--cacert", "/ca.crt")
        assert other.code == 60
        assert "ostname mismatch" in other.err
        plain = await client.run("curl", "-sS", "http://web:80/ok")
        assert plain.code == 52

    between(story, TLS=path)


def test_https_to_a_plain_server_fails() -> None:
    async def story(client: Box) -> None:
        result = await client.run("curl", "-sSk", "https://web:80/junk", "-m", "5")
        assert result.code in (28, 35)
        result = await client.run("curl", "-sSk", "https://web:81/")
        assert result.code == 7

    between(story)


def test_whatever_a_server_sends_curl_ends_with_a_code_of_its_own() -> None:
    chance = random.Random(7)
    heads = (b"", b"HTTP/1.1 ", b"HTTP/1.1 200 OK\r\n", b"HTTP/1.1 200 OK\r\nTransfer-Encoding: "
             b"chunked\r\n\r\n", b"HTTP/1.1 200 OK\r\nContent-Length: 99999999999999999999\r\n\r\n",
             b"HTTP/1.1 302 Found\r\nLocation: ", b"HTTP/1.1 100 Continue\r\n\r\n")  # fmt: skip
    answers = [head + chance.randbytes(chance.choice((0, 1, 30, 3000)))
               for head in heads for _ in range(6)]  # fmt: skip

    async def story(client: Box) -> None:
        async def serve(stream: Stream) -> None:
            await stream.receive()
            await stream.send(answers[at])

        async with tasks.Group("server") as group:
            listener = client.net.listen(8080)
            group.spawn(accepting.serve(listener, serve), "server")
            for at in range(len(answers)):
                result = await client.run(
                    "curl", "-sSL", "-m", "9", "-o", "/tmp/x", "localhost:8080"
                )
                assert result.code in (0, 1, 3, 6, 7, 8, 18, 28, 52, 56), (at, result)
                assert result.err.startswith(f"curl: ({result.code}) ") or result.code == 0
            group.cancel()

    between(story)
