"""How we speak HTTP to integrators."""
