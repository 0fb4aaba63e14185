package policy

import (
	"fmt"
	"math"
	"strings"
	"time"

	"google.golang.org/protobuf/types/known/durationpb"

	policyv1 "github.com/fairlead-mesh/fairlead/proto/gen/go/fairlead/policy/v1"
)

// consistent refuses a policy that contradicts itself. Everything that is known
// today is judged, also what a later version acts on, so that a mistake shows
// when a service is deployed and not when the edge is.
func consistent(m *policyv1.MethodPolicy) error {
	level := m.GetAuth().GetLevel()
	if m.GetExposure() == policyv1.Exposure_EXPOSURE_EDGE && level == policyv1.Auth_LEVEL_UNSPECIFIED {
		return fmt.Errorf("policy.auth.level must be written on an EDGE method")
	}
	public := m.GetCache().GetScope() == policyv1.CachePolicy_SCOPE_PUBLIC
	if public && (level == policyv1.Auth_LEVEL_USER || level == policyv1.Auth_LEVEL_SERVICE) {
		return fmt.Errorf("policy.cache.scope PUBLIC contradicts policy.auth.level %s: what only some may see is not kept for all", level)
	}
	if len(m.GetAuth().GetScopes()) > 0 && level == policyv1.Auth_LEVEL_NONE {
		return fmt.Errorf("policy.auth.scopes need a level other than NONE")
	}
	if r := m.GetRateLimit(); r.GetPerSecond() < 0 || math.IsNaN(r.GetPerSecond()) || math.IsInf(r.GetPerSecond(), 0) {
		return fmt.Errorf("policy.rate_limit.per_second must be a number from 0 upwards")
	}
	if err := durations(m); err != nil {
		return err
	}
	return names(m)
}

func durations(m *policyv1.MethodPolicy) error {
	for field, d := range map[string]*durationpb.Duration{
		"timeout":                      m.GetTimeout(),
		"stream.idle_timeout":          m.GetStream().GetIdleTimeout(),
		"stream.max_age":               m.GetStream().GetMaxAge(),
		"stream.heartbeat":             m.GetStream().GetHeartbeat(),
		"cache.max_age":                m.GetCache().GetMaxAge(),
		"cache.stale_while_revalidate": m.GetCache().GetStaleWhileRevalidate(),
		"cache.stale_if_error":         m.GetCache().GetStaleIfError(),
	} {
		if d == nil {
			continue
		}
		if err := d.CheckValid(); err != nil || d.AsDuration() < 0 {
			return fmt.Errorf("policy.%s must be a duration from 0 upwards", field)
		}
	}
	if t := m.GetTimeout(); t != nil && t.AsDuration() < time.Millisecond {
		return fmt.Errorf("policy.timeout must be at least 1 ms")
	}
	return nil
}

// names refuses metadata keys that could never match, or that only Fairlead may
// set.
func names(m *policyv1.MethodPolicy) error {
	for field, keys := range map[string][]string{
		"metadata.request":  m.GetMetadata().GetRequest(),
		"metadata.response": m.GetMetadata().GetResponse(),
		"cache.vary":        m.GetCache().GetVary(),
	} {
		for _, k := range keys {
			if k == "" || k != strings.ToLower(k) || strings.ContainsAny(k, " :\t\r\n") {
				return fmt.Errorf("policy.%s: %q is not a metadata key in lower case", field, k)
			}
			if field != "cache.vary" && reserved(k) {
				return fmt.Errorf("policy.%s: %q is set by Fairlead alone", field, k)
			}
		}
	}
	return nil
}

func reserved(key string) bool {
	switch key {
	case "authorization", "cookie", "set-cookie", "host", "connection", "te", "content-type", "content-length", "user-agent":
		return true
	}
	return strings.HasPrefix(key, "grpc-") || strings.HasPrefix(key, "x-fairlead-")
}
