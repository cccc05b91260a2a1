"""Places the call: SIP, RTP, detection, agent legs, bridge"""
