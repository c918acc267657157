"""Requests that the API server makes: to webhooks, and to the extension servers behind it.

They go to a URL or to a Service. `services` finds out where a Service leads, `caller` carries the
request, over TCP or, to a pod of an emulated node, by way of the pod's kubelet.
"""
