"""Write docs/openapi.yaml, or tell whether it still says what the code says."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from campaigns_project.api.documents import document

if TYPE_CHECKING:
    from django.core.management.base import CommandParser


class Command(BaseCommand):
    help = "Write docs/openapi.yaml; with --check only compare, and fail when it differs."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--check", action="store_true")

    def handle(self, *_args: Any, **options: Any) -> None:
        path = settings.BASE_DIR / "docs" / "openapi.yaml"
        made = document("yaml")
        if not options["check"]:
            path.parent.mkdir(exist_ok=True)
            path.write_bytes(made)
        elif not path.is_file() or path.read_bytes() != made:
            raise CommandError("docs/openapi.yaml differs from the code: run manage.py openapi")
