"""The provisioner `kubemu.dev/local`: directories of nodes as volumes, made and deleted on demand.

It stands where a cluster made by kind or minikube has local-path or hostpath provisioners, and
says what the library for external provisioners says (sig-storage-lib-external-provisioner).
"""
