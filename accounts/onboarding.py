"""What a new account starts with: domains above register their steps, and opening an account runs them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.db import transaction

from accounts.models import Account

if TYPE_CHECKING:
    from collections.abc import Callable

_steps: list[Callable[[Account], Any]] = []


def on_opening(step: Callable[[Account], Any]) -> None:
    """Register a step; it must be safe to run twice."""
    _steps.append(step)


def open_account(**fields: Any) -> Account:
    """A new account with everything it starts with, or nothing at all."""
    with transaction.atomic():
        account = Account.objects.create(**fields)
        welcome(account)
    return account


def welcome(account: Account) -> None:
    """Run every step for an account that was just made."""
    for step in _steps:
        step(account)
