import pytest

from cluster.api import errors
from cluster.apiserver.rest import negotiation
from cluster.apiserver.rest.negotiation import JSON, YAML, Form

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
