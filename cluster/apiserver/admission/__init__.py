"""Admission: looks at every write between authentication and the store; one plugin a file.

Plugins bear the names of kube-apiserver's own. They are synchronous: what they decide rests on the
watch cache at the moment of planning, and the write is planned again if the object has changed.
"""
