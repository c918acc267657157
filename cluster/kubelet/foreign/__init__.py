"""What a kubelet does itself where the runtime is not kubemu's own: containerd, CRI-O.

CRI gives URLs for exec, attach and port-forward (`streams`), writes logs to files that the kubelet
reads (`logfiles`) and turns over (`rotation`), and tells of containers one by one (`adapter`).
Imported when such a runtime is met.
"""
