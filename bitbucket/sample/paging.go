package sample

import (
	"crypto/sha1"
	"encoding/hex"
	"fmt"
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
	return listIn(c, pagingOf(opaque), rows, f, draw)
}

// listIn is list for one that is paged in its own way.
func listIn[T any](c *call, how paging, rows []T, f fields[T], draw func(T) object) (object, error) {
	query := c.URL.Query()
	rows, err := filter(rows, query.Get("q"), f)
	if err != nil {
		return nil, err
	}
	if rows, err = sorted(rows, query.Get("sort"), f); err != nil {
		return nil, err
	}
	return listPage(c, how, rows, draw)
}

// listPage is listIn for one that has neither q nor sort.
func listPage[T any](c *call, how paging, rows []T, draw func(T) object) (object, error) {
	p, err := newPage(c, how, len(rows))
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

// style is how the next link of a list names its page.
type style int

const (
	numbered style = iota // page=2, with size and page in the answer
	cursors               // page=c0123456789ab
	contexts              // ctx=c0123456789ab&page=2, of which each needs the other
)

// paging is how one kind of list is cut into pages.
type paging struct {
	style
	pagelen, maxPagelen int
}

// page is the part of a list that a request asks for.
type page struct {
	paging
	call     *call
	total    int
	from, to int
}

// pagingOf is the paging of most lists.
func pagingOf(opaque bool) paging {
	if opaque {
		return paging{cursors, defaultPagelen, maxPagelen}
	}
	return paging{numbered, defaultPagelen, maxPagelen}
}

func newPage(c *call, how paging, total int) (page, error) {
	p := page{paging: how, call: c, total: total}
	query := c.URL.Query()
	if query.Has("pagelen") {
		n, err := strconv.Atoi(query.Get("pagelen"))
		if err != nil || n < 1 || n > p.maxPagelen { // refused, not clamped
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
	if p.style == cursors {
		for from = p.pagelen; from < p.total; from += p.pagelen {
			if text == p.cursor(from) {
				return from, true
			}
		}
		return 0, false
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 1 || n > 1<<30/p.maxPagelen {
		return 0, false
	}
	from = (n - 1) * p.pagelen
	if p.style == contexts && from > 0 && p.call.URL.Query().Get("ctx") != p.cursor(0) {
		return 0, false
	}
	return from, true
}

// cursor stands for an offset into this very list. It holds no state, and one
// of another list or another query is refused.
func (p page) cursor(from int) string {
	query := p.call.URL.Query()
	query.Del("page")
	query.Del("ctx")
	h := sha1.Sum(fmt.Appendf(nil, "%s?%s#%d", p.call.URL.EscapedPath(), query.Encode(), from))
	return "c" + hex.EncodeToString(h[:6])
}

func (p page) envelope(values []any) object {
	o := object{"values": values, "pagelen": p.pagelen}
	if p.style == numbered {
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
	r, query := p.call.Request, p.call.URL.Query()
	query.Set("page", strconv.Itoa(p.to/p.pagelen+1))
	switch p.style {
	case cursors:
		query.Set("page", p.cursor(p.to))
	case contexts:
		query.Set("ctx", p.cursor(0))
	}
	return origin(r) + r.URL.EscapedPath() + "?" + query.Encode()
}
