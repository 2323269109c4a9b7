"""The merchants' door to WhatsApp: templates, the wizard, broadcasts, people. No rule lives here."""
