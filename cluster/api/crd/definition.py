"""What may stand in a CustomResourceDefinition, and what may change in it.

Rules, words and paths: apiextensions-apiserver pkg/apis/apiextensions/validation. Kubernetes checks
its internal form, in which what all versions say alike stands at the top (`spec.validation` in
place of `spec.versions[0].schema`): its messages name those paths, and so do these.
"""

from collections.abc import Iterator, Mapping
from typing import Any, Final

from cluster.api import causes, errors, metadata, objects
from cluster.api.crd import (
    conversions,
    fieldpaths,
    names,
    schemadefaults,
    schemarules,
    structural,
    structure,
)
from cluster.api.objects import Object

Causes = Iterator[errors.Cause]

_SCOPES: Final = ("Cluster", "Namespaced")
_COLUMN_TYPES: Final = ("boolean", "date", "integer", "number", "string")
_COLUMN_FORMATS: Final = (
    "byte", "date", "date-time", "double", "float", "int32", "int64", "password",
)  # fmt: skip
_SELECTABLE: Final = ("string", "boolean", "integer")
_SELECTABLE_LIMIT: Final = 8
_WARNING_LIMIT: Final = 256
_MIXED: Final = "may have mixed case, but should otherwise match: "
_IMMUTABLE: Final = "field is immutable"
_HOISTED: Final = {
    "schema": "validation", "subresources": "subresources",
    "additionalPrinterColumns": "additionalPrinterColumns", "selectableFields": "selectableFields",
}  # fmt: skip
# What may stand at the root of a schema beside the status subresource, as Go names the fields.
_AT_ROOT: Final = {
    "description": "Description", "type": "Type", "format": "Format", "title": "Title",
    "maximum": "Maximum", "exclusiveMaximum": "ExclusiveMaximum", "minimum": "Minimum",
    "exclusiveMinimum": "ExclusiveMinimum", "maxLength": "MaxLength", "minLength": "MinLength",
    "pattern": "Pattern", "maxItems": "MaxItems", "minItems": "MinItems",
    "uniqueItems": "UniqueItems", "multipleOf": "MultipleOf", "required": "Required",
    "items": "Items", "properties": "Properties", "externalDocs": "ExternalDocs",
    "example": "Example", "x-kubernetes-preserve-unknown-fields": "XPreserveUnknownFields",
    "x-kubernetes-validations": "XValidations",
}  # fmt: skip


def of_new(definition: Object) -> list[errors.Cause]:
    """What is wrong with a new definition."""
    spec = objects.spec(definition)
    wanted = f"{(spec.get('names') or {}).get('plural', '')}.{spec.get('group', '')}"
    found: list[errors.Cause] = []
    name = objects.name(definition)
    if name != wanted:
        found.append(
            causes.invalid("metadata.name", name, 'must be spec.names.plural+"."+spec.group')
        )
    found += _spec(spec)
    found += _stored_versions(definition)
    return found + _approval(definition, None) + _preserving(spec)


def of_update(old: Object, new: Object) -> list[errors.Cause]:
    """What is wrong with a definition that shall replace `old`; a spec that stays is good."""
    before, spec = objects.spec(old), objects.spec(new)
    found: list[errors.Cause] = []
    if before != spec:
        found += _spec(spec, before)
        found += _immutable(before, spec, established=names.is_true(old, names.ESTABLISHED))
    found += _stored_versions(new)
    found += _approval(new, old)
    return found + ([] if before.get("preserveUnknownFields") else _preserving(spec))


def of_status(old: Object, new: Object) -> list[errors.Cause]:
    """What is wrong with the status of a definition."""
    given = objects.status(new).get("acceptedNames") or {}
    return [*_names(given, "status.acceptedNames"), *_stored_versions(new)]


