"""The registry's endpoints, as the distribution specification 1.1 has them."""

import asyncio
import base64
import gzip
import json

import pytest
from registryworld import World, against, htpasswd, manifest

from cluster.images import digests, media

DIGEST = digests.of(b"nothing")


def test_a_registry_says_that_it_is_one(tmp_path):
    async def story(world: World) -> None:
        for path in ("/v2/", "/v2"):
            status, headers, body = await world.ask("GET", path)
            assert (status, body.strip()) == (200, b"{}")
            assert headers["docker-distribution-api-version"] == "registry/2.0"

    against(tmp_path, story)


def test_what_is_sent_packed_is_not_unpacked(tmp_path):
    async def story(world: World) -> None:
        data = b"as it is"
        packed = gzip.compress(data)
        path = f"/v2/a/blobs/uploads/?digest={digests.of(data)}"
        refused = await world.code("POST", path, packed, Content_Encoding="gzip")
        assert refused == (400, "DIGEST_INVALID")
        path = f"/v2/a/blobs/uploads/?digest={digests.of(packed)}"
        status, _, _ = await world.ask("POST", path, packed, Content_Encoding="gzip")
        assert status == 201

    against(tmp_path, story)


REFUSALS = [
    ("GET", "/v2/a/manifests/latest", None, {}, 404, "MANIFEST_UNKNOWN"),
    ("GET", f"/v2/a/manifests/{DIGEST}", None, {}, 404, "MANIFEST_UNKNOWN"),
    ("GET", "/v2/a/manifests/sha256:12", None, {}, 400, "DIGEST_INVALID"),
    ("GET", f"/v2/a/blobs/{DIGEST}", None, {}, 404, "BLOB_UNKNOWN"),
    ("GET", "/v2/a/blobs/sha512:" + "a" * 128, None, {}, 400, "DIGEST_INVALID"),
    ("GET", "/v2/a/blobs/..", None, {}, 404, "NAME_UNKNOWN"),
    ("GET", "/v2/a/blobs/%2e%2e%2f%2e%2e", None, {}, 404, "NAME_UNKNOWN"),
    ("GET", f"/v2/..%2f..%2fetc/blobs/{DIGEST}", None, {}, 400, "NAME_INVALID"),
    ("GET", f"/v2/a/_tags/blobs/{DIGEST}", None, {}, 400, "NAME_INVALID"),
    ("GET", "/v2/A/tags/list", None, {}, 400, "NAME_INVALID"),
    ("GET", f"/v2/{'a' * 300}/tags/list", None, {}, 400, "NAME_INVALID"),
    ("GET", "/v2/none/tags/list", None, {}, 404, "NAME_UNKNOWN"),
    ("GET", "/v2/_catalog?n=x", None, {}, 400, "PAGINATION_NUMBER_INVALID"),
    ("GET", "/v2/_catalog?n=-1", None, {}, 400, "PAGINATION_NUMBER_INVALID"),
    ("GET", "/else", None, {}, 404, "NAME_UNKNOWN"),
    ("POST", "/v2/", None, {}, 405, "UNSUPPORTED"),
    ("PATCH", "/v2/a/manifests/x", b"{}", {}, 405, "UNSUPPORTED"),
    ("DELETE", "/v2/a/manifests/x", None, {}, 404, "MANIFEST_UNKNOWN"),
    ("DELETE", f"/v2/a/blobs/{DIGEST}", None, {}, 404, "BLOB_UNKNOWN"),
    ("PATCH", "/v2/a/blobs/uploads/none", b"x", {}, 404, "BLOB_UPLOAD_UNKNOWN"),
    ("PUT", f"/v2/a/blobs/uploads/none?digest={DIGEST}", b"x", {}, 404, "BLOB_UPLOAD_UNKNOWN"),
    ("POST", f"/v2/a/blobs/uploads/?digest={DIGEST}", b"other", {}, 400, "DIGEST_INVALID"),
    ("POST", "/v2/a/blobs/uploads/?digest=md5:abc", b"other", {}, 400, "DIGEST_INVALID"),
    ("PUT", "/v2/a/manifests/x", b"no json", {}, 400, "MANIFEST_INVALID"),
    ("PUT", "/v2/a/manifests/x", b"[]", {}, 400, "MANIFEST_INVALID"),
    ("PUT", "/v2/a/manifests/x", b"[" * 100000, {}, 400, "MANIFEST_INVALID"),
    ("PUT", "/v2/a/manifests/x", b'{"schemaVersion":1}', {}, 400, "MANIFEST_INVALID"),
    ("PUT", "/v2/a/manifests/x", b" " * ((4 << 20) + 1), {}, 413, "SIZE_INVALID"),
    ("PUT", "/v2/a/manifests/-x", b"{}", {}, 400, "TAG_INVALID"),
    ("PUT", "/v2/a/manifests/x", manifest(b"c"), {}, 404, "MANIFEST_BLOB_UNKNOWN"),
    ("PUT", "/v2/a/manifests/x", manifest(b"c"), {"Content_Type": media.OCI_INDEX}, 400,
     "MANIFEST_INVALID"),
    ("PUT", f"/v2/a/manifests/{DIGEST}", manifest(b"c"), {}, 400, "DIGEST_INVALID"),
]  # fmt: skip


