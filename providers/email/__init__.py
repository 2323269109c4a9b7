"""E-mail: through SendGrid, or through a mail server of the merchant's. `Post` sends through whichever is given."""

from providers.email.post import Post, credentials_of

__all__ = ["Post", "credentials_of"]
