"""One function per consumed event, tick and request: load, decide, return an Outcome."""
