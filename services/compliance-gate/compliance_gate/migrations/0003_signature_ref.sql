-- A consent may be proven by a signature in place of an address (RULES.md 5.3, filter 4).
ALTER TABLE consents ADD COLUMN signature_ref text;
