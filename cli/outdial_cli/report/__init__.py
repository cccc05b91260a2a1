"""The demo's report: facts read from outside (topics, the carrier's log, spans), counted, checked, drawn."""
