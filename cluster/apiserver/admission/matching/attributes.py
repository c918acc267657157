"""A request as webhooks and policies are shown it: an AdmissionRequest without the objects.

Source: k8s.io/apiserver pkg/admission/plugin/webhook/request/admissionreview.go.
"""

from collections.abc import Mapping
from typing import Any

from cluster.api import identity, objects
from cluster.api.objects import Object
from cluster.api.resources import Resource
from cluster.api.selectors import Selector
from cluster.apiserver import codec
from cluster.apiserver.admission.plugin import Act, Request

_OPTIONS = {Act.CREATE: "CreateOptions", Act.UPDATE: "UpdateOptions"}


class Attributes:
    """What there is to know of a request, besides its object in one version or another.

    `object` is None for a deletion, `old` for a creation. `request.object` may be replaced in
    place between questions.
    """

    __slots__ = ("_labels", "_of_itself", "_options", "name", "namespace", "request")

    def __init__(self, request: Request) -> None:
        self.request = request
        self.name = _name(request)
        row, call = request.row, request.call
        self._of_itself = row.plural == "namespaces" and not row.group
        self.namespace = self.name if self._of_itself else call.namespace
        self._labels: Mapping[str, str] | None = None
        self._options: Object | None = None

    @property
    def object(self) -> Object | None:
        """The new object."""
        return None if self.request.act is Act.DELETE else self.request.object

    @property
    def old(self) -> Object | None:
        """The object as it was."""
        return self.request.old

    def selected(self, namespaces: Selector, labels: Selector) -> bool:
        """Whether the namespace and the object have the labels. errors.NotFound never: a
        namespace that is not there has none.
        """
        if not labels.empty and not self._labelled(labels):
            return False
        if namespaces.empty or not (self.namespace or self._of_itself):
            return True
        return namespaces.matches(self._namespace_labels())

    def _labelled(self, selector: Selector) -> bool:
        return any(
            obj is not None and "metadata" in obj and selector.matches(_labels(obj))
            for obj in (self.object, self.old)
        )

    def _namespace_labels(self) -> Mapping[str, str]:
        if self._labels is None:
            request = self.request
            own = self._of_itself and not request.subresource
            if own and request.act in (Act.CREATE, Act.UPDATE):
                return _labels(request.object)
            entry = request.cache.get("namespaces", "", self.namespace)
            self._labels = entry.labels if entry is not None else {}
        return self._labels

    def kind_of(self, row: Resource) -> Resource:
        """What kind the object has where the request is shown as one for `row`."""
        return self.request.kind or row

    def document(self, row: Resource) -> Object:
        """The AdmissionRequest of a request that is matched as one for `row`, but for uid, object
        and oldObject.
        """
        request = self.request
        found: Object = {"kind": _kind(self.kind_of(row)), "resource": _resource(row)}
        if request.subresource:
            found["subResource"] = request.subresource
        found["requestKind"] = _kind(self.kind_of(request.row))
        found["requestResource"] = _resource(request.row)
        if request.subresource:
            found["requestSubResource"] = request.subresource
        if self.name:
            found["name"] = self.name
        if self.namespace:
            found["namespace"] = self.namespace
        found["operation"] = request.act.value
        found["userInfo"] = user_info(request.call.user)
        found["dryRun"] = request.call.operation.dry_run
        found["options"] = self._given()
        return found

    def _given(self) -> Object | None:
        if self._options is None:
            self._options = _options(self.request)
        return self._options or None


def _name(request: Request) -> str:
    """The name of the object; "" while the server has still to generate one."""
    said = request.call.operation.name
    if said or request.act is not Act.CREATE:
        return said
    metadata = request.object.get("metadata")
    if not isinstance(metadata, dict) or metadata.get("generateName"):
        return ""
    return str(metadata.get("name") or "")


def _labels(obj: Object) -> Mapping[str, str]:
    metadata = obj.get("metadata")
    found = metadata.get("labels") if isinstance(metadata, dict) else None
    return found if isinstance(found, dict) else {}


def _kind(row: Resource) -> Object:
    return {"group": row.group, "version": row.version, "kind": row.kind}


def _resource(row: Resource) -> Object:
    return {"group": row.group, "version": row.version, "resource": row.plural}


def user_info(user: identity.User) -> Object:
    """authentication.k8s.io UserInfo."""
    found: Object = {"username": user.name}
    if user.uid:
        found["uid"] = user.uid
    if user.groups:
        found["groups"] = list(user.groups)
    if user.extra:
        found["extra"] = {key: list(texts) for key, texts in user.extra}
    return found


def _options(request: Request) -> Object:
    operation = request.call.operation
    if request.act is Act.CONNECT:
        return {}
    if request.act is Act.DELETE:
        return _delete_options(operation.body, dry_run=operation.dry_run)
    kind = _OPTIONS[request.act]
    found: Object = {"kind": kind, "apiVersion": "meta.k8s.io/v1"}
    if operation.dry_run:
        found["dryRun"] = ["All"]
    if operation.field_manager:
        found["fieldManager"] = operation.field_manager
    if operation.field_validation:
        found["fieldValidation"] = operation.field_validation
    return found


def _delete_options(body: bytes, *, dry_run: bool) -> Object:
    said: Any = codec.decode(body) if body else {}
    found: Object = {"kind": "DeleteOptions", "apiVersion": "meta.k8s.io/v1"}
    if isinstance(said, dict):
        found |= {key: value for key, value in said.items() if key not in found}
    if dry_run:
        found["dryRun"] = ["All"]
    return found


def shown(attributes: Attributes, obj: Object | None, row: Resource) -> Object | None:
    """An object of the request, in the version of `row`. outside.Ask, errors.StatusError."""
    request = attributes.request
    if obj is None or request.kind is not None or obj.get("apiVersion") == row.api_version:
        return obj
    return _converted(request, obj, row)


def restored(attributes: Attributes, obj: Object) -> Object:
    """An object of any version, in that of the request."""
    request = attributes.request
    if request.kind is not None or obj.get("apiVersion") == request.row.api_version:
        return obj
    return _converted(request, obj, request.row)


def _converted(request: Request, obj: Object, row: Resource) -> Object:
    call = request.call
    views, stored = call.views, call.stored
    source = request.row
    if obj.get("apiVersion") != source.api_version:
        plural = source.plural
        source = views.row(plural, str(obj.get("apiVersion")), stored) or stored
    revision = objects.meta(obj).get("resourceVersion")
    kept = obj if source is stored else views.storable(source, obj, call.answers)
    found = kept if row is stored else views.document(row, kept, call.answers)
    if revision is not None and "resourceVersion" not in objects.meta(found):
        found = found | {"metadata": objects.meta(found) | {"resourceVersion": revision}}
    return found
