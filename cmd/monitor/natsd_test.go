package main

import (
	"cmp"
	"flag"
	"fmt"
	"net"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	natsserver "github.com/nats-io/nats-server/v2/server"
)

// natsd is an external NATS server as a process of its own, so that tests can
// kill it. It is run by the name nats-server.
func natsd() {
	dir := flag.String("dir", "", "")
	name := flag.String("name", "one", "")
	addr := flag.String("addr", "127.0.0.1:0", "")
	conf := flag.String("config", "", "")
	cluster := flag.String("cluster", "", "host:port for the other servers")
	routes := flag.String("routes", "", "")
	exact := flag.String("c", "", "a configuration that is all there is, as of the real nats-server")
	flag.Parse()
	so := &natsserver.Options{}
	if *conf != "" {
		var err error
		if so, err = natsserver.ProcessConfigFile(*conf); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
	}
	if *exact != "" {
		var err error
		if so, err = natsserver.ProcessConfigFile(*exact); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		so.NoSigs = true
		serveNATS(so)
		return
	}
	host, port, _ := net.SplitHostPort(*addr)
	so.Host, so.ServerName, so.JetStream, so.StoreDir, so.SyncAlways, so.NoSigs = host, *name, true, *dir, true, true
	if _, err := fmt.Sscan(port, &so.Port); err != nil || so.Port == 0 {
		so.Port = natsserver.RANDOM_PORT
	}
	if *cluster != "" {
		host, port, _ := net.SplitHostPort(*cluster)
		so.Cluster.Name, so.Cluster.Host = "tests", host
		_, _ = fmt.Sscan(port, &so.Cluster.Port)
		for _, r := range strings.Split(*routes, ",") {
			so.Routes = append(so.Routes, &url.URL{Scheme: "nats", Host: r})
		}
	}
	serveNATS(so)
}

func serveNATS(so *natsserver.Options) {
	ns, err := natsserver.NewServer(so)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	go ns.Start()
	if !ns.ReadyForConnections(30 * time.Second) {
		fmt.Fprintln(os.Stderr, "not ready")
		os.Exit(1)
	}
	fmt.Println(ns.Addr())
	ns.WaitForShutdown()
}

// natsServer is a running natsd.
type natsServer struct {
	program string // "": nats-server
	args    []string
	env     []string
	addr    string
	cmd     *exec.Cmd
}

func (s *natsServer) url() string { return "nats://" + s.addr }

// start runs the server, after a kill on the same address and folder.
func (s *natsServer) start(t *testing.T) {
	t.Helper()
	args := s.args
	if s.addr != "" && args[0] != "-c" {
		args = append(args[:len(args):len(args)], "-addr", s.addr)
	}
	s.cmd = exec.Command(cmp.Or(s.program, "nats-server"), args...)
	s.cmd.Stderr, s.cmd.Env = os.Stderr, append(os.Environ(), s.env...)
	out, err := s.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := s.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	if _, err := fmt.Fscan(out, &s.addr); err != nil {
		t.Fatalf("the NATS server does not start: %v", err)
	}
}

func (s *natsServer) kill() {
	_ = s.cmd.Process.Kill()
	_ = s.cmd.Wait()
}

func startNATS(t *testing.T, args ...string) *natsServer {
	t.Helper()
	s := &natsServer{args: append([]string{"-dir", t.TempDir()}, args...)}
	s.start(t)
	t.Cleanup(s.kill)
	return s
}

// startCluster runs three servers that know each other.
func startCluster(t *testing.T) []*natsServer {
	t.Helper()
	var ways []string
	for range 3 {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		ways = append(ways, l.Addr().String())
		_ = l.Close()
	}
	var servers []*natsServer
	dir := t.TempDir()
	for i, way := range ways {
		name := fmt.Sprint("n", i)
		s := &natsServer{args: []string{"-dir", filepath.Join(dir, name), "-name", name, "-cluster", way, "-routes", strings.Join(ways, ",")}}
		s.start(t)
		t.Cleanup(s.kill)
		servers = append(servers, s)
	}
	return servers
}
