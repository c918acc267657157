"""Addresses for Services of type LoadBalancer, as a cloud's load balancers would have them: from a
range of the machine that the cluster runs on. What comes to them is the data plane's (kube-proxy
programs it, and the nodes' edges listen there).

- `pool`: who has which address, pure.
- `decision`: who wants one, and which changes are news to a balancer, pure.
- `controller`: the shell.
"""
