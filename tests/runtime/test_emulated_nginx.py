"""nginx: what it serves by which configuration, what it logs, and how it starts, reloads, ends."""

import asyncio
import base64
from collections.abc import Awaitable, Callable

import pytest
from podworld import Node, on_a_node
from webworld import Box, World

from cluster.aio import virtual
from cluster.pb.cri.v1 import api_pb2 as cri
from cluster.runtime.emulated.nginx import IMAGES
from cluster.runtime.emulated.nginx.entrypoint import substituted
from cluster.runtime.emulated.nginx.exchange import version
from cluster.runtime.emulated.nginx.routing import normal

NGINX = IMAGES[0]
CONF = "/etc/nginx/conf.d/default.conf"
HUP, QUIT, TERM = 1, 3, 15


def serve(
    check: Callable[[World, Box], Awaitable[None]], conf: str = "", *, tag: str = "1.25",
    **files: str,
) -> Box:  # fmt: skip
    """Run nginx with a configuration, and a check on it."""
    kept: list[Box] = []

    async def main() -> None:
        world = World()
        given = {path.replace("__", "/"): text for path, text in files.items()}
        box = world.box(NGINX, tag, files=given | ({CONF: conf} if conf else {}))
        kept.append(box)
        await box.begin()
        await check(world, box)

    virtual.run(main())
    return kept[0]


def answers(conf: str, cases: list[tuple[str, int, str]], **files: str) -> Box:
    """Ask for paths; status and a part of the body, or of Location, of each."""

    async def check(world: World, box: Box) -> None:
        for target, status, text in cases:
            got = await world.get(box, target)
            shown = got.headers.get("location") or got.text
            assert (got.status, text in shown) == (status, True), (target, got)

    return serve(check, conf, **files)


def test_the_default_page_is_served_and_logged() -> None:
    async def check(world: World, box: Box) -> None:
        got = await world.get(box, headers={"User-Agent": "probe/1"})
        assert got.status == 200
        assert "<title>Welcome to nginx!</title>" in got.text
        assert got.headers.get("server") == "nginx/1.25.5"
        assert got.headers.get("content-type") == "text/html"
        missing = await world.get(box, "/nope")
        assert missing.status == 404
        assert "<center><h1>404 Not Found</h1></center>\r\n<hr><center>nginx/1.25.5" in missing.text

    box = serve(check)
    assert '10.244.0.2 - - [01/Jan/2026:00:00:00 +0000] "GET / HTTP/1.1" 200 391 "-" "probe/1" "-"'\
        in box.log  # fmt: skip
    assert "/docker-entrypoint.sh: Configuration complete; ready for start up\n" in box.log
    assert (
        'open() "/usr/share/nginx/html/nope" failed (2: No such file or directory), client: '
        '10.244.0.2, server: localhost, request: "GET /nope HTTP/1.1"'
    ) in box.errors
    assert "[notice] 1#1: start worker processes" in box.errors


@pytest.mark.parametrize(
    ("tag", "found"),
    [("1.14.2", "1.14.2"), ("1.25-alpine", "1.25.5"), ("latest", "1.27.5"), ("1.27.0-alpine-slim",
     "1.27.0"), ("stable", "1.27.5"), ("alpine3.20", "1.27.5"), ("0.21", "1.27.5")],
)  # fmt: skip
def test_the_version_is_that_of_the_tag(tag: str, found: str) -> None:
    assert version(tag) == found


@pytest.mark.parametrize(
    ("name", "found"),
    [("nginx:1.25", "1.25.5"), ("nginx", "1.27.5"), ("nginxinc/nginx-unprivileged:1.14.2-alpine",
     "1.14.2")],
)  # fmt: skip
def test_the_environment_has_the_version(name: str, found: str) -> None:
    async def story(node: Node) -> None:
        cid = await node.run("web", name)
        assert (await node.sh(cid, "echo $NGINX_VERSION")).strip() == found

    on_a_node(story)