def test_what_is_wrong_gets_the_code_of_the_specification(tmp_path):
    async def story(world: World) -> None:
        for method, path, data, headers, status, code in REFUSALS:
            found = await world.code(method, path, data, **headers)
            assert found == (status, code), f"{method} {path}: {found}"
        assert not list(tmp_path.glob("ingest/*"))

    against(tmp_path, story)


def test_a_blob_is_pushed_in_chunks_that_have_to_be_in_order(tmp_path):
    data = bytes(range(256)) * 40
    digest = digests.of(data)

    async def story(world: World) -> None:
        status, headers, _ = await world.ask("POST", "/v2/team/app/blobs/uploads/")
        where = headers["location"]
        assert status == 202
        status, headers, _ = await world.ask(
            "PATCH", where, data[:4000], Content_Range="0-3999", Content_Length="4000"
        )
        assert (status, headers["range"]) == (202, "0-3999")
        found = await world.code("PATCH", where, data[5000:], Content_Range="5000-10239")
        assert found == (416, "RANGE_INVALID")
        status, headers, _ = await world.ask("GET", where)
        assert (status, headers["range"]) == (204, "0-3999")
        status, headers, _ = await world.ask(
            "PATCH", headers["location"], data[4000:6000], Content_Range="4000-5999"
        )
        status, headers, _ = await world.ask("PUT", f"{where}?digest={digest}", data[6000:])
        assert status == 201
        assert headers["docker-content-digest"] == digest
        assert (await world.ask("GET", headers["location"]))[2] == data
        assert await world.code("GET", where) == (404, "BLOB_UPLOAD_UNKNOWN")

    against(tmp_path, story)


def test_a_cancelled_and_an_expired_upload_leave_nothing(tmp_path):
    async def story(world: World) -> None:
        _, headers, _ = await world.ask("POST", "/v2/a/blobs/uploads/")
        await world.ask("PATCH", headers["location"], b"half")
        assert (await world.ask("DELETE", headers["location"]))[0] == 204
        _, headers, _ = await world.ask("POST", "/v2/a/blobs/uploads/")
        await world.ask("PATCH", headers["location"], b"half")
        assert len(list(tmp_path.glob("ingest/*"))) == 1
        await asyncio.sleep(0.06)
        await world.registry.collect()
        assert await world.code("GET", headers["location"]) == (404, "BLOB_UPLOAD_UNKNOWN")
        assert not list(tmp_path.glob("ingest/*"))

    against(tmp_path, story, upload_expiry=0.05)


def test_uploads_are_bounded_in_number_and_size(tmp_path):
    async def story(world: World) -> None:
        first = [await world.ask("POST", "/v2/a/blobs/uploads/") for _ in range(2)]
        assert await world.code("POST", "/v2/a/blobs/uploads/") == (429, "TOOMANYREQUESTS")
        where = first[0][1]["location"]
        assert await world.code("PATCH", where, b"x" * 101) == (413, "SIZE_INVALID")

        async def endless():
            for _ in range(50):
                yield b"x" * 10

        assert await world.code("PATCH", where, endless()) == (413, "SIZE_INVALID")
        assert (await world.ask("POST", "/v2/a/blobs/uploads/"))[0] == 202

    against(tmp_path, story, max_uploads=2, max_blob=100)


def test_a_push_in_one_request_that_fails_leaves_no_upload(tmp_path):
    async def story(world: World) -> None:
        begin = "/v2/a/blobs/uploads/"
        for _ in range(3):
            path = f"{begin}?digest={digests.of(b'small')}"
            assert await world.code("POST", path, b"x" * 101) == (413, "SIZE_INVALID")
        assert not list(tmp_path.glob("ingest/*"))
        assert (await world.ask("POST", begin))[0] == 202

    against(tmp_path, story, max_uploads=2, max_blob=100)


