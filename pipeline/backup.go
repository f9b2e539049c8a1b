package pipeline

import (
	"context"
	"io"
	"log/slog"

	"newsmonitor/pipeline/stream"
)

// OfflineBackup writes what the store under dir holds. No daemon may run on it.
func OfflineBackup(ctx context.Context, dir string, w io.Writer, log *slog.Logger) error {
	m, err := openOffline(ctx, dir, log)
	if err != nil {
		return err
	}
	defer m.Close()
	return m.store.Backup(ctx, w)
}

// Restore makes the data folder dir out of a backup.
func Restore(ctx context.Context, dir, prefix string, r io.Reader, log *slog.Logger) error {
	return stream.Restore(ctx, stream.Options{Dir: dir, Prefix: prefix, MaxStore: 1 << 50, Log: log}, r)
}
