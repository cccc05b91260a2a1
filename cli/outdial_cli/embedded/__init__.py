"""Kafka, PostgreSQL and a trace collector on this machine, with no container engine."""
