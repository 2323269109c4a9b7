"""Print a bearer token, for a try with curl."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from accounts.models import Membership
from accounts.tokens import issue


class Command(BaseCommand):
    help = "Print an access token of the person with this e-mail address, valid for an hour."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("email")

    def handle(self, *_args: Any, **options: Any) -> None:
        memberships = Membership.objects.select_related("user", "account")
        membership = memberships.filter(user__email__iexact=options["email"]).order_by("id").first()
        if membership is None:
            raise CommandError(f"Nobody with the address {options['email']} belongs to an account.")
        self.stdout.write(issue(membership))
