"""Floor 4: topology, PKI, kubeconfig, plans of processes, and the supervisor that runs them."""
