package operator

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"time"
)

// cookieLife is how long a browser stays signed in.
const cookieLife = 12 * time.Hour

// token is the operator's secret, 256 random bits.
type token string

// openToken reads the token from its file, or makes both.
func openToken(path string) (token, error) {
	info, err := os.Stat(path)
	if errors.Is(err, os.ErrNotExist) {
		return makeToken(path)
	}
	if err != nil {
		return "", err
	}
	// Windows has no such bits and always shows them set.
	if info.Mode().Perm()&0o077 != 0 && runtime.GOOS != "windows" {
		return "", fmt.Errorf("%s may be read by other users: remove it to have a new one made", path)
	}
	content, err := os.ReadFile(path)
	if err != nil {
		return "", err
	}
	t := strings.TrimSpace(string(content))
	if len(t) < 32 {
		return "", fmt.Errorf("%s holds fewer than 32 characters: remove it to have a new one made", path)
	}
	return token(t), nil
}

// makeToken writes a new token. The file appears whole or not at all.
func makeToken(path string) (token, error) {
	var secret [32]byte
	rand.Read(secret[:])
	t := base64.RawURLEncoding.EncodeToString(secret[:])
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return "", err
	}
	if err := os.WriteFile(path+".new", []byte(t+"\n"), 0o600); err != nil {
		return "", err
	}
	return token(t), os.Rename(path+".new", path)
}

// is compares in a time that does not depend on how much is right.
func (t token) is(guess string) bool {
	a, b := sha256.Sum256([]byte(t)), sha256.Sum256([]byte(guess))
	return subtle.ConstantTimeCompare(a[:], b[:]) == 1
}

// cookie is what a browser gets in place of the token: the time it ends, signed.
// Browsers send cookies of localhost to every port of it, so another local
// server may see one, and must not learn the token by it.
func (t token) cookie(end time.Time) string {
	seconds := strconv.FormatInt(end.Unix(), 10)
	return seconds + "." + t.sign(seconds)
}

// isCookie says whether a cookie was made from the token and still holds.
func (t token) isCookie(value string, now time.Time) bool {
	seconds, mac, _ := strings.Cut(value, ".")
	end, err := strconv.ParseInt(seconds, 10, 64)
	if err != nil || now.Unix() >= end {
		return false
	}
	return subtle.ConstantTimeCompare([]byte(mac), []byte(t.sign(seconds))) == 1
}

func (t token) sign(text string) string {
	mac := hmac.New(sha256.New, []byte(t))
	mac.Write([]byte("operator cookie " + text))
	return hex.EncodeToString(mac.Sum(nil))
}
