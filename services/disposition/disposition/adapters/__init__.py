"""PostgreSQL and the gate."""