@pytest.mark.parametrize(
    ("name", "port"),
    [
        ("registry.k8s.io/nginx-slim:0.21", 80), ("k8s.gcr.io/nginx-slim:0.8", 80),
        ("gcr.io/google_containers/nginx-slim:0.8", 80), ("registry.k8s.io/nginx:1.7.9", 80),
        ("registry.k8s.io/e2e-test-images/nginx:1.14-4", 80),
        ("nginxinc/nginx-unprivileged:1.25", 8080), ("bitnami/nginx", 8080),
    ],
)  # fmt: skip
def test_nginx_has_many_names(name: str, port: int) -> None:
    async def story(node: Node) -> None:
        cid = await node.run("web", name)
        root = "/opt/bitnami/nginx/html" if port == 8080 else "/usr/share/nginx/html"
        root = "/usr/share/nginx/html" if "unprivileged" in name else root
        made = await node.sh(cid, f"rm -f {root}/index.html; echo $(hostname) >{root}/index.html")
        # As the tutorial of StatefulSets does it. Files of nginx-unprivileged are root's.
        assert ("ermission denied" in made) is ("unprivileged" in name)
        answer = await node.get("web", port)
        assert "Server: nginx" in answer
        assert made or answer.endswith("\r\n\r\nweb\n")
        assert (await node.said(cid))[-1].startswith("127.0.0.1 - - [")

    on_a_node(story)


def test_nginx_without_leave_to_write_says_so_and_ends() -> None:
    async def story(node: Node) -> None:
        user = cri.LinuxContainerConfig()
        user.security_context.run_as_user.value = 1000
        cid = await node.run("web", "nginx", linux=user)
        await node.log(cid)
        assert (await node.ended(cid)).exit_code == 1
        (said,) = [line for line in await node.said(cid) if line.startswith("nginx: ")]
        assert said == 'nginx: [emerg] open() "/run/nginx.pid" failed (13: Permission denied)'

    on_a_node(story)


def test_files_are_served_whole_in_part_and_only_when_they_changed() -> None:
    async def check(world: World, box: Box) -> None:
        whole = await world.get(box, "/a.txt")
        tag = whole.headers.get("etag")
        modified = whole.headers.get("last-modified")
        assert whole.headers.get("content-type") == "text/plain"
        cases = [
            ({"If-None-Match": tag}, 304, b""),
            ({"If-None-Match": '"other"'}, 200, b"0123456789"),
            ({"If-Modified-Since": modified}, 304, b""),
            ({"If-Match": '"other"'}, 412, None),
            ({"Range": "bytes=2-4"}, 206, b"234"),
            ({"Range": "bytes=-3"}, 206, b"789"),
            ({"Range": "bytes=7-"}, 206, b"789"),
            ({"Range": "bytes=50-60"}, 416, None),
            ({"Range": "bytes=2-4", "If-Range": '"other"'}, 200, b"0123456789"),
            ({"Range": "lines=1-2"}, 200, b"0123456789"),
        ]
        for headers, status, body in cases:
            got = await world.get(box, "/a.txt", headers=headers)
            assert got.status == status, headers
            assert body is None or got.body == body, headers
        parts = await world.get(box, "/a.txt", headers={"Range": "bytes=0-1,8-9"})
        assert parts.status == 206
        assert b"Content-Range: bytes 8-9/10\r\n\r\n89\r\n" in parts.body
        head = await world.get(box, "/a.txt", method="HEAD")
        assert (head.status, head.body, head.headers.get("content-length")) == (200, b"", "10")
        assert (await world.get(box, "/a.txt", method="POST", body=b"x")).status == 405

    serve(check, **{"__usr__share__nginx__html__a.txt": "0123456789"})


