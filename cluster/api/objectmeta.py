"""ObjectMeta as a whole: what a create stamps, what an update keeps, and what may stand in it.

Rules: k8s.io/apiserver/pkg/registry/rest (BeforeCreate, BeforeUpdate) and
k8s.io/apimachinery/pkg/api/validation/objectmeta.go.
"""

from collections.abc import Callable, Mapping
from random import Random
from typing import Any, Final

from cluster.api import causes, errors, metadata, timestamps
from cluster.api.objects import Object

IMMUTABLE: Final = "field is immutable"
ANNOTATIONS_LIMIT: Final = 256 * 1024  # bytes, keys and values together
GENERATED_BASE_LENGTH: Final = 58
SUFFIX_LENGTH: Final = 5
SUFFIX_ALPHABET: Final = "bcdfghjklmnpqrstvwxz2456789"
ORPHAN: Final = "orphan"
FOREGROUND: Final = "foregroundDeletion"

NameRule = Callable[[str], metadata.Complaints]


def new_uid(random: Random) -> str:
    """A version 4 UUID from `random`."""
    bits = random.getrandbits(128) & ~(0xF << 76 | 0x3 << 62) | (0x4 << 76 | 0x2 << 62)
    text = f"{bits:032x}"
    return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"


def generated_name(base: str, random: Random) -> str:
    """`base`, cut where it is too long, and five characters of Kubernetes' alphabet."""
    suffix = "".join(random.choices(SUFFIX_ALPHABET, k=SUFFIX_LENGTH))
    return base[:GENERATED_BASE_LENGTH] + suffix


def stamp(meta: Object, *, namespaced: bool, now: float, random: Random) -> None:
    """Fill in what the server decides at a create; `now` is in seconds since the epoch."""
    for field in ("deletionTimestamp", "deletionGracePeriodSeconds", "selfLink", "resourceVersion"):
        meta.pop(field, None)
    if not namespaced:
        meta.pop("namespace", None)
    _leave_out_empty(meta)
    if not meta.get("name") and meta.get("generateName"):
        meta["name"] = generated_name(meta["generateName"], random)
    meta["uid"] = new_uid(random)
    meta["creationTimestamp"] = timestamps.encode(now)


_LEFT_OUT_WHERE_EMPTY: Final = ("labels", "annotations", "ownerReferences", "finalizers")


def _leave_out_empty(meta: Object) -> None:
    """A map or list of the metadata that holds nothing is not there."""
    for field in _LEFT_OUT_WHERE_EMPTY:
        if field in meta and not meta[field]:
            del meta[field]


_KEPT: Final = ("uid", "creationTimestamp", "namespace", "name")
_ALWAYS_KEPT: Final = ("generateName", "generation", "selfLink")


def keep(meta: Object, old: Mapping[str, Any]) -> None:
    """Carry over what an update may leave out, and what it may not change at all."""
    meta.pop("resourceVersion", None)
    _leave_out_empty(meta)
    for field in _KEPT:
        if not meta.get(field) and field in old:
            meta[field] = old[field]
    for field in _ALWAYS_KEPT:
        if field in old:
            meta[field] = old[field]
        else:
            meta.pop(field, None)
    if old.get("deletionTimestamp"):
        meta["deletionTimestamp"] = old["deletionTimestamp"]
        if "deletionGracePeriodSeconds" in old:
            meta.setdefault("deletionGracePeriodSeconds", old["deletionGracePeriodSeconds"])


def check(meta: Object, *, namespaced: bool, name_rule: NameRule) -> list[errors.Cause]:
    """What is wrong with the metadata of an object about to be created."""
    found: list[errors.Cause] = []
    base = meta.get("generateName")
    if base:
        found += _complaints("metadata.generateName", base, name_rule(_without_dash(base)))
    if not meta.get("name"):
        found.append(causes.required("metadata.name", "name or generateName is required"))
    else:
        found += _complaints("metadata.name", meta["name"], name_rule(meta["name"]))
    if namespaced:
        found += _check_namespace(meta.get("namespace"))
    return found + _check_rest(meta)


