package rule

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"
)

// TestShippedIsCanonical: the shipped files are as monitor rules fmt -w leaves
// them.
func TestShippedIsCanonical(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob("../../rules/*.yaml")
	if err != nil || len(files) == 0 {
		t.Fatal(files, err)
	}
	for _, name := range files {
		b, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		out, problems := Format(filepath.Base(name), b)
		if len(problems) > 0 {
			t.Errorf("%s: %v", name, problems)
		} else if !bytes.Equal(b, out) {
			t.Errorf("%s is not in canonical form; monitor rules fmt -w rules", name)
		}
	}
}
