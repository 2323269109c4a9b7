"""E-mail: through SendGrid, or through a mail server of the merchant's. `Post` sends through whichever is given."""

from providers.email.post import Post, credentials_of
from providers.email.smtp import PORTS

__all__ = ["PORTS", "Post", "credentials_of"]
