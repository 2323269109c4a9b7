from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.core.management.base import BaseCommand, CommandError

from dispatch import process

if TYPE_CHECKING:
    from argparse import ArgumentParser


class Command(BaseCommand):
    help = "Send what is due at one provider until told to stop. Any number may run; a second one is harmless."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("provider")

    def handle(self, *_args: Any, **options: Any) -> None:
        try:
            process.run(options["provider"])
        except KeyError as unknown:
            raise CommandError(f"No lane sends through {unknown}.") from None
