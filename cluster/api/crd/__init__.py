"""CustomResourceDefinitions: their own rules, and the rules that they make for custom objects.

Pure. `structure` reads a schema into nodes; `structural`, `schemarules` and `definition` say what
is wrong with a definition; `pruning`, `defaulting`, `checking`, `embedded` and `lists` compile a
schema into functions over objects; `version` joins them as the `api.custom.Custom` of a row. Source
of the rules: k8s.io/apiextensions-apiserver, and k8s.io/kube-openapi pkg/validation for values.
"""
