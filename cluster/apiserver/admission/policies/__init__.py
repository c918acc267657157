"""Admission policies in CEL: ValidatingAdmissionPolicy and MutatingAdmissionPolicy.

`definition` is a policy compiled, `source` finds those that may be about a request, with their
bindings; `parameters` finds what bindings refer to. A policy counts as soon as the write that made
it is answered, for the cache has heard of it then.
Source: k8s.io/apiserver pkg/admission/plugin/policy.
"""
