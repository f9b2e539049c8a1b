package poll

import (
	"bytes"
	"compress/gzip"
	"errors"
	"io"
	"net/http"
	"strings"
	"sync/atomic"

	"github.com/andybalholm/brotli"
	"github.com/klauspost/compress/zstd"
)

// acceptEncoding is what decode understands, and nothing else is accepted.
const acceptEncoding = "gzip, br, zstd"

// wireSlack is what an encoded body may be longer than the decoded limit:
// the overhead of encoding what does not compress.
const wireSlack = 64 << 10

// errLong says that a reader reached its limit.
var errLong = errors.New("longer than allowed")

// wire reads what the network gives, counts it, stops at the limit and
// remembers the network's error: a decoder's own error must not hide it.
type wire struct {
	r    io.Reader
	left int64
	n    atomic.Int64 // read by the one who watches the pace
	err  error
}

func (w *wire) Read(p []byte) (int, error) {
	if w.left <= 0 {
		w.err = errLong
		return 0, w.err
	}
	if int64(len(p)) > w.left {
		p = p[:w.left]
	}
	n, err := w.r.Read(p)
	w.n.Add(int64(n))
	w.left -= int64(n)
	if err != nil && err != io.EOF {
		w.err = err
	}
	return n, err
}

// readBody reads one whole body of at most limit decoded bytes. It undoes one
// layer of an encoding that we asked for; more layers are how bombs are made.
// The error is a *Failure, or the network's own for classify to name.
func readBody(in *wire, resp *http.Response, limit int64) (body []byte, size int64, err error) {
	if resp.ContentLength > limit+wireSlack {
		return nil, 0, failure(ReasonTooLarge, "the answer announces %d bytes, over the limit of %d", resp.ContentLength, limit)
	}
	out, stop, err := decoder(in, resp.Header.Values("Content-Encoding"), limit)
	if err == nil {
		defer stop()
		body, err = readAll(io.LimitReader(out, limit+1), resp.ContentLength)
	}
	var failed *Failure
	switch {
	case errors.Is(in.err, errLong) || int64(len(body)) > limit || errors.Is(err, zstd.ErrDecoderSizeExceeded) || errors.Is(err, zstd.ErrWindowSizeExceeded):
		return nil, in.n.Load(), failure(ReasonTooLarge, "the answer is longer than %d bytes", limit)
	case in.err != nil:
		return nil, in.n.Load(), in.err
	case err == nil:
		return body, in.n.Load(), nil
	case errors.As(err, &failed):
		return nil, in.n.Load(), err
	case errors.Is(err, io.ErrUnexpectedEOF):
		return nil, in.n.Load(), failure(ReasonTruncated, "the compressed answer broke off")
	case errors.Is(err, io.EOF) && in.n.Load() == 0:
		return nil, 0, nil // an empty body needs no header of its encoding
	}
	return nil, in.n.Load(), failure(ReasonEncoding, "the answer is not in the encoding that it claims")
}

// readAll is io.ReadAll with room for what was announced, as far as that is
// what a feed may have: growing step by step takes four times as much.
func readAll(r io.Reader, announced int64) ([]byte, error) {
	var b bytes.Buffer
	b.Grow(int(min(max(announced, 0), 256<<10)) + bytes.MinRead)
	_, err := b.ReadFrom(r)
	return b.Bytes(), err
}

// decoder undoes the one encoding that the header names.
func decoder(r io.Reader, header []string, limit int64) (io.Reader, func(), error) {
	coding := strings.ToLower(strings.TrimSpace(strings.Join(header, ",")))
	none := func() {}
	switch coding {
	case "", "identity":
		return r, none, nil
	case "gzip", "x-gzip":
		z, err := gzip.NewReader(r)
		return z, none, err
	case "br":
		return brotli.NewReader(r), none, nil
	case "zstd":
		// RFC 9659: a window of 8 MiB is all that HTTP may ask of a reader.
		z, err := zstd.NewReader(r, zstd.WithDecoderConcurrency(1), zstd.WithDecoderLowmem(true),
			zstd.WithDecoderMaxWindow(8<<20), zstd.WithDecoderMaxMemory(uint64(limit)+wireSlack))
		if err != nil {
			return nil, none, err
		}
		return z, z.Close, nil
	}
	return nil, none, failure(ReasonEncoding, "the answer is encoded in a way that we did not ask for")
}
