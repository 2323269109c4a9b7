"""The doors for integrators to people and promo codes (spec: api › Marketing & CRM). No rule lives here."""
