"""What the web server loads: the application, and beside it a look after senders that died.

Clock, worker and sender may be gone at once; what the sender held is free again all the same.
"""

from campaigns_project.wsgi import application
from dispatch import sweeping, tasks

tasks.beside(sweeping.sweep)

__all__ = ["application"]
