"""`manage.py demo`: fill in the demo, or make it move again. Says nothing when all is well."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand, CommandError

from campaigns_project import demo


class Command(BaseCommand):
    help = "Fill in the demo data; running it again only starts a new broadcast when none is on its way."

    def handle(self, **_options: Any) -> None:
        try:
            demo.fill()
        except demo.DemoRefused as trouble:
            raise CommandError(str(trouble)) from trouble
