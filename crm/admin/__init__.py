"""What operators see of the CRM. Django imports this module; each of these registers its pages."""

from crm.admin import campaigns, catalogue, customers, promos, segments, webhooks

__all__ = ["campaigns", "catalogue", "customers", "promos", "segments", "webhooks"]
