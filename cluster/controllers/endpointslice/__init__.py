"""EndpointSlices of Services with selectors: `endpoints` and `packing` are pure."""
