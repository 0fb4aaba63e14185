package store

import (
	"errors"
	"fmt"
	"net/url"
	"strings"
)

// errUnreadable does not quote the URL, as the errors of parsers do: where it is
// malformed nobody can tell what part of it is the password.
var errUnreadable = errors.New("the database URL cannot be read: want sqlite:path or postgres://user@host/database")

// parse tells which engine a URL names. Its errors never hold a password.
func parse(raw string) (engine, error) {
	if strings.HasPrefix(raw, "postgres://") || strings.HasPrefix(raw, "postgresql://") {
		return parsePostgres(raw)
	}
	u, err := url.Parse(raw)
	if err != nil || u.Scheme == "" {
		return nil, errUnreadable
	}
	if u.Scheme == "sqlite" {
		return parseSQLite(u)
	}
	return nil, fmt.Errorf("unknown kind of database %s: want sqlite:path or postgres://user@host/database", redact(u))
}

// redact returns a URL without its password and without the settings after "?",
// which may hold another.
func redact(u *url.URL) string {
	shown := url.URL{Scheme: u.Scheme, Host: u.Host, Path: u.Path}
	if name := u.User.Username(); name != "" {
		shown.User = url.User(name)
	}
	return shown.String()
}
