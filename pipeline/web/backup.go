package web

import (
	"bufio"
	"net/http"
	"time"
)

// backup sends all that is stored as a tar file. A reader that stops reading
// is cut after a while.
func (s *Server) backup(w http.ResponseWriter, r *http.Request) error {
	if s.cfg.Backup == nil {
		return errNotFound
	}
	w.Header().Set("Content-Type", "application/x-tar")
	w.Header().Set("Content-Disposition", `attachment; filename="newsmonitor-backup.tar"`)
	// What fails at once, as what a NATS does not permit, fails before anything was sent.
	to := &patient{w, http.NewResponseController(w), false}
	buffer := bufio.NewWriterSize(to, 64<<10)
	err := s.cfg.Backup(r.Context(), buffer)
	if err == nil {
		err = buffer.Flush()
	}
	if err != nil {
		if !to.began {
			return refuse(http.StatusServiceUnavailable, "the backup cannot be made: %v", err)
		}
		// The end of the file is missing, which restore notices.
		s.log.Error("the backup was not finished", "error", err)
		panic(http.ErrAbortHandler)
	}
	return nil
}

// patient moves the deadline as long as somebody reads.
type patient struct {
	http.ResponseWriter
	c     *http.ResponseController
	began bool
}

func (p *patient) Write(b []byte) (int, error) {
	p.began = true
	_ = p.c.SetWriteDeadline(time.Now().Add(30 * time.Second))
	return p.ResponseWriter.Write(b)
}
