"""WhatsApp campaigns for operators: templates, sends, people, and what the front page counts of them."""

from campaigns.admin import broadcasts, conversations, messages, templates, tiles

__all__ = ["broadcasts", "conversations", "messages", "templates", "tiles"]
