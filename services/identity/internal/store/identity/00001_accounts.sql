-- +goose Up

-- An account. Times are microseconds since 1970.
CREATE TABLE users (
    id           TEXT   NOT NULL PRIMARY KEY,
    -- SHA-256 of the install secret, for an account that was made with one.
    install_hash BYTEA  UNIQUE,
    create_time  BIGINT NOT NULL
);

-- One row per session, however often it is refreshed.
CREATE TABLE sessions (
    id           TEXT   NOT NULL PRIMARY KEY,
    user_id      TEXT   NOT NULL REFERENCES users (id),
    -- The id of the device that it was started on; empty when it is not known.
    device       TEXT   NOT NULL,
    -- The key of the session's refresh tokens.
    mac_key      BYTEA  NOT NULL,
    -- The number of the newest refresh token.
    counter      BIGINT NOT NULL,
    create_time  BIGINT NOT NULL,
    -- When the newest refresh token stops being good.
    expire_time  BIGINT NOT NULL,
    -- When it was ended; 0 when it was not.
    end_time     BIGINT NOT NULL
);

CREATE INDEX sessions_by_user ON sessions (user_id, id);

-- +goose Down
DROP TABLE sessions;
DROP TABLE users;
