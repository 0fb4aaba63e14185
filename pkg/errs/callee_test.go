package errs_test

import (
	"fmt"
	"testing"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/fairlead-mesh/fairlead/pkg/errs"
)

// Whoever runs a job reads what failed, in words.
func TestCalleeInWords(t *testing.T) {
	err := fmt.Errorf("greet: %w", errs.Callee(status.Error(codes.NotFound, "there is no Ada")))
	if got := err.Error(); got != "greet: the call failed with NotFound: there is no Ada" || status.Code(err) != codes.NotFound {
		t.Errorf("got %s, %v", got, status.Code(err))
	}
}
