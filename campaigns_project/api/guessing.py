"""Doors to which a secret is the key, such as a code: whoever guesses is soon refused, also when a guess is right."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from campaigns_project.api import limits
from campaigns_project.api.doors import Door

if TYPE_CHECKING:
    from rest_framework.request import Request
    from rest_framework.response import Response

    from campaigns_project.refusals import NotFound


class GuessedDoor(Door):
    """A door whose `wrong` counts as a wrong guess; 20 of those in a minute, and the answer is 429."""

    wrong: ClassVar[type[NotFound]]

    def check_throttles(self, request: Request) -> None:
        super().check_throttles(request)
        limits.check_guesses(*self._guesser)

    def handle_exception(self, exc: Exception) -> Response:
        # Here, because what a refused request has done is rolled back by now.
        if isinstance(exc, self.wrong):
            limits.spend_guess(*self._guesser)
        return super().handle_exception(exc)

    @property
    def _guesser(self) -> tuple[str, str, str]:
        return str(self.request.user.pk), str(self.account.pk), self.request.META.get("REMOTE_ADDR", "")
