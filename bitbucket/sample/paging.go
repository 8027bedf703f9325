package sample

import (
	"crypto/sha1"
	"encoding/hex"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
)

const (
	defaultPagelen = 10
	maxPagelen     = 100
)

// list answers one page of rows, after q and sort.
func list[T any](c *call, opaque bool, rows []T, f fields[T], draw func(T) object) (object, error) {
	query := c.URL.Query()
	rows, err := filter(rows, query.Get("q"), f)
	if err != nil {
		return nil, err
	}
	if rows, err = sorted(rows, query.Get("sort"), f); err != nil {
		return nil, err
	}
	p, err := newPage(c, opaque, len(rows))
	if err != nil {
		return nil, err
	}
	values := []any{}
	for _, row := range rows[p.from:p.to] {
		values = append(values, draw(row))
	}
	return p.envelope(values), nil
}

func filter[T any](rows []T, q string, f fields[T]) ([]T, error) {
	if strings.TrimSpace(q) == "" {
		return rows, nil
	}
	keep, err := parseQuery(q, f)
	if err != nil {
		return nil, err
	}
	var kept []T
	for _, row := range rows {
		if keep(row) {
			kept = append(kept, row)
		}
	}
	return kept, nil
}

// sorted returns the rows in the order of the sort parameter; equal ones and
// an unsorted list stay in the order in which they were added.
func sorted[T any](rows []T, sort string, f fields[T]) ([]T, error) {
	if sort == "" {
		return rows, nil
	}
	name, down := strings.CutPrefix(sort, "-")
	by, ok := f[name]
	if !ok {
		return nil, badRequest("Field %q does not support sorting", name)
	}
	type keyed struct {
		row T
		key any
	}
	order := make([]keyed, len(rows))
	for i, row := range rows {
		order[i] = keyed{row, by.value(row)}
	}
	slices.SortStableFunc(order, func(a, b keyed) int {
		if down {
			a, b = b, a
		}
		return compareValues(a.key, b.key)
	})
	rows = make([]T, len(order))
	for i := range order {
		rows[i] = order[i].row
	}
	return rows, nil
}

// page is the part of a list that a request asks for.
type page struct {
	call     *call
	opaque   bool
	total    int
	pagelen  int
	from, to int
}

func newPage(c *call, opaque bool, total int) (page, error) {
	p := page{call: c, opaque: opaque, total: total, pagelen: defaultPagelen}
	query := c.URL.Query()
	if query.Has("pagelen") {
		n, err := strconv.Atoi(query.Get("pagelen"))
		if err != nil || n < 1 || n > maxPagelen { // refused, not clamped
			return p, badRequest("Invalid pagelen")
		}
		p.pagelen = n
	}
	ok := true
	if query.Has("page") {
		p.from, ok = p.offset(query.Get("page"))
	}
	if !ok {
		return p, badRequest("Invalid page")
	}
	p.from = min(p.from, total)
	p.to = min(p.from+p.pagelen, total)
	return p, nil
}

// offset turns a page number, or the cursor of an opaque list, into the index
// of the first row.
func (p page) offset(text string) (from int, ok bool) {
	if p.opaque {
		for from = p.pagelen; from < p.total; from += p.pagelen {
			if text == p.cursor(from) {
				return from, true
			}
		}
		return 0, false
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 1 || n > 1<<30/maxPagelen {
		return 0, false
	}
	return (n - 1) * p.pagelen, true
}

// cursor stands for an offset into this very list. It holds no state, and one
// of another list or another query is refused.
func (p page) cursor(from int) string {
	query := p.call.URL.Query()
	query.Del("page")
	h := sha1.Sum(fmt.Appendf(nil, "%s?%s#%d", p.call.URL.EscapedPath(), query.Encode(), from))
	return "c" + hex.EncodeToString(h[:6])
}

func (p page) envelope(values []any) object {
	o := object{"values": values, "pagelen": p.pagelen}
	if !p.opaque {
		o["size"] = p.total
		o["page"] = p.from/p.pagelen + 1
	}
	if p.to < p.total {
		o["next"] = p.next()
	}
	return o
}

// next is the whole address of the page after this one, the query kept.
func (p page) next() string {
	at := strconv.Itoa(p.to/p.pagelen + 1)
	if p.opaque {
		at = p.cursor(p.to)
	}
	return withPage(p.call.Request, at)
}

func withPage(r *http.Request, at string) string {
	query := r.URL.Query()
	query.Set("page", at)
	return origin(r) + r.URL.EscapedPath() + "?" + query.Encode()
}
