-- +goose Up
CREATE TABLE posts (
  id          TEXT   PRIMARY KEY, -- a lower-case UUIDv7: sorts by creation
  author      TEXT   NOT NULL,
  text        TEXT   NOT NULL,
  create_time BIGINT NOT NULL     -- microseconds since 1970
);
CREATE INDEX posts_by_author ON posts (author, id);

CREATE TABLE follows (
  follower    TEXT   NOT NULL,
  followee    TEXT   NOT NULL,
  create_time BIGINT NOT NULL,
  PRIMARY KEY (follower, followee)
);
