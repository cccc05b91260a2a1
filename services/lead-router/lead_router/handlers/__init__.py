"""One function per consumed event, tick and request: load, decide in the domain, store, return an outcome.

What follows from a decision (lead.ready, pacing.supply, lead.state, offer.returned) is written to the table outbox in
the transaction that stores the decision, so handlers return an empty Publish: a crash after the commit loses nothing,
and a redelivery finds the decision made and sends nothing twice.
"""
