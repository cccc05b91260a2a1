-- The latest word on each attempt (domain/windows.py); what every window is the sum of.
CREATE TABLE window_attempts (
    attempt_id uuid PRIMARY KEY,
    revision integer NOT NULL,
    leg_no integer NOT NULL,
    campaign_id text NOT NULL,
    local_hour smallint,
    began_at timestamptz NOT NULL,
    charged boolean NOT NULL,
    reached boolean NOT NULL,
    human_answer boolean NOT NULL,
    connected boolean NOT NULL,
    conversation boolean NOT NULL
);
CREATE INDEX window_attempts_began_at ON window_attempts (began_at);

-- Changed in the transaction that changes window_attempts, so that the sums are never anything else.
CREATE TABLE windows (
    window_id text PRIMARY KEY,
    share_hash bigint NOT NULL,  -- of the slice: which replica issues it
    campaign_id text NOT NULL,
    local_hour smallint,
    seconds integer NOT NULL,
    start timestamptz NOT NULL,
    revision bigint NOT NULL,
    issued bigint NOT NULL,  -- the revision that Kafka acknowledged
    changed_at timestamptz NOT NULL,  -- the first change that is not issued
    attempts bigint NOT NULL,
    reached bigint NOT NULL,
    human_answers bigint NOT NULL,
    connects bigint NOT NULL,
    conversations bigint NOT NULL,
    provisional bigint NOT NULL
);
CREATE INDEX windows_unissued ON windows (changed_at) WHERE revision > issued;
CREATE INDEX windows_campaign ON windows (campaign_id, seconds, start);
CREATE INDEX windows_start ON windows (start);
