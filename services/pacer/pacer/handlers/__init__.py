"""One function per consumed event, tick and request: each takes an input into its team and says what came of it."""