def _spec(spec: Object, before: Object | None = None) -> list[errors.Cause]:
    found = [*_group(spec.get("group") or ""), *_scope(spec.get("scope") or "")]
    versions = spec.get("versions") or []
    hoisted = {
        field: bool(versions) and all(
            version.get(field) and version[field] == versions[0][field] for version in versions
        )
        for field in _HOISTED
    }  # fmt: skip
    for index, version in enumerate(versions):
        if not (version.get("schema") or {}).get("openAPIV3Schema"):
            where = f"spec.versions[{index}].schema.openAPIV3Schema"
            found.append(causes.required(where, "schemas are required"))
    known = _unchanged_schemas(before)
    for index, version in enumerate(versions):
        found += _version(
            version, f"spec.versions[{index}]", hoisted, first=index == 0, known=known
        )
    found += _versions(versions)
    found += _required_names(spec.get("names") or {})
    found += _names(spec.get("names") or {}, "spec.names")
    found += conversions.check(spec.get("conversion") or {}, preserving=bool(
        spec.get("preserveUnknownFields")
    ))  # fmt: skip
    return found


def _unchanged_schemas(before: Object | None) -> dict[str, Any]:
    """Schemas that were accepted once need not be looked at again: they may be large."""
    versions = (before or {}).get("versions") or ()
    return {version["name"]: version.get("schema") for version in versions}


def _group(group: str) -> Causes:
    if not group:
        yield causes.required("spec.group")
    elif told := metadata.dns1123_subdomain(group):
        yield causes.invalid("spec.group", group, ",".join(told))
    elif "." not in group:
        yield causes.invalid("spec.group", group, "should be a domain with at least one dot")


def _scope(scope: str) -> Causes:
    if not scope:
        yield causes.required("spec.scope")
    elif scope not in _SCOPES:
        yield causes.not_supported("spec.scope", scope, _SCOPES)


def _versions(versions: list[Object]) -> Causes:
    said = [version.get("name") or "" for version in versions]
    for index, name in enumerate(said):
        if told := metadata.dns1035_label(name):
            yield causes.invalid(f"spec.versions[{index}].name", name, ",".join(told))
    if len({*said}) != len(said):
        yield causes.invalid("spec.versions", versions, "must contain unique version names")
    if sum(bool(version.get("storage")) for version in versions) != 1:
        why = "must have exactly one version marked as storage version"
        yield causes.invalid("spec.versions", versions, why)


def _version(
    version: Object,
    path: str,
    hoisted: Mapping[str, bool],
    *,
    first: bool,
    known: Mapping[str, Any],
) -> Causes:
    def where(field: str) -> str:
        return f"spec.{_HOISTED[field]}" if hoisted[field] else f"{path}.{field}"

    def told(field: str) -> bool:
        return bool(version.get(field)) and (first or not hoisted[field])

    yield from _deprecation(version, path)
    subresources = version.get("subresources") or {}
    schema = (version.get("schema") or {}).get("openAPIV3Schema")
    if told("schema") and schema:
        unchanged = known.get(version.get("name", "")) == version["schema"]
        has_status = subresources.get("status") is not None
        yield from check_schema(
            schema, f"{where('schema')}.openAPIV3Schema", has_status=has_status, unchanged=unchanged
        )
    if told("subresources"):
        yield from _scale(subresources.get("scale"), f"{where('subresources')}.scale")
    if told("additionalPrinterColumns"):
        for index, column in enumerate(version["additionalPrinterColumns"]):
            yield from _column(column, f"{where('additionalPrinterColumns')}[{index}]")
    if told("selectableFields"):
        yield from _selectable(version["selectableFields"], schema, where("selectableFields"))


def _deprecation(version: Object, path: str) -> Causes:
    warning = version.get("deprecationWarning")
    where = f"{path}.deprecationWarning"
    if warning is None:
        return
    if not version.get("deprecated"):
        yield causes.invalid(where, warning, "can only be set for deprecated versions")
        return
    if len(warning.encode()) > _WARNING_LIMIT:
        yield causes.invalid(where, warning, f"must be <= {_WARNING_LIMIT} characters long")
    if not warning:
        yield causes.invalid(where, warning, "must not be an empty string")
    at = next((index for index, letter in enumerate(warning) if not letter.isprintable()), None)
    if at is not None:
        why = "must only contain printable UTF-8 characters; non-printable character found at index"
        yield causes.invalid(where, warning, f"{why} {at}")


