-- The gate's durable state. Times are passed in by the domain clock; nothing here calls now().
-- person_key and number_key are tokens under the oldest key version: keys are never dropped, so they stay equal for ever.

CREATE TABLE consents (
    consent_id   text PRIMARY KEY,
    seller_id    text NOT NULL,
    purpose      text NOT NULL,
    channel      text NOT NULL,
    level        text NOT NULL,
    granted_at   timestamptz NOT NULL,
    expires_at   timestamptz,
    revoked_at   timestamptz,
    source       text,
    captured_at  timestamptz,
    ip           text,
    text_sha256  text
);

-- One row per offer. offer and answer are the events' wire bytes: the facts of the decision and what it said.
CREATE TABLE clearances (
    attempt_id  text PRIMARY KEY,
    cause       text NOT NULL,
    state       text NOT NULL CHECK (state IN ('BLOCKED', 'RESERVED', 'REDEEMED', 'REFUSED', 'LAPSED')),
    campaign_id text NOT NULL,
    seller_id   text NOT NULL,
    topic_id    text NOT NULL,
    purpose     text NOT NULL,
    person_key  text NOT NULL,
    number_key  text NOT NULL,
    offer       bytea NOT NULL,
    answer      bytea NOT NULL,
    record_name text NOT NULL,
    decided_at  timestamptz NOT NULL,
    expires_at  timestamptz NOT NULL,
    closed_at   timestamptz
);
CREATE INDEX clearances_person ON clearances (person_key) WHERE state = 'RESERVED';
CREATE INDEX clearances_number ON clearances (number_key) WHERE state = 'RESERVED';
CREATE INDEX clearances_expiry ON clearances (expires_at) WHERE state = 'RESERVED';

-- One answer per leg; the nonce itself is never stored.
CREATE TABLE redemptions (
    attempt_id  text NOT NULL REFERENCES clearances,
    leg_no      integer NOT NULL,
    nonce_hash  bytea NOT NULL,
    granted     boolean NOT NULL,
    reasons     text[] NOT NULL,
    rule_ids    text[] NOT NULL,
    next_allowed_at timestamptz,
    record_name text NOT NULL,
    answered_at timestamptz NOT NULL,
    PRIMARY KEY (attempt_id, leg_no)
);

-- A person and a number have at most one open attempt, until its disposition.
CREATE TABLE open_attempts (
    attempt_id text PRIMARY KEY REFERENCES clearances,
    person_key text NOT NULL UNIQUE,
    number_key text NOT NULL UNIQUE
);

-- Every redeemed attempt, for the caps; without outcomes until its disposition.
CREATE TABLE attempts (
    attempt_id text PRIMARY KEY REFERENCES clearances,
    at         timestamptz NOT NULL,
    person_key text NOT NULL,
    number_key text NOT NULL,
    seller_id  text NOT NULL,
    topic_id   text NOT NULL,
    purpose    text NOT NULL,
    mode       text NOT NULL,
    charged    boolean NOT NULL,
    outcomes   text[] NOT NULL,
    revision   integer NOT NULL
);
CREATE INDEX attempts_person ON attempts (person_key, at);
CREATE INDEX attempts_number ON attempts (number_key, at);

CREATE TABLE suppressions (
    suppression_id text PRIMARY KEY,
    seller_id      text NOT NULL,
    source         text NOT NULL,
    requested_at   timestamptz NOT NULL,
    changed_at     timestamptz NOT NULL
);
CREATE TABLE suppression_tokens (
    token          text NOT NULL,
    suppression_id text NOT NULL REFERENCES suppressions,
    is_person      boolean NOT NULL,
    PRIMARY KEY (token, suppression_id)
);
CREATE INDEX suppression_tokens_id ON suppression_tokens (suppression_id);

CREATE TABLE ledger_chains (
    opened_no bigint GENERATED ALWAYS AS IDENTITY,
    chain_id  text PRIMARY KEY,
    chain     text NOT NULL,
    seq       bigint NOT NULL,
    head      text NOT NULL
);
CREATE TABLE ledger_records (
    chain_id text NOT NULL REFERENCES ledger_chains,
    seq      bigint NOT NULL,
    previous text NOT NULL,
    kind     text NOT NULL,
    body     text NOT NULL,
    hash     text NOT NULL,
    attempt_id text,
    PRIMARY KEY (chain_id, seq)
);
CREATE INDEX ledger_records_attempt ON ledger_records (attempt_id) WHERE attempt_id IS NOT NULL;
CREATE TABLE checkpoints (
    chain_id  text NOT NULL REFERENCES ledger_chains,
    seq       bigint NOT NULL,
    head      text NOT NULL,
    root      text NOT NULL,
    signature text NOT NULL,
    at        timestamptz NOT NULL,
    PRIMARY KEY (chain_id, seq)
);
