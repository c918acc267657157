"""KubeletConfiguration (kubelet.config.k8s.io/v1beta1): a file's text to settings, and back.

- `table`: the fields that there are, and which setting each one is.
- `reading`: one file with its drop-ins as the fields of a `Config`.
- `shown`: the settings of a running kubelet, as /configz tells them.
"""