def test_a_client_that_sends_no_more_does_not_hold_an_upload_for_ever(tmp_path):
    async def story(world: World) -> None:
        _, headers, _ = await world.ask("POST", "/v2/a/blobs/uploads/")
        never = asyncio.Event()

        async def stuck():
            yield b"some"
            await never.wait()

        assert await world.code("PATCH", headers["location"], stuck()) == (
            408, "BLOB_UPLOAD_INVALID",
        )  # fmt: skip
        status, headers, _ = await world.ask("GET", headers["location"])
        assert (status, headers["range"]) == (204, "0-3")

    against(tmp_path, story, read_timeout=0.1)


def test_many_push_one_blob_at_the_same_time(tmp_path):
    data = b"z" * 300_000

    async def story(world: World) -> None:
        found = await asyncio.gather(*(world.blob(f"team/app-{n}", data) for n in range(8)))
        assert set(found) == {digests.of(data)}
        status, _, body = await world.ask("GET", f"/v2/team/app-7/blobs/{found[0]}")
        assert (status, body) == (200, data)

    against(tmp_path, story)


def test_a_blob_is_mounted_from_where_it_is_and_pulled_only_where_it_was_put(tmp_path):
    async def story(world: World) -> None:
        digest = await world.blob("a", b"data")
        assert await world.code("GET", f"/v2/b/blobs/{digest}") == (404, "BLOB_UNKNOWN")
        path = f"/v2/b/blobs/uploads/?mount={digest}&from=a"
        status, headers, _ = await world.ask("POST", path)
        assert (status, headers["location"]) == (201, f"/v2/b/blobs/{digest}")
        assert (await world.ask("GET", f"/v2/b/blobs/{digest}"))[0] == 200
        status, headers, _ = await world.ask("POST", f"/v2/b/blobs/uploads/?mount={DIGEST}&from=a")
        assert status == 202
        assert "/blobs/uploads/" in headers["location"]
        assert (await world.ask("DELETE", f"/v2/a/blobs/{digest}"))[0] == 202
        assert await world.code("GET", f"/v2/a/blobs/{digest}") == (404, "BLOB_UNKNOWN")
        assert (await world.ask("GET", f"/v2/b/blobs/{digest}"))[0] == 200

    against(tmp_path, story)


@pytest.mark.parametrize(
    ("asked", "status", "content", "said"),
    [
        ("bytes=0-3", 206, b"0123", "bytes 0-3/10"),
        ("bytes=8-", 206, b"89", "bytes 8-9/10"),
        ("bytes=-3", 206, b"789", "bytes 7-9/10"),
        ("bytes=5-100", 206, b"56789", "bytes 5-9/10"),
        ("bytes=10-", 416, None, "bytes */10"),
        ("bytes=-0", 416, None, "bytes */10"),
        ("bytes=3-1", 200, b"0123456789", ""),
        ("bytes=0-1,4-5", 200, b"0123456789", ""),
        ("lines=1-2", 200, b"0123456789", ""),
    ],
)
def test_parts_of_a_blob(tmp_path, asked, status, content, said):
    async def story(world: World) -> None:
        digest = await world.blob("a", b"0123456789")
        found, headers, body = await world.ask("GET", f"/v2/a/blobs/{digest}", Range=asked)
        assert (found, headers.get("content-range", "")) == (status, said)
        assert content is None or body == content

    against(tmp_path, story)


def test_heads_and_conditions(tmp_path):
    async def story(world: World) -> None:
        digest = await world.image("a", "v1", b"0123456789")
        blob = digests.of(b"0123456789")
        status, headers, body = await world.ask("HEAD", f"/v2/a/blobs/{blob}")
        assert (status, headers["content-length"], body) == (200, "10", b"")
        assert headers["docker-content-digest"] == blob
        status, headers, body = await world.ask("HEAD", "/v2/a/manifests/v1")
        assert (status, headers["content-type"], body) == (200, media.OCI_MANIFEST, b"")
        assert headers["docker-content-digest"] == digest
        for path in ("/v2/a/manifests/v1", f"/v2/a/blobs/{blob}"):
            etag = (await world.ask("GET", path))[1]["etag"]
            assert (await world.ask("GET", path, If_None_Match=etag))[0] == 304
            assert (await world.ask("GET", path, If_None_Match='"else"'))[0] == 200
        status, _, body = await world.ask("HEAD", "/v2/a/manifests/none")
        assert (status, body) == (404, b"")

    against(tmp_path, story)


def test_tags_and_repositories_in_pages(tmp_path):
    async def story(world: World) -> None:
        for tag in ("b", "a", "d", "c", "e"):
            await world.image("team/app", tag)
        await world.image("other", "x")
        assert await pages(world, "/v2/team/app/tags/list?n=2", "tags") == [
            ["a", "b"], ["c", "d"], ["e"],
        ]  # fmt: skip
        assert await pages(world, "/v2/_catalog?n=1", "repositories") == [["other"], ["team/app"]]
        assert await pages(world, "/v2/team/app/tags/list?last=c", "tags") == [["d", "e"]]
        assert await pages(world, "/v2/team/app/tags/list?n=0", "tags") == [[]]

    against(tmp_path, story)


async def pages(world: World, path: str, field: str) -> list[list[str]]:
    found = []
    while path:
        status, headers, body = await world.ask("GET", path)
        assert status == 200
        found.append(json.loads(body)[field])
        link = headers.get("link", "")
        path = link.partition(">")[0].removeprefix("<")
    return found


def test_what_refers_to_a_manifest(tmp_path):
    async def story(world: World) -> None:
        digest = await world.image("a", "v1")
        subject = {"mediaType": media.OCI_MANIFEST, "digest": digest, "size": 1}
        made = []
        for kind in ("application/x.sbom", "application/x.signature"):
            await world.blob("a", b"{}")
            data = manifest(
                b"{}", subject=subject, artifactType=kind, annotations={"made.by": "a test"}
            )
            path = f"/v2/a/manifests/{digests.of(data)}"
            status, headers, _ = await world.ask("PUT", path, data)
            assert (status, headers["oci-subject"]) == (201, digest)
            made.append(digests.of(data))
        status, headers, body = await world.ask("GET", f"/v2/a/referrers/{digest}")
        assert headers["content-type"] == media.OCI_INDEX
        found = json.loads(body)["manifests"]
        assert sorted(one["digest"] for one in found) == sorted(made)
        assert found[0]["annotations"] == {"made.by": "a test"}
        path = f"/v2/a/referrers/{digest}?artifactType=application/x.sbom"
        _, headers, body = await world.ask("GET", path)
        assert headers["oci-filters-applied"] == "artifactType"
        assert [one["digest"] for one in json.loads(body)["manifests"]] == made[:1]
        await world.ask("DELETE", f"/v2/a/manifests/{made[0]}")
        _, _, body = await world.ask("GET", path)
        assert json.loads(body)["manifests"] == []
        assert (await world.ask("GET", f"/v2/a/referrers/{DIGEST}"))[0] == 200

    against(tmp_path, story)


def test_deleting_a_tag_and_a_manifest_with_its_tags(tmp_path):
    async def story(world: World) -> None:
        digest = await world.image("a", "v1")
        await world.image("a", "v2")
        assert (await world.ask("DELETE", "/v2/a/manifests/v1"))[0] == 202
        assert await world.code("GET", "/v2/a/manifests/v1") == (404, "MANIFEST_UNKNOWN")
        assert (await world.ask("GET", f"/v2/a/manifests/{digest}"))[0] == 200
        assert (await world.ask("DELETE", f"/v2/a/manifests/{digest}"))[0] == 202
        assert await world.code("GET", "/v2/a/manifests/v2") == (404, "MANIFEST_UNKNOWN")
        assert json.loads((await world.ask("GET", "/v2/a/tags/list"))[2])["tags"] == []

    against(tmp_path, story)


def test_garbage_goes_and_what_manifests_mention_stays(tmp_path):
    async def story(world: World) -> None:
        digest = await world.image("a", "v1", b"kept")
        gone = await world.blob("a", b"garbage")
        assert (await world.registry.collect())[0] == 1
        assert await world.code("GET", f"/v2/a/blobs/{gone}") == (404, "BLOB_UNKNOWN")
        assert (await world.ask("GET", f"/v2/a/blobs/{digests.of(b'kept')}"))[2] == b"kept"
        await world.ask("DELETE", f"/v2/a/manifests/{digest}")
        assert (await world.registry.collect())[0] == 3
        assert not list((tmp_path / "blobs").rglob("*/*"))

    against(tmp_path, story, collect_grace=-60.0)


