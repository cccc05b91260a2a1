"""What a message says about why: Q.850 causes (RFC 3326) and Retry-After (RFC 3261 section 20.33)."""

import re

from media_gateway.sip.message import Message
from media_gateway.sip.uri import param_of, parse_params, split_unquoted

_SECONDS = re.compile(r"\s*(\d{1,9})(?!\d)")


def q850_cause(message: Message) -> int | None:
    """The Q.850 cause of 1..127 in a Reason header, None when there is none."""
    for line in message.every("Reason"):
        for value in split_unquoted(line, ","):
            protocol, semicolon, params = value.partition(";")
            cause = param_of(parse_params(semicolon + params), "cause") or ""
            known = protocol.strip().upper() == "Q.850" and cause.isascii() and cause.isdigit() and len(cause) < 4
            if known and 1 <= int(cause) <= 127:
                return int(cause)
    return None


def retry_after_seconds(message: Message) -> int | None:
    """The whole seconds of a Retry-After header, None when there is none."""
    match = _SECONDS.match(message.first("Retry-After") or "")
    return int(match.group(1)) if match else None
