"""What operators see of the CRM. Django imports this module; each of these registers its pages."""

from crm.admin import campaigns, customers, promos, segments, webhooks

__all__ = ["campaigns", "customers", "promos", "segments", "webhooks"]
