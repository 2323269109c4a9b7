"""How operators read moments: with seconds, because they compare them with a provider's."""

DATETIME_FORMAT = "j M Y, H:i:s"
