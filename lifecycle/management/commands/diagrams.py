"""`manage.py diagrams [--check]`: draw every machine into docs/machines.md, or fail when the page is behind."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from lifecycle.diagram import document

if TYPE_CHECKING:
    from argparse import ArgumentParser


class Command(BaseCommand):
    help = "Draw every state machine into docs/machines.md."
    requires_system_checks = ()

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--check", action="store_true", help="write nothing; fail when the page is behind")

    def handle(self, **options: Any) -> None:
        page = settings.BASE_DIR / "docs" / "machines.md"
        if not options["check"]:
            page.write_text(document())
        elif not page.is_file() or page.read_text() != document():
            raise CommandError("docs/machines.md is behind the models; run manage.py diagrams")
