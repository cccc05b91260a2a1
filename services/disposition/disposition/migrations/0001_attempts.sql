-- One row per attempt: all that is known of it (domain/record.py as JSON), when it must be looked after next, and
-- where and since when it waits for its call's end (null when it does not).
CREATE TABLE attempts (
    attempt_id    uuid PRIMARY KEY,
    record        jsonb NOT NULL,
    deadline_at   timestamptz,
    waiting_since timestamptz,
    gateway_id    text,
    boot_id       text
);
-- Both indexes hold only what is awaited, so a tick costs the live calls, never the history.
CREATE INDEX attempts_due ON attempts (deadline_at) WHERE deadline_at IS NOT NULL;
CREATE INDEX attempts_waiting ON attempts (gateway_id, boot_id, waiting_since) WHERE waiting_since IS NOT NULL;
