"""The tenant is a wall: owned rows are found through their account, and PostgreSQL holds the walls up."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Self, TypeVar

from django.db import models
from django.db.models.constraints import BaseConstraint

if TYPE_CHECKING:
    from django.db.backends.base.schema import BaseDatabaseSchemaEditor

    from accounts.models import Account

M = TypeVar("M", bound=models.Model)


class AccountQuerySet(models.QuerySet[M]):
    """A queryset of owned rows. Doors start every look-up with `for_account`."""

    def for_account(self, account: Account | int) -> Self:
        # By its id: a migration's account is of another class.
        return self.filter(account=getattr(account, "pk", account))


class Owned(models.Model):
    """A row of one account. Children carry `account` too, so that no join decides whose they are."""

    account = models.ForeignKey("accounts.Account", on_delete=models.PROTECT, related_name="+")

    class Meta:
        abstract = True


def owned(to: str | type[models.Model], **options: Any) -> models.ForeignKey[Any, Any]:
    """A reference to another owned row; pair it with `SameAccount(field)` in `Meta.constraints`.

    PostgreSQL's own constraint is the composite one, so Django's single-column constraint is left out.
    """
    options.setdefault("on_delete", models.CASCADE)
    return models.ForeignKey(to, db_constraint=False, **options)


def parent_key(model: str) -> models.UniqueConstraint:
    """UNIQUE (account, id): what a child's composite foreign key points at."""
    return models.UniqueConstraint(fields=["account", "id"], name=f"{model}_of_account")


class SameAccount(BaseConstraint):
    """FOREIGN KEY (account_id, <field>_id) REFERENCES parent (account_id, id): nothing crosses the wall."""

    violation_error_code = "other_account"
    violation_error_message = "The related object belongs to another account."

    def __init__(self, field: str, *, name: str) -> None:
        super().__init__(name=name)
        self.field = field

    def constraint_sql(self, model: Any, schema_editor: Any) -> str:
        parent: Any = model._meta.get_field(self.field).related_model
        column = model._meta.get_field(self.field).column
        quote = schema_editor.quote_name
        return (
            f"CONSTRAINT {quote(self.name)} FOREIGN KEY ({quote('account_id')}, {quote(column)}) "
            f"REFERENCES {quote(parent._meta.db_table)} ({quote('account_id')}, {quote('id')}) "
            "DEFERRABLE INITIALLY DEFERRED"
        )

    def create_sql(self, model: type[models.Model], schema_editor: BaseDatabaseSchemaEditor) -> str:  # type: ignore[override]
        table = schema_editor.quote_name(model._meta.db_table)
        return f"ALTER TABLE {table} ADD {self.constraint_sql(model, schema_editor)}"

    def remove_sql(self, model: type[models.Model], schema_editor: BaseDatabaseSchemaEditor) -> str:  # type: ignore[override]
        table = schema_editor.quote_name(model._meta.db_table)
        return f"ALTER TABLE {table} DROP CONSTRAINT {schema_editor.quote_name(self.name)}"

    def validate(self, model: Any, instance: Any, exclude: Any = None, using: str = "default") -> None:
        """Left to PostgreSQL: forms only ever offer rows of the account."""

    def deconstruct(self) -> tuple[str, tuple[Any, ...], dict[str, Any]]:
        return "accounts.scoping.SameAccount", (self.field,), {"name": self.name}

    def __eq__(self, other: object) -> bool:
        return isinstance(other, SameAccount) and (self.field, self.name) == (other.field, other.name)

    def __hash__(self) -> int:
        return hash((self.field, self.name))
