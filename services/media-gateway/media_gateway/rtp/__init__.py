"""RTP without I/O: packets (RFC 3550), telephone events (RFC 4733), G.711, reordering, statistics."""
