"""What marketing campaigns hold of a person, blanked when they are erased; the rows are still counted.

An e-mail or a push of which nobody knows whether it left does not stand in the way: nobody can be asked about it, and
it is never sent again by itself.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.db.models import Q

from campaigns_project.refusals import Conflict
from crm.models import Delivery, DeliveryAttempt, LeftOut, MarketingChannel

if TYPE_CHECKING:
    from crm.models import Customer


class DeliveryOnItsWay(Conflict):
    code = "message_on_its_way"
    message = "A message to this person is on its way. Try again when its outcome is known."


def forget(customer: Customer) -> None:
    """Leave the person out of what waits, and blank their addresses. Raises DeliveryOnItsWay."""
    rows = Delivery.objects.for_account(customer.account_id).filter(customer=customer)
    # The rows' locks first: a sender that is about to call has either done so, or finds nothing to send.
    list(rows.select_for_update(of=("self",)).order_by("pk").values_list("pk"))
    rows.queued().transition_all("skip", skip_reason=LeftOut.ERASED, reason="erased")
    attempts = DeliveryAttempt.objects.filter(row__in=rows)
    if attempts.filter(Q(state="calling") | Q(state="unknown", row__channel=MarketingChannel.SMS)).exists():
        raise DeliveryOnItsWay
    attempts.update(address="", detail="")
    rows.update(address="")