def check_schema(
    document: Any, path: str, *, has_status: bool = False, unchanged: bool = False
) -> Causes:
    """What is wrong with a schema at `path`."""
    if unchanged:
        return
    try:
        root = structure.parse(document)
    except structure.Malformed as error:
        yield causes.invalid(path, "", str(error))
        return
    if has_status:
        yield from _beside_status(document, path)
    if root.nullable:
        yield causes.forbidden(f"{path}.nullable", "nullable cannot be true at the root")
    not_structural = structural.check(root, path)
    bad_defaults = [] if not_structural else schemadefaults.check(root, path)
    wrong = schemarules.check(root, path)
    yield from [*not_structural, *bad_defaults, *wrong]
    if not (not_structural or bad_defaults or wrong) and _has_rules(root):
        from cluster.api.crd import rulechecks  # late: brings CEL

        yield from rulechecks.check(root, path)


def _has_rules(root: structure.Schema) -> bool:
    from cluster.api.crd import version

    return version.has_rules(root)


def _beside_status(document: Mapping[str, Any], path: str) -> Causes:
    """Of a schema whose status is written apart, only so much may stand at the root."""
    for keyword, value in document.items():
        if value in (None, "", [], {}, False):
            continue
        if keyword == "type" and value != "object":
            why = (
                'only "object" is allowed as the type at the root of the schema if the status '
                "subresource is enabled"
            )
            yield causes.invalid(f"{path}.type", value, why)
            return
        if keyword not in _AT_ROOT:
            why = (
                f"only [{' '.join(_AT_ROOT.values())}] fields are allowed at the root of the "
                "schema if the status subresource is enabled"
            )
            yield causes.invalid(path, document, why)
            return


def _scale(scale: Object | None, path: str) -> Causes:
    if not scale:
        return
    for field, place in (("specReplicasPath", ".spec."), ("statusReplicasPath", ".status.")):
        text = scale.get(field) or ""
        where = f"{path}.{field}"
        if not text:
            yield causes.required(where)
        elif told := _simple_path(text):
            yield causes.invalid(where, text, told)
        elif not text.startswith(place):
            yield causes.invalid(where, text, f"should be a json path under {place.rstrip('.')}")
    text = scale.get("labelSelectorPath") or ""
    if text:
        why = _simple_path(text)
        if not why and not text.startswith((".spec.", ".status.")):
            why = "should be a json path under either .spec or .status"
        if why:
            yield causes.invalid(f"{path}.labelSelectorPath", text, why)


def _simple_path(text: str) -> str:
    return "" if text.startswith(".") else "must be a simple json path starting with ."


def _column(column: Object, path: str) -> Causes:
    if not column.get("name"):
        yield causes.required(f"{path}.name")
    kind, why = column.get("type") or "", f"must be one of {','.join(_COLUMN_TYPES)}"
    if not kind:
        yield causes.required(f"{path}.type", why)
    elif kind not in _COLUMN_TYPES:
        yield causes.invalid(f"{path}.type", kind, why)
    form = column.get("format") or ""
    if form and form not in _COLUMN_FORMATS:
        why = f"must be one of {','.join(_COLUMN_FORMATS)}"
        yield causes.invalid(f"{path}.format", form, why)
    text = column.get("jsonPath") or ""
    if not text:
        yield causes.required(f"{path}.JSONPath")
    elif told := _simple_path(text):
        yield causes.invalid(f"{path}.JSONPath", text, told)


