"""Paired measurements: each figure stands beside what it must be compared with, taken in the same run."""