def check_update(meta: Object, old: Mapping[str, Any]) -> list[errors.Cause]:
    """What is wrong with the metadata of an object about to replace `old`'s."""
    found: list[errors.Cause] = []
    if old.get("deletionTimestamp"):
        before = old.get("finalizers") or ()
        extra = sorted({item for item in meta.get("finalizers") or () if item not in before})
        if extra:
            detail = (
                "no new finalizers can be added if the object is being deleted, found new "
                f"finalizers []string{{{', '.join(causes.quoted(item) for item in extra)}}}"
            )
            found.append(causes.forbidden("metadata.finalizers", detail))
    found += [
        causes.invalid(f"metadata.{field}", meta.get(field), IMMUTABLE)
        for field in (*_KEPT, "deletionTimestamp", "deletionGracePeriodSeconds")
        if meta.get(field) != old.get(field)
    ]
    return found + _check_rest(meta)


def check_labels(labels: Mapping[str, str], path: str) -> list[errors.Cause]:
    """What is wrong with labels at `path`."""
    found: list[errors.Cause] = []
    for key, value in labels.items():
        found += _complaints(path, key, metadata.qualified_name(key))
        found += _complaints(path, value, metadata.label_value(value))
    return found


def check_annotations(annotations: Mapping[str, str], path: str) -> list[errors.Cause]:
    """What is wrong with annotations at `path`."""
    found: list[errors.Cause] = []
    size = 0
    for key, value in annotations.items():
        found += _complaints(path, key, metadata.qualified_name(key.lower()))
        size += len(key) + len(value)
        if not value.isascii():
            size += len(value.encode()) - len(value)
    if size > ANNOTATIONS_LIMIT:
        found.append(causes.too_long(path, ANNOTATIONS_LIMIT))
    return found


def _check_namespace(namespace: str | None) -> list[errors.Cause]:
    if not namespace:
        return [causes.required("metadata.namespace")]
    return _complaints("metadata.namespace", namespace, metadata.dns1123_label(namespace))


def _check_rest(meta: Object) -> list[errors.Cause]:
    found: list[errors.Cause] = []
    if meta.get("generation", 0) < 0:
        detail = "must be greater than or equal to 0"
        found.append(causes.invalid("metadata.generation", meta["generation"], detail))
    if labels := meta.get("labels"):
        found += check_labels(labels, "metadata.labels")
    if annotations := meta.get("annotations"):
        found += check_annotations(annotations, "metadata.annotations")
    if owners := meta.get("ownerReferences"):
        found += _check_owners(owners)
    if finalizers := meta.get("finalizers"):
        found += _check_finalizers(finalizers)
    return found


def _check_owners(owners: list[Object]) -> list[errors.Cause]:
    path = "metadata.ownerReferences"
    found: list[errors.Cause] = []
    controller = ""
    for owner in owners:
        found += _check_owner(owner, path)
        if owner.get("controller"):
            this = f"{owner.get('kind', '')}/{owner.get('name', '')}"
            if controller:
                detail = (
                    'Only one reference can have Controller set to true. Found "true" in '
                    f"references for {controller} and {this}"
                )
                found.append(causes.invalid(path, owners, detail))
            controller = controller or this
    return found


def _check_owner(owner: Object, path: str) -> list[errors.Cause]:
    found: list[errors.Cause] = []
    api_version = owner.get("apiVersion") or ""
    if not api_version.rpartition("/")[2] or api_version.count("/") > 1:
        found.append(causes.invalid(f"{path}.apiVersion", api_version, "version must not be empty"))
    found += [
        causes.invalid(f"{path}.{field}", "", "must not be empty")
        for field in ("kind", "name", "uid")
        if not owner.get(field)
    ]
    if api_version == "v1" and owner.get("kind") == "Event":
        detail = "/v1, Kind=Event is disallowed from being an owner"
        found.append(causes.invalid(path, owner, detail))
    return found


def _check_finalizers(finalizers: list[str]) -> list[errors.Cause]:
    path = "metadata.finalizers"
    found: list[errors.Cause] = []
    for finalizer in finalizers:
        found += _complaints(path, finalizer, metadata.qualified_name(finalizer))
    if ORPHAN in finalizers and FOREGROUND in finalizers:
        detail = f"finalizer {ORPHAN} and {FOREGROUND} cannot be both set"
        found.append(causes.invalid(path, finalizers, detail))
    return found


def _complaints(path: str, value: str, complaints: metadata.Complaints) -> list[errors.Cause]:
    return [causes.invalid(path, value, complaint) for complaint in complaints]


def _without_dash(base: str) -> str:
    """The base of a generated name as its rule sees it: a dash at the end is no fault."""
    return f"{base[:-2]}a" if len(base) > 1 and base.endswith("-") else base
