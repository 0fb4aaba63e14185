-- name: CreateUser :one
-- An account that has the install hash stays as it is and is returned: the empty
-- update is what makes RETURNING return it.
INSERT INTO users (id, install_hash, create_time)
VALUES ($1, $2, $3)
ON CONFLICT (install_hash) DO UPDATE SET install_hash = excluded.install_hash
RETURNING id, create_time;

-- name: GetUser :one
SELECT id, create_time FROM users WHERE id = $1;

-- name: CreateSession :exec
INSERT INTO sessions (id, user_id, device, mac_key, counter, create_time, expire_time, end_time)
VALUES ($1, $2, $3, $4, $5, $6, $7, 0);

-- name: GetSession :one
SELECT sessions.id, sessions.user_id, sessions.device, sessions.mac_key, sessions.counter,
       sessions.expire_time, sessions.end_time, users.create_time AS user_create_time
FROM sessions
JOIN users ON users.id = sessions.user_id
WHERE sessions.id = $1;

-- name: AdvanceSession :exec
-- Moves the counter to the given one if it is behind that and the session is
-- live. Of several calls with the same counter only the first does anything.
UPDATE sessions
SET counter = sqlc.arg(counter), expire_time = sqlc.arg(expire_time)
WHERE id = sqlc.arg(id)
  AND counter < sqlc.arg(counter)
  AND end_time = 0
  AND expire_time > CAST(sqlc.arg(now) AS bigint);

-- name: EndSession :exec
UPDATE sessions SET end_time = $3 WHERE id = $1 AND user_id = $2 AND end_time = 0;
