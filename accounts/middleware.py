"""Request ids, and whose account a page request works in."""
