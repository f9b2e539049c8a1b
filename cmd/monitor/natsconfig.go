package main

import (
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"newsmonitor/pipeline/stream"
)

type natsCmd struct {
	Config natsConfigCmd `cmd:"" help:"What the administrator of an external NATS needs: definitions, accounts, permissions."`
}

type natsConfigCmd struct {
	Print         string   `enum:"all,accounts,definitions,permissions" default:"all" help:"all, or one part in its own form: accounts (nats-server's configuration), definitions or permissions (JSON)."`
	SubjectPrefix string   `default:"news" help:"First token of every subject."`
	NATSReplicas  int      `name:"nats-replicas" default:"1" placeholder:"N" help:"Copies of each stream: 3 in a cluster."`
	NATSManage    string   `name:"nats-manage" enum:"auto,never" default:"auto" help:"never: the daemon gets no right to create or change streams."`
	MaxStore      size     `default:"8GiB" help:"Most that all streams may take."`
	KeepItems     duration `default:"90d" help:"How long items are kept."`
	KeepAlerts    duration `default:"400d" help:"How long alerts are kept."`
}

func (natsConfigCmd) Help() string {
	return `Asks no server. With --nats-manage never the definitions must be made before the daemon starts; else it
makes what is missing. Give it the same flags as the daemon.

Example:
    monitor nats config --print accounts > newsmonitor.conf     # include this in nats-server.conf
    monitor nats config --print definitions --nats-replicas 3 --nats-manage never`
}

func (c *natsConfigCmd) Run(t terminal) error {
	if !slug(c.SubjectPrefix) {
		return misuse("--subject-prefix %q: want lower-case letters, digits and hyphens", c.SubjectPrefix)
	}
	if c.NATSReplicas < 1 || c.NATSReplicas > 5 {
		return misuse("--nats-replicas %d: want 1 to 5", c.NATSReplicas)
	}
	a, err := stream.Administer(stream.Options{Prefix: c.SubjectPrefix, Replicas: c.NATSReplicas, Manage: c.NATSManage == "auto",
		MaxStore: int64(c.MaxStore), KeepItems: time.Duration(c.KeepItems), KeepAlerts: time.Duration(c.KeepAlerts)})
	if err != nil {
		return err
	}
	definitions, err := indented(a.Definitions)
	if err != nil {
		return err
	}
	permissions, err := indented(map[string]stream.Permissions{"daemon": a.Daemon, "reader": a.Reader})
	if err != nil {
		return err
	}
	text := map[string]string{"accounts": a.Accounts, "definitions": definitions, "permissions": permissions}[c.Print]
	if c.Print == "all" {
		needed := "The daemon makes these itself when they are missing (nats stream add --config takes one object)."
		if c.NATSManage == "never" {
			needed = "Make these before the daemon starts (nats stream add --config takes one object)."
		}
		text = "# ---- accounts: monitor nats config --print accounts\n" + a.Accounts +
			"\n# ---- definitions: monitor nats config --print definitions\n# " + needed + "\n" + definitions +
			"\n# ---- permissions: monitor nats config --print permissions\n# For a server with accounts of its own (nsc add user --allow-pub ... --allow-sub ...).\n" + permissions
	}
	_, err = fmt.Fprint(t.out, text)
	return err
}

func indented(v any) (string, error) {
	var b strings.Builder
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	err := e.Encode(v)
	return b.String(), err
}
