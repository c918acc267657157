import pytest

from cluster.api import errors
from cluster.apiserver.rest import negotiation
from cluster.apiserver.rest.negotiation import JSON, PROTOBUF, YAML, Form

KUBECTL = (
    "application/json;as=Table;v=v1;g=meta.k8s.io,application/json;as=Table;v=v1beta1;g=meta.k8s.io"
    ",application/json"
)


@pytest.mark.parametrize(
    ("accept", "form"),
    [
        ("", Form()),
        ("*/*", Form()),
        ("application/*", Form()),
        ("application/json", Form()),
        ("application/json; charset=utf-8", Form()),
        ("application/yaml", Form(YAML)),
        ("application/vnd.kubernetes.protobuf, application/json", Form()),
        ("application/yaml;q=0.5, application/json", Form()),
        (KUBECTL, Form(JSON, "Table", "v1")),
        ("application/json;as=Table;v=v9;g=meta.k8s.io, application/json", Form()),
        ("application/json;as=Table;v=v1;g=other, application/json", Form()),
        ("application/json;as=PartialObjectMetadataList;v=v1;g=meta.k8s.io",
         Form(JSON, "PartialObjectMetadataList", "v1")),
    ],
)  # fmt: skip
def test_the_first_form_that_can_be_given(accept: str, form: Form) -> None:
    assert negotiation.form(accept) == form


@pytest.mark.parametrize(
    "accept",
    ["text/html", "application/vnd.kubernetes.protobuf", "application/json;as=Cat;v=v1;g=x"],
)
def test_forms_that_nobody_has(accept: str) -> None:
    with pytest.raises(errors.NotAcceptable, match="only the following media types"):
        negotiation.form(accept)


@pytest.mark.parametrize(
    ("accept", "form"),
    [
        ("application/vnd.kubernetes.protobuf", Form(PROTOBUF)),
        ("application/vnd.kubernetes.protobuf, application/json", Form(PROTOBUF)),
        ("application/json, application/vnd.kubernetes.protobuf", Form(JSON)),
        ("application/json;q=0.5, application/vnd.kubernetes.protobuf;q=0.9", Form(PROTOBUF)),
        ("application/vnd.kubernetes.protobuf;as=Table;g=meta.k8s.io;v=v1, application/json",
         Form(JSON)),
        ("application/vnd.kubernetes.protobuf;as=PartialObjectMetadata;g=meta.k8s.io;v=v1",
         Form(PROTOBUF, "PartialObjectMetadata", "v1")),
        ("application/vnd.kubernetes.protobuf;stream=watch", Form(PROTOBUF)),
    ],
)  # fmt: skip
def test_messages_are_given_where_objects_have_them(accept: str, form: Form) -> None:
    assert negotiation.form(accept, protobuf=True) == form


def test_the_metadata_of_a_custom_object_is_a_message_though_it_has_none() -> None:
    accept = "application/vnd.kubernetes.protobuf;as=PartialObjectMetadata;g=meta.k8s.io;v=v1"
    assert negotiation.form(accept).protobuf
    with pytest.raises(errors.NotAcceptable, match=r"application/json, application/yaml$"):
        negotiation.form("application/vnd.kubernetes.protobuf")
    with pytest.raises(errors.NotAcceptable, match="application/yaml, application/vnd"):
        negotiation.form("text/html", protobuf=True)