def _selectable(fields: list[Object], schema: Any, path: str) -> Causes:
    try:
        root = structure.parse(schema or {})
    except structure.Malformed:
        return  # told of the schema already
    seen: dict[str, None] = {}
    for index, said in enumerate(fields):
        text, where = said.get("jsonPath") or "", f"{path}[{index}].jsonPath"
        if not text:
            yield causes.required(where)
            continue
        try:
            place = fieldpaths.resolve(text, root, brackets=False)
        except fieldpaths.Malformed as error:
            yield causes.invalid(where, text, f"is an invalid path: {error}")
            continue
        if place.names[0] == "metadata":
            yield causes.invalid(where, text, "must not point to fields in metadata")
        if place.node.type not in _SELECTABLE:
            why = (
                "must point to a field of type string, boolean or integer. Enum string fields and "
                "strings with formats are allowed."
            )
            yield causes.invalid(where, text, why)
        if place.text in seen:
            yield causes.duplicate(where, text)
        seen[place.text] = None
    if len(seen) > _SELECTABLE_LIMIT:
        yield causes.too_many(path, len(seen), _SELECTABLE_LIMIT)


def _required_names(said: Object) -> Causes:
    for field in ("plural", "singular", "kind", "listKind"):
        if not said.get(field):
            yield causes.required(f"spec.names.{field}")


def _names(said: Object, path: str) -> Causes:
    for field, mixed in (("plural", ""), ("singular", ""), ("kind", _MIXED), ("listKind", _MIXED)):
        text = said.get(field) or ""
        told = metadata.dns1035_label(text.lower() if mixed else text) if text else ()
        if told:
            yield causes.invalid(f"{path}.{field}", text, mixed + ",".join(told))
    for field in ("shortNames", "categories"):
        for index, text in enumerate(said.get(field) or ()):
            if told := metadata.dns1035_label(text):
                yield causes.invalid(f"{path}.{field}[{index}]", text, ",".join(told))
    if said.get("kind") and said.get("kind") == said.get("listKind"):
        why = "kind and listKind may not be the same"
        yield causes.invalid(f"{path}.listKind", said["listKind"], why)


def _stored_versions(definition: Object) -> list[errors.Cause]:
    path = "status.storedVersions"
    stored = objects.status(definition).get("storedVersions") or []
    if not stored:
        return [causes.invalid(path, stored, "must have at least one stored version")]
    versions = objects.spec(definition).get("versions") or ()
    found = [
        causes.invalid(path, stored, f"must have the storage version {version['name']}")
        for version in versions
        if version.get("storage") and version.get("name") not in stored
    ]
    known = [version.get("name") for version in versions]
    for index, name in enumerate(stored):
        if name not in known:
            why = (
                f"missing from spec.versions; {name} was previously a storage version, and must "
                "remain in spec.versions until a storage migration ensures no data remains "
                f"persisted in {name} and removes {name} from status.storedVersions"
            )
            found.append(causes.invalid(f"{path}[{index}]", name, why))
    return found


def _immutable(before: Object, spec: Object, *, established: bool) -> Causes:
    said, old = spec.get("names") or {}, before.get("names") or {}
    pairs = [
        ("spec.group", before.get("group"), spec.get("group")),
        ("spec.names.plural", old.get("plural"), said.get("plural")),
    ]
    if established:
        pairs += [
            ("spec.scope", before.get("scope"), spec.get("scope")),
            ("spec.names.kind", old.get("kind"), said.get("kind")),
        ]
    for path, was, now in pairs:
        if was != now:
            yield causes.invalid(path, now, _IMMUTABLE)


def _approval(new: Object, old: Object | None) -> list[errors.Cause]:
    if not names.protected(objects.spec(new).get("group") or ""):
        return []
    state, why = names.approval(objects.annotations(new))
    if old is not None and names.approval(objects.annotations(old))[0] == state:
        return []
    where = f"metadata.annotations[{names.APPROVED_ANNOTATION}]"
    if state == "Invalid":
        text = objects.annotations(new)[names.APPROVED_ANNOTATION]
        return [causes.invalid(where, text, why)]
    return [causes.required(where, why)] if state == "Missing" else []


def _preserving(spec: Object) -> list[errors.Cause]:
    if not spec.get("preserveUnknownFields"):
        return []
    why = "cannot set to true, set x-kubernetes-preserve-unknown-fields to true in "
    return [
        causes.invalid(
            "spec.preserveUnknownFields",
            True,
            f"{why}spec.versions[*].schema instead",
        )
    ]
