package core

import (
	"strings"
	"testing"
)

func TestCheckText(t *testing.T) {
	for _, good := range []string{"a", " ", "\n\t", "\u200d", strings.Repeat("😀", maxText)} {
		if err := checkText(good); err != nil {
			t.Errorf("%q: %v", good, err)
		}
	}
	for _, bad := range []string{"", "\x00", "\r", "\x7f", "\u009f", "a\xff", strings.Repeat("a", maxText+1)} {
		if err := checkText(bad); err == nil {
			t.Errorf("%q was accepted", bad)
		}
	}
}
