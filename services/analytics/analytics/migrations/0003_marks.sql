-- Of every topic that matters, the next offset up to which this database holds what the topic says (restore.md).
CREATE TABLE topic_marks (
    topic text NOT NULL,
    partition integer NOT NULL,
    next_offset bigint NOT NULL,
    PRIMARY KEY (topic, partition)
);
