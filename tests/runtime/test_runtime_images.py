import pytest

from cluster.aio import rpc, virtual
from cluster.runtime import images
from cluster.runtime.imagestore import ImageStore


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("nginx", "docker.io/library/nginx:latest"),
        ("nginx:1.27", "docker.io/library/nginx:1.27"),
        ("bitnami/redis:7", "docker.io/bitnami/redis:7"),
        ("registry.k8s.io/pause:3.9", "registry.k8s.io/pause:3.9"),
        ("localhost:5000/a/b", "localhost:5000/a/b:latest"),
        ("localhost/a", "localhost/a:latest"),
        (f"quay.io/x@sha256:{'a' * 64}", f"quay.io/x@sha256:{'a' * 64}"),
    ],
)
def test_a_reference_gets_its_normal_form(text, name):
    assert images.parse(text).name == name


@pytest.mark.parametrize(
    "text", ["", "UPPER", "a b", "nginx:", "nginx:a/b", "x@sha256:12", "/x", "x//y"]
)
def test_what_is_no_reference_is_refused(text):
    with pytest.raises(ValueError, match="invalid reference format"):
        images.parse(text)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("nginx", ""),
        ("registry.invalid/web:1", "host"),
        ("registry.invalid:5000/web:1", "host"),
        ("invalid.registry.k8s.io/invalid/alpine:3.1", "host"),
        ("nginx:does-not-exist", "manifest"),
        ("team/nonexistent", "manifest"),
        ("nonexistent/nginx", ""),
    ],
)
def test_the_world_lacks_what_says_that_it_is_not_there(text, why):
    assert images.absence(images.parse(text)) == why


def test_a_missing_image_fails_as_containerd_words_it():
    async def main():
        store = ImageStore(0.0)
        with pytest.raises(rpc.Failure) as caught:
            await store.pull("nginx:does-not-exist")
        name = "docker.io/library/nginx:does-not-exist"
        assert caught.value.text == (
            "rpc error: code = NotFound desc = failed to pull and unpack image "
            f'"{name}": failed to resolve reference "{name}": {name}: not found'
        )
        assert store.all() == []

    virtual.run(main())


def test_an_image_goes_by_all_its_names():
    async def main():
        store = ImageStore(0.0)
        pulled = await store.pull("nginx")
        assert store.find("docker.io/library/nginx:latest") is pulled
        assert store.find(pulled.id) is pulled
        await store.remove(pulled.id)
        await store.remove("nginx")
        assert store.find("nginx") is None

    virtual.run(main())
