"""CertificateSigningRequests: approve those of nodes, sign what is approved, remove what is old."""
