"""The ports, kept: each module opens one kind of connection."""