@pytest.mark.parametrize(("told", "seconds", "said"), [("5", 5, False), ("0", 0, True)])
def test_connections_are_kept_as_long_as_the_configuration_says(
    told: str, seconds: float, said: bool
) -> None:
    conf = f"server {{ listen 80; keepalive_timeout {told}; location / {{ return 200 ok; }} }}"

    async def check(world: World, box: Box) -> None:
        loop = asyncio.get_running_loop()
        began = loop.time()
        found = await world.raw(box, b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        assert round(loop.time() - began, 2) == seconds
        assert (b"\r\nConnection: close\r\n" in found) == said

    serve(check, conf)


BOTH = b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n"
OLD = b"POST / HTTP/1.0\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
LARGE_LINE = b"GET /%b HTTP/1.1\r\nHost: x\r\n\r\n"
LARGE_FIELD = b"GET / HTTP/1.1\r\nHost: x\r\nA: %b\r\n\r\n"


@pytest.mark.parametrize(
    ("request_", "status", "title"),
    [
        (BOTH + b"0\r\n\r\nGET /evil HTTP/1.1\r\nHost: x\r\n\r\n", "400", "400 Bad Request"),
        (OLD + b"0\r\n\r\n", "400", "400 Bad Request"),
        (b"nonsense\r\n\r\n", "400", "400 Bad Request"),
        (LARGE_LINE % (b"a" * 8177), "414", "414 Request-URI Too Large"),
        (LARGE_LINE % (b"a" * 40000), "414", "414 Request-URI Too Large"),
        (b"GET /" + b"a" * 40000, "414", "414 Request-URI Too Large"),
        (LARGE_FIELD % (b"a" * 8188), "400", "400 Request Header Or Cookie Too Large"),
        (LARGE_LINE % (b"a" * 8176), "200", ""),
        (LARGE_FIELD % (b"a" * 8187), "200", ""),
        (BOTH.replace(b"Content-Length: 4\r\n", b"") + b"0\r\n\r\n", "200", ""),
    ],
)
def test_heads_that_nginx_refuses(request_: bytes, status: str, title: str) -> None:
    async def check(world: World, box: Box) -> None:
        answer = (await world.raw(box, request_)).decode()
        assert answer.count("HTTP/1.1 ") == 1
        assert answer.split(maxsplit=2)[1] == status
        assert ("<center><h1>" in answer) == bool(title)
        assert f"<title>{title}</title>" in answer or not title

    serve(check, "server { listen 80; location / { return 200 ok; } }")


def test_the_host_of_an_absolute_target_goes_before_the_header() -> None:
    conf = """server { listen 80 default_server; return 404; }
        server { listen 80; server_name a.example.com; return 200 "$host $request_uri"; }"""

    async def check(world: World, box: Box) -> None:
        for target, said in (("/x?y", "/x?y"), (":80?y=/z", "/?y=/z"), ("", "/")):
            got = await world.get(box, f"http://A.example.com{target}", headers={"Host": "other"})
            assert (got.status, got.text) == (200, f"a.example.com {said}")

    serve(check, conf)


def test_locations_are_chosen_as_nginx_chooses() -> None:
    answers(
        """server {
            listen 80;
            location = / { return 200 root; }
            location / { return 200 prefix; }
            location /images/ { return 200 images; }
            location ^~ /static/ { return 200 static; }
            location ~* \\.(gif|png)$ { return 200 "picture $1"; }
            location ~ ^/user/(?<name>\\w+)/(\\d+)$ { return 200 "$name:$2"; }
            location /old { return 301 /new; }
            location /away { return 302 https://example.com$request_uri; }
            location /teapot { return 418; }
        }""",
        [
            ("/", 200, "root"), ("/index", 200, "prefix"), ("/images/a.txt", 200, "images"),
            ("/images/a.GIF", 200, "picture GIF"), ("/static/a.gif", 200, "static"),
            ("/user/ann/7", 200, "ann:7"), ("/user/ann/x", 200, "prefix"),
            ("/a/../images//x", 200, "images"), ("/%69mages/x", 200, "images"),
            ("/old", 301, "http://10.244.0.3/new"),
            ("/away?x=1", 302, "https://example.com/away?x=1"),
            ("/../etc", 400, "400 Bad Request"), ("/teapot", 418, ""),
        ],
    )  # fmt: skip


def test_rewriting_variables_maps_and_conditions() -> None:
    answers(
        """map $arg_kind $backend { default none; ~^v(?<n>\\d+)$ "version $n"; web site; }
        server {
            listen 80;
            set $greeting hello;
            rewrite ^/old/(.*)$ /new/$1 last;
            rewrite ^/gone$ /new/place permanent;
            location /new/ { return 200 "new $uri $args"; }
            location /map { return 200 "$backend"; }
            location /set { set $a "$greeting $host"; return 200 $a; }
            location /if {
                if ($arg_x = yes) { return 200 equal; }
                if ($arg_x ~ ^n(.)$) { return 200 "match $1"; }
                if ($request_method = POST) { return 405; }
                if (!-f /etc/hostname) { return 500; }
                return 200 else;
            }
            location /loop { rewrite ^ /loop/x last; }
        }""",
        [
            ("/old/a?q=1", 200, "new /new/a q=1"), ("/gone?q=1", 301, "/new/place?q=1"),
            ("/map?kind=v12", 200, "version 12"), ("/map?kind=web", 200, "site"),
            ("/map", 200, "none"), ("/set", 200, "hello 10.244.0.3"),
            ("/if?x=yes", 200, "equal"), ("/if?x=no", 200, "match o"), ("/if", 200, "else"),
            ("/loop", 500, "500 Internal Server Error"),
        ],
    )  # fmt: skip


def test_roots_aliases_indexes_listings_and_try_files() -> None:
    files = {
        "__srv__index.html": "front", "__srv__sub__a.txt": "A", "__data__b.txt": "B",
        "__srv__app__index.html": "app",
    }  # fmt: skip
    answers(
        """server {
            listen 80;
            root /srv;
            location /pics/ { alias /data/; }
            location /list/ { alias /data/; autoindex on; }
            location /spa/ { try_files $uri $uri/ /app/index.html; }
            location /none/ { try_files $uri =404; }
            location /named/ { try_files $uri @back; }
            location @back { return 200 "named $uri"; }
        }""",
        [
            ("/", 200, "front"), ("/sub/a.txt", 200, "A"), ("/sub", 301, "http://10.244.0.3/sub/"),
            ("/sub/", 403, "403 Forbidden"), ("/pics/b.txt", 200, "B"),
            ("/list/", 200, '<a href="b.txt">b.txt</a>'), ("/spa/deep/link", 200, "app"),
            ("/none/x", 404, "404 Not Found"), ("/named/x", 200, "named /named/x"),
        ],
        **files,
    )  # fmt: skip


def test_error_pages_headers_and_access() -> None:
    async def check(world: World, box: Box) -> None:
        page = await world.get(box, "/missing")
        assert (page.status, page.text) == (404, "custom")
        assert page.headers.get("x-all") == "yes"
        assert "x-good" not in page.headers
        good = await world.get(box, "/ok")
        assert (good.headers.get("x-good"), good.headers.get("cache-control")) == (
            "yes", "max-age=3600")  # fmt: skip
        assert good.headers.get("content-type") == "text/html; charset=utf-8"
        assert (await world.get(box, "/missing")).reason == "Not Found"
        assert (await world.get(box, "/swap")).status == 200
        assert (await world.get(box, "/private")).status == 403
        assert (await world.get(box, "/custom.html")).status == 404
        refused = await world.get(box, "/secret")
        assert (refused.status, refused.headers.get("www-authenticate")) == (
            401, 'Basic realm="Here"')  # fmt: skip
        for word, status in (("ann:sesame", 200), ("ann:wrong", 401), ("bob:x", 401)):
            basic = {"Authorization": f"Basic {base64.b64encode(word.encode()).decode()}"}
            assert (await world.get(box, "/secret", headers=basic)).status == status
        big = await world.get(box, "/ok", method="POST", body=b"x" * 20)
        assert big.status == 413

    box = serve(
        check,
        """server {
            listen 80; root /srv; default_type text/html; charset utf-8;
            error_page 404 /custom.html; error_page 410 =200 /custom.html;
            add_header X-Good yes; add_header X-All yes always;
            location = /custom.html { internal; }
            location /ok { expires 1h; client_max_body_size 10; return 200 fine; }
            location /swap { return 410; }
            location /private { deny all; }
            location /secret { auth_basic Here; auth_basic_user_file /srv/users; return 200 in; }
        }""".replace("return 200 in;", "try_files /users =404;").replace(
            "return 200 fine;", "try_files /custom.html =404;"
        ),
        **{"__srv__custom.html": "custom", "__srv__users": "ann:{PLAIN}sesame\n"},
    )
    assert "access forbidden by rule" in box.errors
    assert 'user "ann": password mismatch' in box.errors
    assert "client intended to send too large body: 20 bytes" in box.errors


def test_servers_are_chosen_by_name_and_default() -> None:
    async def check(world: World, box: Box) -> None:
        for host, text in (
            ("a.example.com", "exact"), ("x.example.com", "star"), ("a.example.org", "end"),
            ("v7.test", "pattern 7"), ("other", "default"), ("a.example.com:80", "exact"),
        ):  # fmt: skip
            assert (await world.get(box, headers={"Host": host})).text == text
        assert (await world.get(box, port=8080)).text == "other port"

    serve(
        check,
        """server { listen 80; server_name a.example.com; return 200 exact; }
        server { listen 80; server_name *.example.com; return 200 star; }
        server { listen 80; server_name a.example.*; return 200 end; }
        server { listen 80; server_name ~^v(?<n>\\d)\\.test$; return 200 "pattern $n"; }
        server { listen 80 default_server; return 200 default; }
        server { listen 8080; return 200 "other port"; }""",
    )


def test_requests_are_handed_on_to_other_servers() -> None:
    async def main() -> None:
        world = World()
        back = world.box(NGINX, files={CONF: """server {
            listen 8080;
            location / { add_header X-Own yes; add_header Server other;
                return 200 "$request_method $request_uri $host $http_x_real_ip|$http_connection"; }
            location /to { return 302 http://$http_host/there; }
        }"""}, hostname="back")  # fmt: skip
        await back.begin()
        address = back.address
        front = world.box(NGINX, files={CONF: f"""
        upstream both {{ server {address}:8080; server {address}:9; }}
        server {{
            listen 80;
            location /plain {{ proxy_pass http://{address}:8080; }}
            location /cut/ {{ proxy_pass http://{address}:8080/base/; }}
            location /set {{ proxy_pass http://{address}:8080; proxy_set_header Host $host;
                proxy_set_header X-Real-IP $remote_addr; }}
            location /both {{ proxy_pass http://both; }}
            location /var {{ set $b {address}; proxy_pass http://$b:8080$request_uri; }}
            location /dead {{ proxy_pass http://{address}:9; }}
            location /far {{ proxy_pass http://10.99.0.1; }}
            location /named/ {{ proxy_pass http://{address}:8080/; }}
            error_page 502 /sorry; location = /sorry {{ return 200 sorry; }}
        }}"""}, hostname="front")  # fmt: skip
        await front.begin()

        async def text(target: str) -> str:
            return (await world.get(front, target)).text

        assert await text("/plain/a%20b?c=1") == f"GET /plain/a%20b?c=1 {address} |close"
        assert await text("/cut/x?y") == f"GET /base/x?y {address} |close"
        assert (await text("/set")).startswith(f"GET /set {front.address} 10.244.0.2|")
        for _ in range(4):
            assert (await text("/both/z")).startswith("GET /both/z both ")
        assert (await text("/var?q=2")).startswith("GET /var?q=2")
        dead = await world.get(front, "/dead")
        assert (dead.status, dead.text) == (502, "sorry")
        far = await world.get(front, "/far")
        assert far.status == 502
        moved = await world.get(front, "/named/to")
        assert moved.headers.get("location") == "/named/there"
        own = await world.get(front, "/plain")
        assert own.headers.get("x-own") == "yes"
        assert own.headers.all("server") == ["nginx/1.27.5"]
        assert "connect() failed (111: Connection refused) while connecting to upstream" in (
            front.errors
        )
        assert f'upstream: "http://{address}:9/dead"' in front.errors
        assert "connect() failed (113: No route to host)" in front.errors

    virtual.run(main())


@pytest.mark.parametrize(
    ("conf", "message"),
    [
        ("server { lisen 80; }", f'unknown directive "lisen" in {CONF}:1'),
        ("server {\n listen 80\n}", f'unexpected "}}" in {CONF}:3'),
        ("server {\n listen 80;\n", f'unexpected end of file, expecting "}}" in {CONF}:3'),
        ("}", f'unexpected "}}" in {CONF}:1'),
        ("server { root; }", f'invalid number of arguments in "root" directive in {CONF}:1'),
        ("listen 80;", f'"listen" directive is not allowed here in {CONF}:1'),
        ("server { location / }", f'unexpected "}}" in {CONF}:1'),
        ("server { listen 80 { } }", f'directive "listen" is not terminated by ";" in {CONF}:1'),
        ("server;", f'directive "server" has no opening "{{" in {CONF}:1'),
        ("server { return 200 $nope; }", 'unknown "nope" variable'),
        ("server { listen 99999; }",
         f'invalid port in "99999" of the "listen" directive in {CONF}:1'),
        ("server { include no.conf; }",
         f'open() "/etc/nginx/no.conf" failed (2: No such file or directory) in {CONF}:1'),
        ("server { location / { proxy_pass http://nowhere; } }",
         'host not found in upstream "nowhere"'),
        ("server { location /a {} location /a {} }", f'duplicate location "/a" in {CONF}:1'),
        ("server { autoindex maybe; }",
         f'invalid value "maybe" in "autoindex" directive, it must be "on" or "off" in {CONF}:1'),
        ("server { location ~ ( {} }", "pcre2_compile() failed"),
        ("server { client_max_body_size 1x; }",
         f'"client_max_body_size" directive invalid value in {CONF}:1'),
    ],
)  # fmt: skip
def test_a_bad_configuration_ends_it_with_nginx_words(conf: str, message: str) -> None:
    async def main() -> None:
        box = World().box(NGINX, files={CONF: conf})
        process = await box.begin()
        assert process.code == 1
        assert f"[emerg] 1#1: {message}" in box.errors
        assert f"nginx: [emerg] {message}" in box.errors
        tested = await box.run("nginx", "-t")
        assert tested.code == 1
        assert "nginx: configuration file /etc/nginx/nginx.conf test failed\n" in tested.err

    virtual.run(main())


def test_a_reload_takes_what_is_good_and_keeps_what_was() -> None:
    async def check(world: World, box: Box) -> None:
        files = box.kernel.files
        files.put(CONF, b"server { listen 8080; return 200 new; }")
        assert (await box.run("nginx", "-s", "reload")).code == 0
        await asyncio.sleep(1)
        assert (await world.get(box, port=8080)).text == "new"
        with pytest.raises(ConnectionRefusedError):
            await world.get(box)
        files.put(CONF, b"server { listen 8080; retrun 200 bad; }")
        box.kernel.signal(1, HUP)
        await asyncio.sleep(1)
        assert (await world.get(box, port=8080)).text == "new"
        assert await box.end(QUIT) == 0

    box = serve(check)
    assert 'unknown directive "retrun"' in box.errors
    assert "signal 3 (SIGQUIT) received, shutting down" in box.errors


def test_a_graceful_end_waits_for_answers() -> None:
    async def main() -> None:
        world = World()
        slow = world.pod()
        listener = slow.listen(80)
        box = world.box(NGINX, files={CONF: "server { listen 80; location / { proxy_pass "
                                            f"http://{slow.addresses[0]}; }} }}"})  # fmt: skip
        process = await box.begin()
        async with asyncio.TaskGroup() as group:
            asked = group.create_task(world.get(box))
            stream = await listener.accept()
            process.signal(QUIT)
            await asyncio.sleep(3)
            assert process.code is None
            await stream.receive()
            await stream.send(b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\ndone")
        assert asked.result().text == "done"
        assert asked.result().headers.get("connection") == "close"
        assert await process.wait() == 0

    virtual.run(main())


def test_templates_get_the_environment() -> None:
    async def main() -> None:
        world = World()
        template = "server { listen ${PORT}; return 200 '$NAME $host'; }"
        box = world.box(NGINX, files={"/etc/nginx/templates/default.conf.template": template},
                        PORT="8088", NAME="ann")  # fmt: skip
        await box.begin()
        assert (await world.get(box, port=8088)).text == f"ann {box.address}"
        assert (
            "20-envsubst-on-templates.sh: Running envsubst on "
            "/etc/nginx/templates/default.conf.template to /etc/nginx/conf.d/default.conf"
        ) in box.log

    virtual.run(main())
    assert substituted("$A ${B} $C $$A", {"A": "1", "B": "2"}) == "1 2 $C $1"


def test_ports_that_are_taken_end_it() -> None:
    async def main() -> None:
        world = World()
        net = world.pod()
        first, second = world.box(NGINX, net=net), world.box(NGINX, net=net)
        await first.begin()
        process = await second.begin()
        await asyncio.sleep(10)
        assert process.code == 1
        assert "bind() to 0.0.0.0:80 failed (98: Address already in use)" in second.errors
        assert await first.end(TERM) == 0

    virtual.run(main())


@pytest.mark.parametrize(
    ("path", "found"),
    [("/", "/"), ("/a/b/", "/a/b/"), ("/a//b", "/a/b"), ("/a/./b/..", "/a/"), ("/..", None),
     ("/a/../../b", None), ("x", None), ("/a\0", None)],
)  # fmt: skip
def test_paths_are_made_normal(path: str, found: str | None) -> None:
    assert normal(path) == found


def test_what_is_known_and_not_built_is_said() -> None:
    async def check(world: World, box: Box) -> None:
        assert (await world.get(box, "/")).status == 502

    box = serve(check, "server { listen 80; location / { fastcgi_pass 127.0.0.1:9000; } }")
    assert f'"fastcgi_pass" in {CONF}:1 is not built in the emulated nginx' in box.errors
