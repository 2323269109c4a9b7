"""The doors for integrators under `/api/v1/campaign` (spec: api › WhatsApp). No rule lives here.

`…_shapes` is what they read, `inputs` what they say; the other modules are the doors, by what they are about.
"""
