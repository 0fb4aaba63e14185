package core

import (
	"fmt"
	"time"
)

// accessLifetime is how long an access token is good. It cannot be taken back,
// so it is short.
const accessLifetime = 10 * time.Minute

// claims is what an access token says, in the words of RFC 7519.
type claims struct {
	Issuer   string `json:"iss"`
	Audience string `json:"aud"`
	// Subject is the resource name of the user.
	Subject string `json:"sub"`
	// Session is the id of the session.
	Session string `json:"sid"`
	// Device is the id of the device, when it is known.
	Device   string `json:"did,omitempty"`
	IssuedAt int64  `json:"iat"`
	Expiry   int64  `json:"exp"`
}

// tokens makes the newest tokens of a session.
func (i *Identity) tokens(s Session, now time.Time) (Tokens, error) {
	expire := now.Add(accessLifetime).UTC().Truncate(time.Second)
	access, err := i.signer.Sign(claims{
		Issuer: i.issuer, Audience: i.audience, Subject: s.User.Name(), Session: s.ID, Device: s.Device,
		IssuedAt: now.Unix(), Expiry: expire.Unix(),
	})
	if err != nil {
		return Tokens{}, fmt.Errorf("access token: %w", err)
	}
	refresh, err := newRefreshToken(s)
	if err != nil {
		return Tokens{}, err
	}
	return Tokens{User: s.User, Access: access, Refresh: refresh, ExpireTime: expire}, nil
}
