"""What an import did to each customer, so that it can be undone."""

from __future__ import annotations

from django.db import models

from accounts.scoping import AccountQuerySet, Owned, SameAccount, owned


class ImportedCustomer(Owned):
    """One customer of one import: made by it, or changed from `was` to `becomes` (by field, what differed only)."""

    job = models.ForeignKey("campaigns_project.Job", on_delete=models.CASCADE, related_name="+")
    customer = owned("crm.Customer", related_name="imports")
    created = models.BooleanField()
    was = models.JSONField(default=dict)
    becomes = models.JSONField(default=dict)

    objects = AccountQuerySet["ImportedCustomer"].as_manager()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["job", "customer"], name="imported_customer_once"),
            SameAccount("customer", name="imported_customer_customer"),
        ]

    def __str__(self) -> str:
        return f"{self.customer_id} of {self.job_id}"
