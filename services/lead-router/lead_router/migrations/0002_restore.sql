-- Of every topic that matters, the next offset up to which this database holds what the topic says (restore.md).
CREATE TABLE topic_marks (
    topic text NOT NULL,
    partition integer NOT NULL,
    next_offset bigint NOT NULL,
    PRIMARY KEY (topic, partition)
);

-- What the topics know of leads that a restored database does not: where such a lead goes on when it is submitted again.
CREATE TABLE lead_floors (
    lead_id text PRIMARY KEY,
    offers integer NOT NULL,
    revision bigint NOT NULL,
    status text,
    attempts integer NOT NULL,
    last_code text,
    due_at timestamptz
);
