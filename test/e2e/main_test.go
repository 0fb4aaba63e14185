// Package e2e_test tests what Fairlead promises to those who use it, against the
// programs that are shipped: nothing is faked, and every request takes the whole
// way.
package e2e_test

import (
	"testing"

	"github.com/fairlead-mesh/fairlead/test/harness"
)

func TestMain(m *testing.M) { harness.Main(m) }
