-- Of every topic that matters, the next offset up to which this database holds what the topic says (restore.md).
CREATE TABLE topic_marks (
    topic       text NOT NULL,
    partition   integer NOT NULL,
    next_offset bigint NOT NULL,
    PRIMARY KEY (topic, partition)
);

-- At most one row: this database was restored, and nothing is redeemed.
CREATE TABLE restore_lock (
    one          boolean PRIMARY KEY DEFAULT true CHECK (one),
    locked_at    timestamptz,
    reason       text NOT NULL,
    restored     bigint NOT NULL,
    unrestorable bigint NOT NULL,
    accepted     boolean NOT NULL
);

-- Offers found on lead.ready that this database does not know, until their answers are found too.
CREATE TABLE staged_offers (
    attempt_id text PRIMARY KEY,
    cause      text NOT NULL,
    offer      bytea NOT NULL
);
