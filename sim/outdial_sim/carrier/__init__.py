"""The simulated carrier: a SIP user agent server with RTP whose callees behave by scenario."""
