"""Pure: campaign files, agents at their desks, session tokens."""
