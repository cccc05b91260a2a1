-- Where each campaign's outcomes are sent, by its newest version; url is null for a campaign that wants none.
CREATE TABLE webhook_endpoints (
    campaign_id  text PRIMARY KEY,
    version      integer NOT NULL,
    seller_id    text NOT NULL,
    url          text,
    secret_env   text,
    disabled_at  timestamptz, -- it answered 410 Gone
    paused_until timestamptz  -- it answered 429 or 503 with Retry-After
);
-- A row per webhook, written in the transaction of what it tells. While it is sent, due_at is the end of the lease.
CREATE TABLE webhooks (
    webhook_id  uuid PRIMARY KEY,
    seq         bigint GENERATED ALWAYS AS IDENTITY,
    campaign_id text NOT NULL,
    type        text NOT NULL,
    subject     text NOT NULL,
    body        text NOT NULL,
    state       text NOT NULL DEFAULT 'PENDING' CHECK (state IN ('PENDING', 'DELIVERED', 'DEAD')),
    tries       integer NOT NULL DEFAULT 0,
    due_at      timestamptz NOT NULL,
    queued_at   timestamptz NOT NULL,
    settled_at  timestamptz,
    trouble     text,
    status      integer
);
-- The first finds what is due, the second what must be sent before it, the third what is swept or shown as dead.
CREATE INDEX webhooks_due ON webhooks (campaign_id, due_at) WHERE state = 'PENDING';
CREATE INDEX webhooks_order ON webhooks (campaign_id, subject, seq) WHERE state = 'PENDING';
CREATE INDEX webhooks_settled ON webhooks (state, settled_at) WHERE state <> 'PENDING';
