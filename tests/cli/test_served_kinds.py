"""Which kinds a category stands for."""

from cluster.cli import servedkinds


class Server:
    """Serves Services of two groups, one of them in two versions."""

    def get(self, path, _accept=""):
        if path == "/api":
            return {"items": [group("", "v1")]}
        return {"items": [group("serving.example.com", "v1", "v1beta1")]}


def group(name, *versions):
    resource = {
        "resource": "services", "singularResource": "service", "scope": "Namespaced",
        "verbs": ["list"], "categories": ["all"],
    }  # fmt: skip
    served = [{"version": version, "resources": [resource]} for version in versions]
    return {"metadata": {"name": name}, "versions": served}


def test_a_category_has_every_group_and_the_preferred_version_of_each():
    chosen = servedkinds.chosen(servedkinds.of(Server()), "all")
    assert [(kind.group, kind.version) for kind in chosen] == [
        ("", "v1"),
        ("serving.example.com", "v1"),
    ]


def test_a_plain_name_means_the_first_group():
    assert [
        kind.group for kind in servedkinds.chosen(servedkinds.of(Server()), "services,service")
    ] == [""]
