"""Wire formats the simulated world speaks: SIP, SDP, digest, RTP, G.711. Pure; written for this package alone."""
