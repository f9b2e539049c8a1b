package pipeline

import (
	"testing"

	"go.uber.org/goleak"
)

// TestMain: after all tests nothing of a daemon runs on.
func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }
