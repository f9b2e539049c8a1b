package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"

	"newsmonitor/pipeline"
)

type backupCmd struct {
	server
	File string `arg:"" help:"Where to write it; - is standard output."`
	Data string `default:"data" placeholder:"DIR" help:"The store to read when no daemon runs."`
}

func (backupCmd) Help() string {
	return `All that is stored - items, alerts, feed states, readers' places - in one tar file, from the running daemon
while it works, or from the folder of one that does not run. Every checksum is tried on the way.

Example:
    monitor backup newsmonitor-$(date +%F).tar && monitor restore newsmonitor-2026-11-22.tar --data data-new`
}

func (c *backupCmd) Run(ctx context.Context, t terminal) error {
	if c.File == "-" {
		return c.write(ctx, t.out)
	}
	f, err := os.CreateTemp(filepath.Dir(c.File), ".backup-*")
	if err != nil {
		return fmt.Errorf("write the backup: %w", err)
	}
	err = c.write(ctx, f)
	if err == nil {
		err = f.Sync()
	}
	if err = errors.Join(err, f.Close()); err == nil {
		err = os.Rename(f.Name(), c.File) // a backup that was there stays until the new one is whole
	}
	if err != nil {
		_ = os.Remove(f.Name())
		return err
	}
	info, err := os.Stat(c.File)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(t.out, "%s: %s\n", c.File, bytesText(uint64(max(0, info.Size()))))
	return err
}

func (c *backupCmd) write(ctx context.Context, w io.Writer) error {
	c.slow = true
	body, err := c.open(ctx, "/api/v1/backup")
	var nobody *noDaemon
	if errors.As(err, &nobody) {
		if err := pipeline.OfflineBackup(ctx, c.Data, w, slog.New(slog.DiscardHandler)); err != nil {
			return fmt.Errorf("%w, and the store cannot be read: %w", nobody, err)
		}
		return nil
	}
	if err != nil {
		return err
	}
	defer func() { _ = body.Close() }()
	if _, err := io.Copy(w, body); err != nil {
		return fmt.Errorf("read the backup from the daemon: %w (its log says why)", err)
	}
	return nil
}

type restoreCmd struct {
	File          string `arg:"" help:"A file of monitor backup; - is standard input."`
	Data          string `default:"data" placeholder:"DIR" help:"The folder to make; it must hold no store."`
	SubjectPrefix string `default:"news" help:"First token of every subject, as it was."`
}

func (restoreCmd) Help() string {
	return `Makes a data folder out of a backup; then start the daemon on it. What was stored after the backup is asked
for again where the feeds still list it, and such items raise their alerts again.

Example:
    monitor restore newsmonitor-2026-11-22.tar --data data-new && monitor --data data-new`
}

func (c *restoreCmd) Run(ctx context.Context, t terminal) error {
	in, err := t.open(c.File)
	if err != nil {
		return err
	}
	defer func() { _ = in.Close() }()
	if err := pipeline.Restore(ctx, c.Data, c.SubjectPrefix, in, slog.New(slog.DiscardHandler)); err != nil {
		return err
	}
	_, err = fmt.Fprintf(t.out, "restored to %s\n", c.Data)
	return err
}
