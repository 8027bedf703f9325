package sample

import (
	"compress/gzip"
	"io"
	"net/http"
	"strings"
)

// The row that big bodies repeat, and what stands around the rows.
const (
	bigHead = `{"values":[`
	bigRow  = `{"type":"repository","slug":"api","name":"api","full_name":"acme/api","is_private":true}`
	bigTail = `]}`
)

// Big answers 200 with a well-formed list of at least n bytes, streamed.
func Big(n int64) Fault {
	return Fault{Instead: func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/json; charset=utf-8")
		writeRows(w, r, n)
	}}
}

// GzipBomb answers 200 with a list of at least n bytes that is a few hundred
// times smaller on the wire, whether or not the client accepts gzip.
func GzipBomb(n int64) Fault {
	return Fault{Instead: func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/json; charset=utf-8")
		w.Header().Set("Content-Encoding", "gzip")
		z := gzip.NewWriter(w)
		writeRows(z, r, n)
		_ = z.Close()
	}}
}

// Endless answers 200 with a list that does not end before the client goes
// away, the server is closed or limit bytes are sent; zero is no limit. The
// JSON is never complete.
func Endless(limit int64) Fault {
	return Fault{Instead: func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/json; charset=utf-8")
		_, _ = io.WriteString(w, bigHead)
		rows := strings.Repeat(bigRow+",", 100)
		for sent := int64(0); limit == 0 || sent < limit; sent += int64(len(rows)) {
			if _, err := io.WriteString(w, rows); err != nil || r.Context().Err() != nil {
				abort()
			}
		}
	}}
}

func writeRows(w io.Writer, r *http.Request, n int64) {
	_, _ = io.WriteString(w, bigHead+bigRow)
	rows := strings.Repeat(","+bigRow, 100)
	for sent := int64(len(bigHead + bigRow)); sent < n; sent += int64(len(rows)) {
		if _, err := io.WriteString(w, rows); err != nil || r.Context().Err() != nil {
			abort()
		}
	}
	_, _ = io.WriteString(w, bigTail)
}
