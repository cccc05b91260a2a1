"""PostgreSQL, and the same in memory."""
