// Command monitor watches the feeds of ministries and think tanks and raises
// alerts by the rules that analysts write. This package is the operator's
// door: one file a command, flags, signals, printing and exit codes. It decides
// nothing about feeds, items or alerts; the rooms under pipeline/ do.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"runtime/debug"
	"strings"
	"syscall"

	"github.com/alecthomas/kong"
)

// Exit codes of every command.
const (
	exitFine   = 0
	exitFailed = 1 // problems found, or failed
	exitMisuse = 2
)

// errQuiet ends a command with exit code 1 when all that there is to say has
// been said.
var errQuiet = errors.New("problems found")

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	code := run(ctx, os.Args[1:], os.Stdin, os.Stdout, os.Stderr)
	stop()
	os.Exit(code)
}

// terminal is where a command reads and prints: results on out, problems and
// progress on err.
type terminal struct {
	in       io.Reader
	out, err io.Writer
}

// open opens a file for reading; - is the standard input.
func (t terminal) open(name string) (io.ReadCloser, error) {
	if name == "-" {
		return io.NopCloser(t.in), nil
	}
	return os.Open(name)
}

type commands struct {
	Run     runCmd     `cmd:"" default:"withargs" help:"Watch the feeds and raise alerts: the daemon. This is what monitor does when no command is named."`
	Demo    demoCmd    `cmd:"" help:"The daemon on a story of our own: sample feeds on loopback re-enact 2014-15. Needs no network, keeps nothing."`
	Check   checkCmd   `cmd:"" help:"Check feeds, rules and settings, and run the rules' own tests."`
	Feeds   feedsCmd   `cmd:"" help:"The catalogue: list, read, import, export."`
	Rules   rulesCmd   `cmd:"" help:"The rules: list, test, match, fmt, cost, eval."`
	Alerts  alertsCmd  `cmd:"" help:"Past alerts."`
	Why     whyCmd     `cmd:"" help:"Why, or why not, a link or title became an alert."`
	Watch   watchCmd   `cmd:"" help:"Alerts as they come."`
	Replay  replayCmd  `cmd:"" help:"Stored items through other rules: what would be raised, gained and lost."`
	Notify  notifyCmd  `cmd:"" help:"Where alerts are pushed: send a test."`
	Status  statusCmd  `cmd:"" help:"How the running daemon is doing."`
	Backup  backupCmd  `cmd:"" help:"All that is stored, in one file."`
	Restore restoreCmd `cmd:"" help:"A data folder out of a backup."`
	NATS    natsCmd    `cmd:"" name:"nats" help:"For the administrator of an external NATS: config."`
	Doctor  doctorCmd  `cmd:"" help:"Look at all that an operator would look at by hand: files, folder, disk, clock, NATS, listeners, feeds."`
	Version versionCmd `cmd:"" help:"The version of this program."`
}

// run is the program: it parses args, runs the command and returns the exit
// code. Tests call it.
func run(ctx context.Context, args []string, in io.Reader, out, errOut io.Writer) int {
	var cli commands
	exited := -1
	parser, err := kong.New(&cli,
		kong.Name("monitor"),
		kong.Description("newsmonitor watches the feeds of ministries and think tanks and raises alerts by the rules that analysts write."),
		kong.UsageOnError(),
		kong.Writers(out, errOut),
		kong.Exit(func(code int) { exited = code }),
		kong.DefaultEnvars("MONITOR"),
		kong.ConfigureHelp(kong.HelpOptions{Compact: true, NoExpandSubcommands: true, WrapUpperBound: 110}),
		kong.BindTo(ctx, (*context.Context)(nil)),
		kong.Bind(terminal{in, out, errOut}),
		kong.ValueFormatter(helpText),
	)
	if err != nil {
		fmt.Fprintln(errOut, "monitor:", err)
		return exitMisuse
	}
	k, err := parser.Parse(args)
	switch {
	case exited == 0: // --help
		return exitFine
	case err != nil:
		fmt.Fprintf(errOut, "monitor: %v\n    see monitor --help\n", err)
		return exitMisuse
	}
	var misuse *usageError
	switch err := k.Run(); {
	case err == nil:
		return exitFine
	case errors.Is(err, errQuiet):
		return exitFailed
	case errors.As(err, &misuse):
		fmt.Fprintln(errOut, "monitor:", err)
		return exitMisuse
	default:
		fmt.Fprintln(errOut, "monitor:", err)
		return exitFailed
	}
}

// helpText adds the environment variable to a flag's help, and leaves out what
// kong would add to it otherwise.
func helpText(v *kong.Value) string {
	if len(v.Tag.Envs) == 0 {
		return v.Help
	}
	return strings.TrimSuffix(v.Help, ".") + " ($" + v.Tag.Envs[0] + ")."
}

// usageError is a mistake in how a command was called, found after parsing.
type usageError struct{ err error }

func (e *usageError) Error() string { return e.err.Error() }
func (e *usageError) Unwrap() error { return e.err }

func misuse(format string, args ...any) error { return &usageError{fmt.Errorf(format, args...)} }

// buildVersion is set by releases; a build from source knows its commit.
var buildVersion string

func versionText() string {
	if buildVersion != "" {
		return buildVersion
	}
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return "devel"
	}
	version := info.Main.Version
	if version == "" || version == "(devel)" {
		version = "devel"
		for _, s := range info.Settings {
			if s.Key == "vcs.revision" {
				version += "-" + s.Value[:min(12, len(s.Value))]
			}
		}
	}
	return version
}

type versionCmd struct{}

func (versionCmd) Run(t terminal) error {
	info, _ := debug.ReadBuildInfo()
	goVersion := "unknown Go"
	if info != nil {
		goVersion = info.GoVersion
	}
	_, err := fmt.Fprintf(t.out, "newsmonitor %s (%s)\n", versionText(), goVersion)
	return err
}
