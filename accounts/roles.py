"""Who may do what: the one table behind API, pages and admin (spec: api › Roles)."""

from __future__ import annotations

from enum import StrEnum

from django.db import models


class Permission(StrEnum):
    VIEW = "view"
    AUTHOR = "author"  # drafts, segments, leads, codes
    SEND = "send"  # launch, pause, cancel, activate
    MONEY = "money"  # redeem, rollback, promos
    BLOCKLIST = "blocklist"
    SETTINGS = "settings"  # secrets, users, billing
    OTHER_ACCOUNTS = "other_accounts"


class Role(models.TextChoices):
    MARKETING = "marketing"
    MARKETING_MANAGER = "marketing_manager"
    RESTAURANT_MANAGER = "restaurant_manager"
    MANAGER = "manager"
    TENANT_ADMIN = "tenant_admin"
    PLATFORM_ADMIN = "platform_admin"
    SYSTEM_ADMIN = "system_admin"
    SUPER_ADMIN = "super_admin"


_AUTHOR = frozenset({Permission.VIEW, Permission.AUTHOR})
_MANAGER = _AUTHOR | {Permission.SEND, Permission.MONEY}
_TENANT_ADMIN = _MANAGER | {Permission.BLOCKLIST, Permission.SETTINGS}
_PLATFORM = _TENANT_ADMIN | {Permission.OTHER_ACCOUNTS}

ROLE_PERMISSIONS: dict[str, frozenset[Permission]] = {
    Role.MARKETING: _AUTHOR,
    Role.MARKETING_MANAGER: _MANAGER,
    Role.RESTAURANT_MANAGER: _MANAGER,
    Role.MANAGER: _MANAGER | {Permission.BLOCKLIST},
    Role.TENANT_ADMIN: _TENANT_ADMIN,
    Role.PLATFORM_ADMIN: _PLATFORM,
    Role.SYSTEM_ADMIN: _PLATFORM,
    Role.SUPER_ADMIN: _PLATFORM,
}


def permissions_of(role: str) -> frozenset[Permission]:
    """The permissions of one role; none for a role that is not one of the eight."""
    return ROLE_PERMISSIONS.get(role, frozenset())
