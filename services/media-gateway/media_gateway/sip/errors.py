"""The two ways a protocol can be broken: by the peer, or by the caller of this package (after h11)."""


class ProtocolError(Exception):
    """Base of both; its text never holds a number, a header value or a body, so it may be logged."""


class RemoteProtocolError(ProtocolError):
    """The peer sent something that is not SIP, SDP or digest as the RFCs have it."""


class LocalProtocolError(ProtocolError):
    """We asked a machine for a step its table does not have, or built a message that must not leave."""
