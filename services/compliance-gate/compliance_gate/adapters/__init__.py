"""Adapters: PostgreSQL, signing key, rule pack files."""
