"""Pure pacing: state of a team folded from its inputs, and the decisions taken from it."""
