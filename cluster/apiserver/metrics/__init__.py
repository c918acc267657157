"""Figures of the API server, by the names that kube-apiserver gives them.

What is counted for every request is counted in plain dicts (`requests`), for a microsecond each;
`exposition` turns everything into Prometheus' text when somebody asks for it.
"""
