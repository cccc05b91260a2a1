-- One row per attempt: the newest revision of its disposition (domain/facts.py).
CREATE TABLE attempt_facts (
    attempt_id uuid PRIMARY KEY,
    revision integer NOT NULL,
    lead_id uuid NOT NULL,
    campaign_id text NOT NULL,
    campaign_version integer NOT NULL,
    team_id text NOT NULL,
    attempt_no integer NOT NULL,
    segment text NOT NULL,
    score_band text NOT NULL,
    list_source text,
    region text,
    local_zone text,
    local_hour smallint,
    code text NOT NULL,
    end_class text NOT NULL,
    fault text NOT NULL,
    sip_status integer,
    q850_cause integer,
    verdict text,
    charged boolean NOT NULL,
    reached boolean NOT NULL,
    human_answer boolean NOT NULL,
    connected boolean NOT NULL,
    abandoned boolean NOT NULL,
    conversation boolean NOT NULL,
    conversion boolean NOT NULL,
    caller_id text,
    route_id text,
    trunk_id text,
    agent_id text,
    redeemed_at timestamptz,
    answered_at timestamptz,
    ended_at timestamptz,
    pdd_seconds double precision,
    talk_seconds double precision
);
CREATE INDEX attempt_facts_campaign ON attempt_facts (campaign_id, local_hour);

-- Offers that never became attempts, with the reasons in the rule pack's words.
CREATE TABLE offer_ends (
    attempt_id uuid PRIMARY KEY,
    campaign_id text NOT NULL,
    outcome text NOT NULL,
    reasons text[] NOT NULL,
    ended_at timestamptz NOT NULL
);
