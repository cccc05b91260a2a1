-- The drop-rate ledger (RULES.md section 7): what every attempt counts for, and sums of that. Days are days of UTC.
CREATE TABLE drop_attempts (
    attempt_id      text PRIMARY KEY REFERENCES clearances,
    revision        integer NOT NULL,
    seller_id       text NOT NULL,
    topic_id        text NOT NULL,
    jurisdiction    text NOT NULL,
    day             date NOT NULL,
    team_id         text NOT NULL,
    humans          bigint NOT NULL,
    abandoned       bigint NOT NULL,
    seen_abandoned  bigint NOT NULL,
    machine_hangups bigint NOT NULL,
    sampled         bigint NOT NULL,
    sampled_humans  bigint NOT NULL,
    messages        bigint NOT NULL,
    given_up        bigint NOT NULL,
    short_rings     bigint NOT NULL
);

-- What windows and the month's report add up.
CREATE TABLE drop_days (
    seller_id       text NOT NULL,
    topic_id        text NOT NULL,
    jurisdiction    text NOT NULL,
    day             date NOT NULL,
    team_id         text NOT NULL,
    humans          bigint NOT NULL,
    abandoned       bigint NOT NULL,
    seen_abandoned  bigint NOT NULL,
    machine_hangups bigint NOT NULL,
    sampled         bigint NOT NULL,
    sampled_humans  bigint NOT NULL,
    messages        bigint NOT NULL,
    given_up        bigint NOT NULL,
    short_rings     bigint NOT NULL,
    PRIMARY KEY (seller_id, topic_id, day, jurisdiction, team_id)
);

-- Since ever, and the day of the first call, which begins the successive windows.
CREATE TABLE drop_teams (
    seller_id       text NOT NULL,
    topic_id        text NOT NULL,
    jurisdiction    text NOT NULL,
    team_id         text NOT NULL,
    first_day       date NOT NULL,
    humans          bigint NOT NULL,
    seen_abandoned  bigint NOT NULL,
    PRIMARY KEY (seller_id, topic_id, jurisdiction, team_id)
);

-- abandon.budget as it was announced last, as wire bytes.
CREATE TABLE drop_budgets (
    seller_id text NOT NULL,
    topic_id  text NOT NULL,
    budget    bytea NOT NULL,
    PRIMARY KEY (seller_id, topic_id)
);

-- The report reads what is rare in the ledger.
CREATE INDEX ledger_records_rare ON ledger_records (kind)
    WHERE kind IN ('GENESIS', 'PACK', 'LIST', 'STATE', 'STOP', 'KEY', 'SUSPENSION', 'DROP_LIMIT', 'RESTORE_LOCK', 'RESTORE_UNLOCK');
CREATE INDEX suppressions_changed ON suppressions (changed_at);
