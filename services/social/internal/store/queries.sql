-- name: AddFollow :exec
INSERT INTO follows (follower, followee, create_time)
VALUES (sqlc.arg(follower), sqlc.arg(followee), sqlc.arg(create_time))
ON CONFLICT (follower, followee) DO NOTHING;

-- name: RemoveFollow :exec
DELETE FROM follows
WHERE follower = sqlc.arg(follower) AND followee = sqlc.arg(followee);

-- name: AddPost :exec
INSERT INTO posts (id, author, text, create_time)
VALUES (sqlc.arg(id), sqlc.arg(author), sqlc.arg(text), sqlc.arg(create_time));

-- name: GetPost :one
SELECT id, author, text, create_time FROM posts
WHERE id = sqlc.arg(id);

-- name: ListPosts :many
SELECT id, author, text, create_time FROM posts
WHERE author = sqlc.arg(author) AND id < sqlc.arg(before)
ORDER BY id DESC
LIMIT sqlc.arg(size);

-- ListTimeline reads from each author no more posts than the page has, however
-- many there are: it finds the oldest that could be on the page first. The steps
-- are MATERIALIZED to keep them apart: PostgreSQL would rather walk all the posts
-- of everybody, which never ends for a reader whose authors are silent.
-- name: ListTimeline :many
WITH authors AS (
  SELECT followee AS author FROM follows WHERE follower = sqlc.arg(reader)
  UNION
  SELECT CAST(sqlc.arg(reader) AS text)
), windows AS MATERIALIZED (
  SELECT authors.author, (
    SELECT MIN(newest.id) FROM (
      SELECT own.id FROM posts AS own
      WHERE own.author = authors.author AND own.id < sqlc.arg(before)
      ORDER BY own.id DESC
      LIMIT sqlc.arg(size)
    ) AS newest
  ) AS oldest
  FROM authors
), candidates AS MATERIALIZED (
  SELECT posts.id, posts.author, posts.text, posts.create_time
  FROM windows
  JOIN posts ON posts.author = windows.author
    AND posts.id >= windows.oldest AND posts.id < sqlc.arg(before)
)
SELECT id, author, text, create_time FROM candidates
ORDER BY id DESC
LIMIT sqlc.arg(size);
