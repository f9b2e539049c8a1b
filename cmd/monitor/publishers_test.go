package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// crowd is the publishers' side, counted.
type crowd struct {
	Requests  int64 `json:"requests"`
	Unchanged int64 `json:"unchanged"`
	First     int64 `json:"first"` // when the first request came, Unix ns
}

// publishers serves /feeds/N/rss.xml on many addresses of 127.1.0.0/16, as a
// process of its own. Its standard input is its life: each line asks for the
// figures since the last, the end ends it.
func publishers() {
	hosts, _ := strconv.Atoi(os.Args[1])
	items, _ := strconv.Atoi(os.Args[2])
	var requests, unchanged, first atomic.Int64
	handler := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		first.CompareAndSwap(0, time.Now().UnixNano())
		requests.Add(1)
		tag := strconv.Quote(r.URL.Path)
		w.Header().Set("ETag", tag)
		w.Header().Set("Last-Modified", "Sun, 22 Nov 2026 10:00:00 GMT")
		if r.Header.Get("If-None-Match") == tag {
			unchanged.Add(1)
			w.WriteHeader(http.StatusNotModified)
			return
		}
		w.Header().Set("Content-Type", "application/rss+xml")
		_, _ = w.Write(manyItems(r.URL.Path, items))
	})
	port := "0"
	for i := range hosts {
		l, err := net.Listen("tcp", fmt.Sprintf("127.1.%d.%d:%s", i/250, i%250+1, port))
		if err != nil {
			fmt.Println("failed", err)
			os.Exit(1)
		}
		_, port, _ = net.SplitHostPort(l.Addr().String())
		go func() { _ = (&http.Server{Handler: handler, ReadHeaderTimeout: time.Minute}).Serve(l) }()
	}
	fmt.Println("at", port)
	for in := bufio.NewScanner(os.Stdin); in.Scan(); {
		_ = json.NewEncoder(os.Stdout).Encode(crowd{requests.Swap(0), unchanged.Swap(0), first.Swap(0)})
	}
}

func manyItems(path string, n int) []byte {
	var b bytes.Buffer
	fmt.Fprintf(&b, "<rss version=\"2.0\"><channel><title>News of %s</title><link>http://publisher.example%[1]s</link>", path)
	now := time.Now().UTC()
	for i := range n {
		fmt.Fprintf(&b, "<item><guid>http://publisher.example%s/%d</guid><link>http://publisher.example%[1]s/%[2]d</link><title>The office opens its conference, part %[2]d of %[1]s</title>"+
			"<pubDate>%[3]s</pubDate><description>The programme goes on as planned, the office said on Tuesday, and its partners were told of the next steps.</description></item>",
			path, i, now.Add(-time.Duration(i*7+100)*time.Hour).Format(time.RFC1123Z))
	}
	b.WriteString("</channel></rss>")
	return b.Bytes()
}

// crowded starts the publishers; ask returns their figures since it was last
// called.
func crowded(t *testing.T, hosts, items int) (port string, ask func() crowd) {
	t.Helper()
	cmd := exec.Command("publishers", strconv.Itoa(hosts), strconv.Itoa(items))
	cmd.Stderr = os.Stderr
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = in.Close(); _ = cmd.Wait() })
	lines := bufio.NewScanner(out)
	if !lines.Scan() || !strings.HasPrefix(lines.Text(), "at ") {
		t.Fatalf("the publishers do not start: %s", lines.Text())
	}
	return lines.Text()[3:], func() (c crowd) {
		_, _ = io.WriteString(in, "\n")
		if !lines.Scan() {
			t.Fatal("the publishers are gone")
		}
		if err := json.Unmarshal(lines.Bytes(), &c); err != nil {
			t.Fatal(err)
		}
		return c
	}
}
