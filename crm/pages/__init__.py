"""The merchants' pages of people and promo codes. No rule lives here."""
