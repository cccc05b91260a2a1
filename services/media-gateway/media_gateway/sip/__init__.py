"""SIP signalling without I/O: UAC towards carriers, UAS for agents' phones, over UDP.

Theory of operation
===================
Nothing in this package reads a clock, draws a random number or opens a socket. `endpoint.Endpoint` takes datagrams,
expired time and wishes, each with `now` (seconds of a monotonic clock), and returns an `Output`: datagrams to send and
events for the user. `next_timeout()` says when it wants `handle_timers`. `adapters/sip_udp.py` is the only place
where that meets asyncio, so that a test plays a 32-second time-out in microseconds and a lossy network as a list.

Layers, each knowing only those above it in this list
-----------------------------------------------------
uri, message, sdp, reason   bytes to values and back. Tolerant to what carriers and phones really send; what cannot
                            be routed safely raises RemoteProtocolError, whose text never holds a number.
digest, invitation          credentials for a carrier's challenge; our own challenge to phones.
timers, transaction_*       the four transactions of RFC 3261 with RFC 6026's Accepted states, one table each. They
                            repeat what is lost and absorb what is repeated, so a call sees every message once;
                            but a 2xx to INVITE is passed up each time, because its ACK is end-to-end.
dialog, session             the route to the peer and both sequences; re-INVITE, OPTIONS, the 2xx repeated until ACK.
call_table, call,           the state of a call as its user sees it; two tables. A call returns Effects (commands and
call_incoming               events) and never touches a transaction itself.
routing, endpoint           which message is whose: responses by branch, requests by branch or dialog.

What must hold, and where
-------------------------
- No INVITE without a wish: only `Endpoint.invite` and the one answer to a challenge (same Call-ID, next CSeq, new
  branch) start an INVITE transaction. Redirects are reported and not followed.
- No ghost call. Four ways to leave a person with a dead line are closed: a CANCEL wanted before any provisional
  response waits for one (call_table: CANCEL_WANTED); an answer crossing the CANCEL gets ACK and BYE at once; so does
  every further fork; so does a 2xx of a call this process knows nothing about, as after a crash.
- No false claim. Timer B and an unanswered CANCEL end with a status of None, for the phone may have rung; NOT_SENT is
  told only when the local socket refused the one and only INVITE, so surely nobody was called.
- How long a phone may ring is the user's decision (`hang_up`); no timer here bounds it.
- Ended comes once per call, and the call's record stays until its last transaction has died, to acknowledge repeats.

Left out on purpose: TCP and TLS, name resolution (a destination is an address; in-dialog requests go to the first
route or the Contact when it is an IP literal, else to where the peer spoke from), PRACK and session timers (neither
is offered, so no peer may demand them), registrations.
"""
