package status

import (
	"testing"

	"google.golang.org/grpc/codes"
	grpcstatus "google.golang.org/grpc/status"
)

// People read what the system says, and not how grpc wraps it.
func TestWhyNobodyAnswers(t *testing.T) {
	for text, want := range map[string]string{
		`connection error: desc = "transport: Error while dialing: dial tcp 10.0.0.1:7000: connect: connection refused"`: "dial tcp 10.0.0.1:7000: connect: connection refused",
		`last connection error: connection error: desc = "transport: it says \"no\""`:                                    `it says "no"`,
		`connection error: desc = "error reading server preface: EOF"`:                                                   "error reading server preface: EOF",
		"draining": "draining",
	} {
		if got := spoken(grpcstatus.Error(codes.Unavailable, text)); got.Error() != want {
			t.Errorf("got %s, want %s", got, want)
		}
	}
}
