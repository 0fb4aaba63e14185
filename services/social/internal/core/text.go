package core

import (
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"
)

// maxText is the length of the longest post in characters.
const maxText = 2000

// TextError says what is wrong with the text of a post, in words for its author.
type TextError struct{ Problem string }

// Error implements error.
func (e *TextError) Error() string { return "text of the post: " + e.Problem }

// checkText refuses what cannot be shown as it was written. Otherwise it changes
// nothing: what a user said stays what the user said.
func checkText(text string) error {
	switch {
	case text == "":
		return &TextError{"must not be empty"}
	case !utf8.ValidString(text):
		return &TextError{"must be UTF-8"}
	case utf8.RuneCountInString(text) > maxText:
		return &TextError{fmt.Sprintf("must have at most %d characters", maxText)}
	case strings.IndexFunc(text, isRefused) >= 0:
		return &TextError{"must not have control characters but line feed and tab"}
	}
	return nil
}

func isRefused(r rune) bool { return unicode.IsControl(r) && r != '\n' && r != '\t' }
