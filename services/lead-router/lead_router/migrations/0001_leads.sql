-- Times are arguments, never now(). Numbers of callees are in leads.phones only; tokens everywhere else.
CREATE TABLE campaign_versions (
    campaign_id text NOT NULL,
    version integer NOT NULL,
    team_id text NOT NULL,
    document jsonb NOT NULL,
    PRIMARY KEY (campaign_id, version)
);

CREATE TABLE campaign_states (
    campaign_id text PRIMARY KEY,
    version integer NOT NULL,
    state text NOT NULL,
    published_at timestamptz NOT NULL
);

CREATE TABLE stops (
    scope text PRIMARY KEY,
    stopped boolean NOT NULL,
    changed_at timestamptz NOT NULL
);

-- One row per person over all campaigns: the lock and the one call in flight.
CREATE TABLE persons (
    person_id text PRIMARY KEY,
    open_attempt_id text
);

CREATE TABLE leads (
    lead_id text PRIMARY KEY,
    campaign_id text NOT NULL,
    person_id text NOT NULL REFERENCES persons,
    source text NOT NULL,
    external_id text NOT NULL,
    person_token text NOT NULL,
    profile jsonb NOT NULL,
    phones jsonb NOT NULL,
    consents jsonb NOT NULL,
    segment text NOT NULL,
    score double precision NOT NULL,
    priority double precision NOT NULL,
    status text NOT NULL,
    due_at timestamptz NOT NULL,
    expires_at timestamptz,
    phone_no integer NOT NULL,
    offers integer NOT NULL,
    attempts integer NOT NULL,
    current_attempt_id text,
    last_code text,
    block_reasons text[] NOT NULL,
    revision bigint NOT NULL,
    changed_at timestamptz NOT NULL
);
CREATE INDEX leads_due ON leads (campaign_id, (last_code IS NOT DISTINCT FROM 'CALLBACK') DESC, priority DESC, due_at, lead_id)
    WHERE status IN ('NEW', 'WAITING', 'CALLBACK');
CREATE INDEX leads_next_due ON leads (campaign_id, due_at) WHERE status IN ('NEW', 'WAITING', 'CALLBACK');
CREATE INDEX leads_in_flight ON leads (campaign_id) WHERE status IN ('OFFERED', 'ATTEMPTING');
CREATE INDEX leads_expiry ON leads (expires_at) WHERE status IN ('NEW', 'WAITING', 'CALLBACK');
CREATE INDEX leads_by_campaign ON leads (campaign_id, status);

-- Who is in a campaign already (dedupe), and which leads a suppression binds.
CREATE TABLE lead_tokens (
    campaign_id text NOT NULL,
    token text NOT NULL,
    lead_id text NOT NULL REFERENCES leads,
    PRIMARY KEY (campaign_id, token)
);
CREATE INDEX lead_tokens_token ON lead_tokens (token);
CREATE INDEX lead_tokens_lead ON lead_tokens (lead_id);

CREATE TABLE offers (
    attempt_id text PRIMARY KEY,
    lead_id text NOT NULL REFERENCES leads,
    person_id text NOT NULL,
    offer_no integer NOT NULL,
    campaign_id text NOT NULL,
    campaign_version integer NOT NULL,
    team_id text NOT NULL,
    epoch bigint NOT NULL,
    context jsonb NOT NULL,
    state text NOT NULL,
    offered_at timestamptz NOT NULL,
    answer_due_at timestamptz NOT NULL,
    redeemed_at timestamptz,
    charged boolean NOT NULL,
    disposition_revision integer NOT NULL,
    UNIQUE (lead_id, offer_no)
);
CREATE INDEX offers_unanswered ON offers (answer_due_at) WHERE state = 'OPEN';
CREATE INDEX offers_budget ON offers (person_id, redeemed_at) WHERE redeemed_at IS NOT NULL;

CREATE TABLE demands (
    campaign_id text PRIMARY KEY,
    team_id text NOT NULL,
    epoch bigint NOT NULL,
    wanted_total bigint NOT NULL,
    sent_total bigint NOT NULL,
    blocked_total bigint NOT NULL,
    supply_no bigint NOT NULL,
    published_total bigint,
    published_reason text,
    published_next_due_at timestamptz
);

CREATE TABLE idempotency_keys (
    key text PRIMARY KEY,
    body_sha256 text NOT NULL,
    status integer NOT NULL,
    reply jsonb NOT NULL,
    created_at timestamptz NOT NULL
);
CREATE INDEX idempotency_keys_age ON idempotency_keys (created_at);