def test_what_was_pushed_outlives_the_registry(tmp_path):
    async def first(world: World) -> None:
        await world.image("a", "v1", b"content")
        _, headers, _ = await world.ask("POST", "/v2/a/blobs/uploads/")
        await world.ask("PATCH", headers["location"], b"half")

    async def second(world: World) -> None:
        assert (await world.ask("GET", "/v2/a/manifests/v1"))[0] == 200
        assert (await world.ask("GET", f"/v2/a/blobs/{digests.of(b'content')}"))[2] == b"content"
        assert not list(tmp_path.glob("ingest/*"))

    against(tmp_path, first)
    against(tmp_path, second)


def basic(name: str, password: str) -> str:
    return f"Basic {base64.b64encode(f'{name}:{password}'.encode()).decode()}"


def test_nobody_without_a_name(tmp_path):
    async def story(world: World) -> None:
        status, headers, body = await world.ask("GET", "/v2/")
        assert (status, headers["www-authenticate"]) == (401, 'Basic realm="kubemu registry"')
        assert json.loads(body)["errors"][0]["code"] == "UNAUTHORIZED"
        for wrong in ("Basic !!", basic("alice", "wrong"), basic("bob", "secret"), "Bearer x"):
            assert await world.code("GET", "/v2/", Authorization=wrong) == (401, "UNAUTHORIZED")
        for _ in range(2):
            right = basic("alice", "secret")
            assert (await world.ask("GET", "/v2/", Authorization=right))[0] == 200
        assert await world.code("GET", f"/v2/a/blobs/{DIGEST}") == (401, "UNAUTHORIZED")

    against(tmp_path, story, users=htpasswd("alice", "secret"), anonymous="none")


def test_everybody_pulls_and_users_push_by_tokens(tmp_path):
    users = htpasswd("alice", "secret")

    async def story(world: World) -> None:
        status, headers, _ = await world.ask("GET", "/v2/")
        assert status == 401
        assert headers["www-authenticate"].startswith(f'Bearer realm="{world.base}/token"')
        assert await world.code("GET", "/v2/a/tags/list") == (404, "NAME_UNKNOWN")
        status, headers, _ = await world.ask("POST", "/v2/a/blobs/uploads/")
        assert status == 401
        assert 'scope="repository:a:pull,push"' in headers["www-authenticate"]
        scope = "/token?service=x&scope=repository:a:pull,push"
        free = json.loads((await world.ask("GET", scope))[2])["token"]
        status, headers, _ = await world.ask(
            "POST", "/v2/a/blobs/uploads/", Authorization=f"Bearer {free}"
        )
        assert (status, "insufficient_scope" in headers["www-authenticate"]) == (401, True)
        assert (await world.ask("GET", scope, Authorization=basic("alice", "no")))[0] == 401
        answer = await world.ask("GET", scope, Authorization=basic("alice", "secret"))
        token = f"Bearer {json.loads(answer[2])['token']}"
        assert (await world.ask("POST", "/v2/a/blobs/uploads/", Authorization=token))[0] == 202
        assert (await world.ask("POST", "/v2/b/blobs/uploads/", Authorization=token))[0] == 401
        assert (await world.ask("GET", "/v2/", Authorization=token))[0] == 200
        forged = f"{token[:-4]}0000"
        assert (await world.ask("GET", "/v2/", Authorization=forged))[0] == 401
        direct = basic("alice", "secret")
        assert (await world.ask("POST", "/v2/a/blobs/uploads/", Authorization=direct))[0] == 202

    against(tmp_path, story, users=users, anonymous="pull")


@pytest.mark.parametrize("header", [b"Bearer \xff.\xff", b"Bearer .", b"Basic \xff", b"\xff \xff"])
def test_credentials_that_are_no_text_are_nobodys(tmp_path, header):
    async def story(world: World) -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", world.registry.port)
        writer.write(
            b"GET /v2/ HTTP/1.1\r\nHost: x\r\nConnection: close\r\nAuthorization: %b\r\n\r\n"
            % header
        )
        async with asyncio.timeout(10):
            answer = await reader.read()
        writer.close()
        assert answer.startswith(b"HTTP/1.1 401 ")

    against(tmp_path, story, users=htpasswd("alice", "secret"), anonymous="pull")


def test_two_registries_do_not_share_a_folder(tmp_path):
    from registryworld import serving

    from cluster.images import faults

    async def main() -> None:
        async with serving(tmp_path):
            with pytest.raises(faults.Busy):
                async with serving(tmp_path):
                    pass

    asyncio.run(main())
