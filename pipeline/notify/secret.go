package notify

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// secret is a value that lives in the environment or in a file and is read
// when it is needed, so that it can be rotated. It prints as where it lives.
type secret struct {
	env, file string
	plain     string // an address that is none, as it stands in the file
	dir       string // what a relative file is relative to
}

const maxSecret = 8 << 10 // bytes

func (s secret) given() bool { return s.env != "" || s.file != "" || s.plain != "" }

// String never shows the value.
func (s secret) String() string {
	switch {
	case s.env != "":
		return "environment variable " + s.env
	case s.file != "":
		return "file " + s.file
	case s.plain != "":
		return "the file of destinations"
	}
	return "nothing"
}

func (s secret) GoString() string { return s.String() }

// read returns the value. Its errors name the place only.
func (s secret) read() (string, error) {
	v := s.plain
	switch {
	case s.env != "":
		v = os.Getenv(s.env)
		if v == "" {
			return "", fmt.Errorf("%s is not set", s)
		}
	case s.file != "":
		path := s.file
		if !filepath.IsAbs(path) {
			path = filepath.Join(s.dir, path)
		}
		info, err := os.Stat(path)
		if err == nil && (info.IsDir() || info.Size() > maxSecret) {
			err = errors.New("want a small file with the secret in its first line")
		}
		var b []byte
		if err == nil {
			b, err = os.ReadFile(path)
		}
		if err != nil {
			var p *os.PathError
			if errors.As(err, &p) {
				err = p.Err
			}
			return "", fmt.Errorf("%s: %w", s, err)
		}
		v, _, _ = strings.Cut(strings.TrimSpace(string(b)), "\n")
	}
	if v = strings.TrimSpace(v); v == "" && s.given() {
		return "", fmt.Errorf("%s is empty", s)
	}
	if strings.ContainsFunc(v, func(r rune) bool { return r < ' ' || r == 0x7f }) {
		return "", fmt.Errorf("%s holds control characters", s)
	}
	return v, nil
}
