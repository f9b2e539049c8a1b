package rule

import (
	"testing"

	"go.uber.org/goleak"
)

// TestMain: after all tests nothing of this room runs on.
func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }
