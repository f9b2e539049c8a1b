package main

import (
	"io"
	"log/slog"
	"strings"
	"unicode"
	"unicode/utf8"
)

// maxLogged bounds a value of the log in bytes: a server's long answer or a
// whole document in an error's text is cut, a stack is not.
const maxLogged = 2 << 10

func newLog(w io.Writer, format, level string) *slog.Logger {
	var l slog.Level
	_ = l.UnmarshalText([]byte(level))
	o := &slog.HandlerOptions{Level: l, ReplaceAttr: logged}
	if format == "json" {
		return slog.New(slog.NewJSONHandler(w, o))
	}
	return slog.New(slog.NewTextHandler(w, o))
}

// logged makes a value safe to print. The rooms keep strangers' text out of the
// log; this is for what an error's text brings along. slog quotes line ends,
// but leaves in JSON what a terminal obeys or reads backwards (C1, bidi).
func logged(_ []string, a slog.Attr) slog.Attr {
	v := a.Value.Resolve()
	var text string
	switch x := v.Any().(type) {
	case string:
		text = x
	case error:
		text = x.Error()
	default:
		return a
	}
	if a.Key != "stack" && len(text) > maxLogged {
		text = strings.ToValidUTF8(text[:maxLogged], "") + "..."
	}
	a.Value = slog.StringValue(strings.Map(func(r rune) rune {
		if r == '\n' || r == '\t' || unicode.IsPrint(r) {
			return r // both handlers escape line ends
		}
		return utf8.RuneError
	}, text))
	return a
}
