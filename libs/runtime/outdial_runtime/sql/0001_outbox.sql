-- Events that leave after the transaction that made them (outdial_runtime.table_outbox).
CREATE TABLE outbox (
    seq bigserial PRIMARY KEY,
    topic text NOT NULL,
    key bytea,
    partition integer,
    value bytea NOT NULL,
    headers jsonb NOT NULL
);
