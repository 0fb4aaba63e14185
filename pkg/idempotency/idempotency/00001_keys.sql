-- +goose Up
CREATE TABLE idempotency_keys (
  principal   TEXT   NOT NULL,
  key         TEXT   NOT NULL,
  fingerprint BYTEA  NOT NULL,
  response    BYTEA,           -- null only inside the transaction that makes it
  create_time BIGINT NOT NULL, -- microseconds since 1970
  PRIMARY KEY (principal, key)
);
CREATE INDEX idempotency_keys_by_age ON idempotency_keys (create_time);
