"""People, what they allowed, and the one stream of what happened."""

from crm.models.people import Channel, ConsentEntry, Customer, Event, Suppression, new_customer_id, new_event_id

__all__ = ["Channel", "ConsentEntry", "Customer", "Event", "Suppression", "new_customer_id", "new_event_id"]
