// Package demo is a small client of a running system, for the commands that a
// newcomer tries first. It uses the public REST API and nothing else.
package demo

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"time"
)

// secretSize is the size of an install secret, in bytes.
const secretSize = 32

var personName = regexp.MustCompile(`^[a-z0-9-]{1,32}$`)

// Session is what signing in gives.
type Session struct {
	User struct {
		Name string `json:"name"`
	} `json:"user"`
	AccessToken  string `json:"accessToken"`
	RefreshToken string `json:"refreshToken"`
}

// SignIn signs a person in and returns the session. The person's install secret
// is kept in the folder, so that the same name is the same account next time.
func SignIn(ctx context.Context, server, folder, person string) (*Session, error) {
	if !personName.MatchString(person) {
		return nil, fmt.Errorf("name %q: use 1 to 32 lower-case letters, digits and dashes", person)
	}
	secret, err := secretOf(filepath.Join(folder, person+".secret"))
	if err != nil {
		return nil, err
	}
	session := new(Session)
	err = post(ctx, server+"/v1/sessions:signInAnonymous", map[string][]byte{"installSecret": secret}, session)
	return session, err
}

// secretOf reads a secret, and makes it when there is none.
func secretOf(file string) ([]byte, error) {
	secret, err := os.ReadFile(file)
	if err == nil || !errors.Is(err, os.ErrNotExist) {
		return secret, err
	}
	secret = make([]byte, secretSize)
	rand.Read(secret) // never fails
	if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
		return nil, err
	}
	return secret, os.WriteFile(file, secret, 0o600)
}

func post(ctx context.Context, url string, body, answer any) error {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	b, err := json.Marshal(body)
	if err != nil {
		return err
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, url, bytes.NewReader(b))
	if err != nil {
		return err
	}
	r.Header.Set("Content-Type", "application/json")
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		return fmt.Errorf("%w (is \"fairlead up\" running? see --server)", err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(io.LimitReader(resp.Body, 1<<20))
	if err != nil {
		return err
	}
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("%s: %s: %s", url, resp.Status, text)
	}
	return json.Unmarshal(text, answer)
}
