"""Accounts, the people who work in them, and the accounts' connections to providers."""

from __future__ import annotations

import uuid
from typing import Any, ClassVar

from django.contrib.auth.base_user import AbstractBaseUser, BaseUserManager
from django.contrib.auth.models import PermissionsMixin
from django.db import models
from django.db.models.functions import Lower, Now
from django.utils.functional import cached_property

from accounts.roles import Permission, Role, permissions_of
from accounts.scoping import AccountQuerySet, Owned
from accounts.secrets import open_sealed, seal
from lifecycle.guard import guarded
from lifecycle.transition import Lifecycle, LifecycleQuerySet, StatusField, transition


class AccountStatus(models.TextChoices):
    ACTIVE = "active"
    SUSPENDED = "suspended"
    CLOSED = "closed"


@guarded(born=[AccountStatus.ACTIVE])
class Account(Lifecycle):
    """A merchant: the tenant that owns everything else. No call to a provider starts unless it is active."""

    owner_column = "id"

    uuid = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    name = models.CharField(max_length=200)
    time_zone = models.CharField(max_length=64, default="UTC")
    currency = models.CharField(max_length=3, default="USD")
    status = StatusField(choices=AccountStatus, default=AccountStatus.ACTIVE)
    commerce = models.BooleanField(default=True)
    phone = models.CharField(max_length=20, blank=True)
    numeric_redirects = models.BooleanField(default=False)
    require_approval = models.BooleanField(default=True)
    created_at = models.DateTimeField(db_default=Now(), editable=False)

    objects = LifecycleQuerySet["Account"].as_manager()

    def __str__(self) -> str:
        return self.name

    @transition([AccountStatus.ACTIVE], AccountStatus.SUSPENDED, asks=Permission.OTHER_ACCOUNTS)
    def suspend(self) -> None:
        """Sending stops at once; nothing is lost."""

    @transition([AccountStatus.SUSPENDED], AccountStatus.ACTIVE, asks=Permission.OTHER_ACCOUNTS)
    def reinstate(self) -> None:
        """Sending goes on where it stopped."""

    @transition([AccountStatus.SUSPENDED], AccountStatus.CLOSED, asks=Permission.OTHER_ACCOUNTS)
    def close(self) -> None:
        """The account is over; its history stays."""


class UserManager(BaseUserManager["User"]):
    def get_by_natural_key(self, username: str | None) -> User:
        return self.get(email__iexact=(username or "").strip())

    def create_user(self, email: str, password: str | None = None, **fields: Any) -> User:
        user = self.model(email=email.strip().lower(), **fields)
        user.set_password(password)
        user.save(using=self._db)
        return user

    def create_superuser(self, email: str, password: str | None = None, **fields: Any) -> User:
        return self.create_user(email, password, is_staff=True, is_superuser=True, **fields)


class User(AbstractBaseUser, PermissionsMixin):
    """A person who signs in with an e-mail address. What they may do is decided by their memberships."""

    email = models.EmailField(max_length=254, unique=True)
    name = models.CharField(max_length=200, blank=True)
    is_active = models.BooleanField(default=True)
    is_staff = models.BooleanField(default=False)
    created_at = models.DateTimeField(db_default=Now(), editable=False)

    objects = UserManager()

    USERNAME_FIELD = "email"
    REQUIRED_FIELDS: ClassVar[list[str]] = []

    class Meta:
        constraints = [models.UniqueConstraint(Lower("email"), name="user_email_once_in_any_case")]

    def __str__(self) -> str:
        return self.email

    @cached_property
    def membership(self) -> Membership | None:
        """The membership that a sign-in without a choice means: the oldest."""
        return self.memberships.select_related("account").order_by("id").first()


class Membership(Owned):
    """One person's role in one account."""

    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="memberships")
    role = models.CharField(max_length=30, choices=Role)
    created_at = models.DateTimeField(db_default=Now(), editable=False)

    objects = AccountQuerySet["Membership"].as_manager()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["account", "user"], name="one_membership_per_person_and_account"),
            models.CheckConstraint(name="one_of_the_eight_roles", condition=models.Q(role__in=Role.values)),
        ]

    def __str__(self) -> str:
        return f"{self.user} is {self.role} of {self.account}"

    @property
    def permissions(self) -> frozenset[Permission]:
        return permissions_of(self.role)


class Connection(Owned):
    """An account's credentials at one provider. Secrets reach the database only when sealed with DATA_KEY.

    For Twilio: `external_id` is the AccountSid, `sender` the WhatsApp number (E.164) or Messaging Service SID
    that messages come from, `sms_sender` what SMS come from (a number, a short code, letters or such a SID; "" while
    there is none), and the secret is `{"auth_token": "…"}`.
    For e-mail, which an account has once (`sendgrid` or `smtp`): `external_id` is SendGrid's id of the key, or the
    sender; `sender` the address that e-mail comes from, `sender_name` its name; the secret of SendGrid is `{"api_key",
    "webhook_public_key"}`, of a mail server `{"host", "port", "username", "password", "security"}`.
    """

    MAIL: ClassVar = ("sendgrid", "smtp")

    provider = models.CharField(max_length=30)
    external_id = models.CharField(max_length=80)
    sender = models.CharField(max_length=80, blank=True)
    sender_name = models.CharField(max_length=80, blank=True)
    sms_sender = models.CharField(max_length=80, blank=True)
    sealed = models.BinaryField()
    rate_per_second = models.PositiveIntegerField(default=80)
    # The provider refused our credentials: no call starts until an operator or a new secret clears it.
    refused_at = models.DateTimeField(null=True, blank=True)
    created_at = models.DateTimeField(db_default=Now(), editable=False)

    objects = AccountQuerySet["Connection"].as_manager()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["account", "provider"], name="one_connection_per_provider"),
            models.UniqueConstraint(fields=["provider", "external_id"], name="connection_external_id_once"),
            models.UniqueConstraint(
                fields=["provider", "sender"], condition=~models.Q(sender=""), name="connection_sender_once"
            ),
            models.UniqueConstraint(
                fields=["provider", "sms_sender"], condition=~models.Q(sms_sender=""), name="connection_sms_sender_once"
            ),
            models.UniqueConstraint(
                fields=["account"],
                condition=models.Q(provider__in=["sendgrid", "smtp"]),
                name="one_connection_for_mail_per_account",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.provider} {self.external_id}"

    @property
    def secret(self) -> dict[str, str]:
        return open_sealed(bytes(self.sealed))

    @secret.setter
    def secret(self, value: dict[str, str]) -> None:
        self.sealed = seal(value)


class Approval(Owned):
    """A second person's word on something large: above 10,000 people or 1,000.00 nobody launches alone."""

    kind = models.CharField(max_length=40)
    # A number or a UUID, by the kind.
    target_id = models.CharField(max_length=40)
    summary = models.JSONField(default=dict)
    asked_by = models.ForeignKey(User, on_delete=models.PROTECT, related_name="+")
    asked_at = models.DateTimeField(db_default=Now(), editable=False)
    decided_by = models.ForeignKey(User, null=True, blank=True, on_delete=models.PROTECT, related_name="+")
    decided_at = models.DateTimeField(null=True, blank=True)
    granted = models.BooleanField(null=True)
    reason = models.TextField(blank=True)

    objects = AccountQuerySet["Approval"].as_manager()

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["account", "kind", "target_id"],
                condition=models.Q(granted=None),
                name="one_open_approval_per_object",
            ),
            models.CheckConstraint(
                name="a_second_person_decides",
                condition=models.Q(decided_by=None) | ~models.Q(decided_by=models.F("asked_by")),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.target_id}"
