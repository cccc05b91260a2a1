"""Kafka's murmur2 partitioner, so that the memory broker places keys where Kafka does."""

from __future__ import annotations

MASK = 0xFFFFFFFF
MULTIPLIER = 0x5BD1E995
SEED = 0x9747B28C


def partition_of(key: bytes, partitions: int) -> int:
    """The partition of a key (org.apache.kafka.common.utils.Utils.murmur2, positive, modulo)."""
    return (murmur2(key) & 0x7FFFFFFF) % partitions


def murmur2(data: bytes) -> int:
    """32-bit murmur2 as Kafka computes it, unsigned."""
    value = (SEED ^ len(data)) & MASK
    whole = len(data) & ~3
    for at in range(0, whole, 4):
        word = int.from_bytes(data[at : at + 4], "little") * MULTIPLIER & MASK
        word = (word ^ word >> 24) * MULTIPLIER & MASK
        value = value * MULTIPLIER & MASK ^ word
    if tail := data[whole:]:
        value = (value ^ int.from_bytes(tail, "little")) * MULTIPLIER & MASK
    value = (value ^ value >> 13) * MULTIPLIER & MASK
    return value ^ value >> 15
