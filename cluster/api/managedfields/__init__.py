"""Who owns which field: managedFields and server-side apply, as pure functions.

Semantics: sigs.k8s.io/structured-merge-diff and k8s.io/apimachinery/pkg/util/managedfields. A set
of fields is kept as its own JSON text reads (FieldsV1), so that what is stored needs no decoding.
Nothing here knows a request, a store or a clock: objects, types, names and times come in.
"""
