-- One row per attempt: all that is known of it (domain/record.py as JSON) and when it must be looked at next.
CREATE TABLE attempts (
    attempt_id  uuid PRIMARY KEY,
    record      jsonb NOT NULL,
    deadline_at timestamptz,
    said        boolean NOT NULL DEFAULT false
);
CREATE INDEX attempts_due ON attempts (deadline_at) WHERE deadline_at IS NOT NULL;
CREATE INDEX attempts_silent ON attempts (attempt_id) WHERE NOT said;
