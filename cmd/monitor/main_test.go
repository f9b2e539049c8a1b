package main

import (
	"bytes"
	"flag"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"
	"go.uber.org/goleak"
)

var update = flag.Bool("update", false, "write what the scripts compare with")

func TestMain(m *testing.M) {
	testscript.Main(leakless{m}, map[string]func(){"monitor": main, "nats-server": natsd, "publishers": publishers})
}

// leakless says after all tests what still runs in this process. Most commands
// run in processes of their own, which end.
type leakless struct{ *testing.M }

func (m leakless) Run() int {
	code := m.M.Run()
	if err := goleak.Find(); err != nil && code == 0 {
		fmt.Fprintln(os.Stderr, "goleak:", err)
		return 1
	}
	return code
}

// TestScripts runs the command line as a person would; each file under
// testdata is one subject and reads as its manual.
func TestScripts(t *testing.T) {
	t.Parallel()
	testscript.Run(t, testscript.Params{
		Dir:           "testdata",
		UpdateScripts: *update,
		Setup: func(e *testscript.Env) error {
			e.Setenv("NO_COLOR", "1")
			return nil
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){"serve": serve, "occupy": occupy},
	})
}

// serve starts a publisher on loopback and sets $URL and $HOST: files of the script's
// folder, /endless that never ends, /empty, and /hang/up that cuts the line.
func serve(ts *testscript.TestScript, _ bool, _ []string) {
	mux := http.NewServeMux()
	mux.Handle("/", http.FileServer(http.Dir(ts.Getenv("WORK"))))
	mux.HandleFunc("/empty", func(http.ResponseWriter, *http.Request) {})
	mux.HandleFunc("/endless", func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.WriteString(w, "<rss><channel>")
		for chunk := bytes.Repeat([]byte("<item><title>more</title></item>"), 1000); r.Context().Err() == nil; {
			if _, err := w.Write(chunk); err != nil {
				return
			}
		}
	})
	s := httptest.NewServer(mux)
	ts.Defer(s.Close)
	ts.Setenv("URL", s.URL)
	ts.Setenv("HOST", s.Listener.Addr().String())
}

// occupy takes a port and sets $TAKEN to its address.
func occupy(ts *testscript.TestScript, _ bool, _ []string) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	ts.Check(err)
	ts.Defer(func() { _ = l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			fmt.Fprint(c, "220 some other program\r\n")
			_ = c.Close()
		}
	}()
	ts.Setenv("TAKEN", l.Addr().String())
}
