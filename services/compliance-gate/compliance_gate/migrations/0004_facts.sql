-- What a CRM says of business relationships; of a person and a seller the latest word holds (as_of).
CREATE TABLE relations (
    person_key          text NOT NULL,
    seller_id           text NOT NULL,
    as_of               timestamptz NOT NULL,
    last_transaction_at timestamptz,
    last_inquiry_at     timestamptz,
    contract_active     boolean NOT NULL,
    PRIMARY KEY (person_key, seller_id)
);

-- The debt that an offer and an attempt are about: Reg F counts per debt.
ALTER TABLE clearances ADD COLUMN debt_id text;
ALTER TABLE attempts ADD COLUMN debt_id text;

-- Declared states of emergency: few rows, read whole by every decision.
CREATE TABLE suspensions (
    suspension_id text PRIMARY KEY,
    region        text NOT NULL,
    starts_at     timestamptz NOT NULL,
    ends_at       timestamptz,
    source        text NOT NULL,
    entered_by    text NOT NULL,
    changed_by    text NOT NULL,
    changed_at    timestamptz NOT NULL
);

-- Answers of the Reassigned Numbers Database. What is not announced is not on reassigned.answered yet.
CREATE TABLE reassigned (
    number_key   text NOT NULL,
    consent_date date NOT NULL,
    reply        text NOT NULL CHECK (reply IN ('YES', 'NO', 'NO_DATA')),
    answered_at  timestamptz NOT NULL,
    announced    boolean NOT NULL,
    PRIMARY KEY (number_key, consent_date)
);
CREATE INDEX reassigned_unannounced ON reassigned (number_key, consent_date) WHERE NOT announced;

-- Files of answers that were imported; the ledger's record follows within seconds.
CREATE TABLE reassigned_imports (
    import_id   text PRIMARY KEY,
    file_sha256 text NOT NULL,
    replies     jsonb NOT NULL,
    answered_at timestamptz NOT NULL,
    imported_at timestamptz NOT NULL,
    recorded    boolean NOT NULL
);
