package truth

import (
	"fmt"
	"strings"
	"time"
)

// Kind is what an operation does.
type Kind string

// The operations.
const (
	SignIn   Kind = "sign in"
	Refresh  Kind = "refresh"
	Follow   Kind = "follow"
	Unfollow Kind = "unfollow"
	Create   Kind = "post"
)

// Outcome is what is known of an operation.
type Outcome string

// The outcomes.
const (
	// Unknown: no attempt was answered. It may have been carried out.
	Unknown Outcome = "unknown"
	// Acknowledged: it was carried out.
	Acknowledged Outcome = "acknowledged"
	// Refused: it was not carried out.
	Refused Outcome = "refused"
)

// Operation is one write as a phone made it: the same request, sent until it was
// answered.
type Operation struct {
	Kind Kind
	// Phone is the number of the phone, and User the account on it.
	Phone int
	User  string
	// Target is whom a Follow or Unfollow is about.
	Target string
	// Key and Text are what a Create sent, Post what it was answered with.
	Key, Text string
	Post      Post

	Attempts []Attempt
	Outcome  Outcome
}

// Attempt is one call. The times are since the Recorder began.
type Attempt struct {
	Sent, Ended time.Duration
	// Err is why it was not acknowledged.
	Err error
}

// sent is when it was sent first. Before, nothing can have happened.
func (o *Operation) sent() time.Duration { return o.Attempts[0].Sent }

// ended is when it was answered. After, nothing more happens: the last attempt is
// over, and those before were given up only after the server's own time for them.
func (o *Operation) ended() time.Duration { return o.Attempts[len(o.Attempts)-1].Ended }

// note adds an attempt and what is known after it. A refusal after an attempt
// without an answer tells of the later one only.
func (o *Operation) note(a Attempt) {
	o.Attempts = append(o.Attempts, a)
	switch {
	case a.Err == nil:
		o.Outcome = Acknowledged
	case refused(a.Err) && len(o.Attempts) == 1:
		o.Outcome = Refused
	default:
		o.Outcome = Unknown
	}
}

// String tells the history of the operation, a line for each attempt.
func (o *Operation) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s by phone %d, %s", o.Kind, o.Phone, o.User)
	if o.Target != "" {
		fmt.Fprintf(&b, ", of %s", o.Target)
	}
	if o.Key != "" {
		fmt.Fprintf(&b, ", key %s, text %q", o.Key, o.Text)
	}
	fmt.Fprintf(&b, ": %s", o.Outcome)
	if o.Post.Name != "" {
		fmt.Fprintf(&b, " as %s", o.Post.Name)
	}
	for i, a := range o.Attempts {
		fmt.Fprintf(&b, "\n  attempt %d: %s to %s: ", i+1, stamp(a.Sent), stamp(a.Ended))
		if a.Err == nil {
			b.WriteString("acknowledged")
		} else {
			b.WriteString(a.Err.Error())
		}
	}
	return b.String()
}

func stamp(d time.Duration) string { return fmt.Sprintf("%.3f s", d.Seconds()) }
