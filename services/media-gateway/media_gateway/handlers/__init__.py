"""call.dial -> dial.refused | call.progress, call.answered, call.ended; agent legs; what other services ask of us."""
