"""Programs for those who work on onebridge; nothing of it is installed."""
