"""Admission webhooks: MutatingAdmissionWebhook and ValidatingAdmissionWebhook.

`hook` is a webhook compiled, `review` what it is sent and may answer, `asking` the way to it.
Protocol and words: https://kubernetes.io/docs/reference/access-authn-authz/extensible-admission-controllers/
and k8s.io/apiserver pkg/admission/plugin/webhook.
"""
