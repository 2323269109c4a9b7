"""What the web server loads: the application, and beside it a look after senders that died.

Clock, worker and sender may be gone at once; what the sender held is free again all the same.
"""

from campaigns_project.wsgi import BodyDeadline, django_application
from crm.webhooks_in.door import Door
from dispatch import sweeping, tasks

application = BodyDeadline(Door(django_application))

tasks.beside(sweeping.sweep)

__all__ = ["application"]
