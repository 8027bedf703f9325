package bitbucket

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"maps"
	"math"
	"net/url"
	"regexp"
	"strconv"
	"strings"
	"sync"
)

const (
	maxPageLength = 100 // of repositories and branches; more is answered with 400
	maxRows       = 10 * maxPageLength
	maxAhead      = 10 // pages fetched side by side
	maxQueryBytes = 8 << 10
	maxPageNumber = 1 << 20 // a cursor keeps no larger one
)

// A Position is a place in a list, to go on from in a later call. The zero
// Position is the beginning.
type Position struct {
	Page   int    // number of the page; 0 for the first, or when Query tells it
	Query  string // the page's raw query, where Bitbucket's link is no plain page number
	Offset int    // row within the page

	Unfiltered bool // of the list without the filter that Bitbucket refused
}

// A Budget is how many pages one tool call may read, however many lists it
// walks.
type Budget struct{ pages int }

// NewBudget returns a budget of that many pages.
func NewBudget(pages int) *Budget { return &Budget{pages: pages} }

func (b *Budget) take(pages int) int {
	pages = min(pages, b.pages)
	b.pages -= pages
	return pages
}

// A page of a list, as Bitbucket answers it: only values and next are sure
// (https://developer.atlassian.com/cloud/bitbucket/rest/intro/#pagination).
type page[T any] struct {
	Values  *rows[T] `json:"values"`
	Next    string   `json:"next"`
	Size    int      `json:"size"`
	PageLen int      `json:"pagelen"`
}

// rows are bounded by number, since bytes alone are no bound: of "{}," eight
// megabytes hold, and half a gigabyte is what they would become.
type rows[T any] []T

func (r *rows[T]) UnmarshalJSON(data []byte) error {
	if string(data) == "null" {
		return nil // as encoding/json takes it for any other list
	}
	decoder := json.NewDecoder(bytes.NewReader(data))
	if start, err := decoder.Token(); err != nil || start != json.Delim('[') {
		return errors.New("no list")
	}
	for decoder.More() {
		if len(*r) == maxRows {
			return errors.New("more rows than any page has")
		}
		var row T
		if err := decoder.Decode(&row); err != nil {
			return err
		}
		*r = append(*r, row)
	}
	return nil
}

// A walk reads a list row by row.
type walk[T any] struct {
	client   *Client
	endpoint endpoint
	query    url.Values // of every page
	budget   *Budget
	wanted   func() int                   // rows that the caller still wants
	take     func(T, Position) bool       // false: stop before this row
	pause    func(T) bool                 // true: stop before this row; may be nil
	progress func(pagesRead, ofPages int) // called when another page is needed
	unlinked bool                         // the list has no links: its pages are counted by its size

	seen     map[string]bool
	pages    int // read so far
	rows     int // read so far
	wantedAt int // rows wanted at the start
}

// run reads rows in order, from a position on, until take refuses one, the
// list ends or the budget is spent. It returns where to go on; nil is the end.
func (w *walk[T]) run(ctx context.Context, from Position) (*Position, error) {
	w.seen = map[string]bool{w.rawQuery(from): true}
	w.wantedAt = w.wanted()
	plan, last := []Position{from}, page[T]{}
	for {
		if w.pages > 0 && w.progress != nil {
			w.progress(w.pages, w.pages+len(plan))
		}
		granted := w.budget.take(len(plan))
		if granted == 0 {
			return &plan[0], nil
		}
		var next *Position
		for i, answer := range w.fetch(ctx, plan[:granted]) {
			if answer.err != nil {
				return nil, answer.err
			}
			last = answer.page
			if stopped := w.visit(last, plan[i]); stopped != nil {
				return stopped, nil
			}
			var err error
			next, err = w.following(last, plan[i])
			if err != nil || next == nil {
				return nil, err
			}
			if i+1 < granted && *next != plan[i+1] {
				break // the list changed while it was read: what its link says holds
			}
		}
		if w.wanted() <= 0 {
			return next, nil // a row more would cost a request more
		}
		plan = w.ahead(*next, last)
	}
}

// visit hands the rows of a page to take. It returns the position of the row
// that was refused, if one was.
func (w *walk[T]) visit(p page[T], at Position) *Position {
	w.pages++
	for i, row := range *p.Values {
		if i < at.Offset {
			continue
		}
		here := Position{Page: at.Page, Query: at.Query, Offset: i}
		if w.pause != nil && w.pause(row) || !w.take(row, here) {
			return &here
		}
		w.rows++
	}
	return nil
}

// ahead plans the pages to be fetched side by side: as many as the rows read
// so far let expect to be needed, where pages are numbered and Bitbucket says
// how many there are.
func (w *walk[T]) ahead(next Position, last page[T]) []Position {
	plan := []Position{next}
	if next.Page == 0 || last.Size <= 0 || last.PageLen <= 0 {
		return plan
	}
	remaining := (last.Size+last.PageLen-1)/last.PageLen - next.Page + 1
	for n := next.Page + 1; len(plan) < min(remaining, maxAhead, w.expected(last.PageLen)); n++ {
		plan = append(plan, Position{Page: n})
	}
	return plan
}

// expected estimates how many more pages fill what is wanted.
func (w *walk[T]) expected(pageLength int) int {
	wanted := w.wanted()
	kept := w.wantedAt - wanted
	if kept <= 0 || w.rows == 0 {
		return maxAhead
	}
	rows := float64(wanted) * float64(w.rows) / float64(kept)
	return int(math.Ceil(min(rows/float64(pageLength), maxAhead)))
}

type fetched[T any] struct {
	page page[T]
	err  error
}

// fetch reads pages side by side. Each keeps its own error, which counts only
// when the list leads there: Bitbucket's size is a promise for nothing, and a
// page that was planned by it may not exist.
func (w *walk[T]) fetch(ctx context.Context, plan []Position) []fetched[T] {
	answers := make([]fetched[T], len(plan))
	var group sync.WaitGroup
	for i := range plan {
		group.Go(func() { answers[i].page, answers[i].err = w.fetchPage(ctx, plan[i]) })
	}
	group.Wait()
	return answers
}

func (w *walk[T]) fetchPage(ctx context.Context, at Position) (page[T], error) {
	body, err := w.client.fetch(ctx, w.endpoint, w.rawQuery(at))
	if err != nil {
		return page[T]{}, err
	}
	var p page[T]
	if json.Unmarshal(body, &p) != nil || p.Values == nil {
		return page[T]{}, errors.Join(errNoList, unavailable("it answered something that is no list"))
	}
	return p, nil
}

func (w *walk[T]) rawQuery(at Position) string {
	if own, ok := strings.CutPrefix(at.Query, ownQuery); ok {
		query := maps.Clone(w.query)
		length, page, _ := strings.Cut(own, ",")
		query.Set("pagelen", length) // a page of Bitbucket's has the length it was begun with
		query.Set("page", page)
		return query.Encode()
	}
	if at.Query != "" {
		return at.Query
	}
	if at.Page == 0 {
		return w.query.Encode()
	}
	query := maps.Clone(w.query)
	query.Set("page", strconv.Itoa(at.Page))
	return query.Encode()
}

// following returns where the list goes on after a page.
func (w *walk[T]) following(p page[T], at Position) (*Position, error) {
	if !w.unlinked || p.Next != "" {
		return w.follow(p.Next)
	}
	number := max(at.Page, 1)
	if len(*p.Values) == 0 || p.PageLen <= 0 || number*p.PageLen >= p.Size || number >= maxPageNumber {
		return nil, nil
	}
	return &Position{Page: number + 1}, nil
}

// follow judges the link to the next page. It must name the very list that is
// being read: a link to another host would carry the credential away, one to
// another path would read what was not checked. Nothing but its query is used.
func (w *walk[T]) follow(link string) (*Position, error) {
	if link == "" {
		return nil, nil
	}
	path, err := w.endpoint.path()
	if err != nil {
		return nil, err
	}
	u, err := url.Parse(link)
	if err != nil || u.User != nil || u.Opaque != "" || len(u.RawQuery) > maxQueryBytes ||
		!strings.EqualFold(u.Scheme+"://"+HostPort(u.String())+w.comparable(u.EscapedPath()), w.origin()+w.comparable(path)) {
		return nil, unavailable("its link to the next page leads somewhere else, and was not followed")
	}
	next := w.position(u)
	key := w.rawQuery(next)
	if w.seen[key] || key == w.query.Encode() {
		return nil, unavailable("its pages go round in a circle")
	}
	w.seen[key] = true
	return &next, nil
}

// comparable is a path as it is compared with that of a link.
func (w *walk[T]) comparable(escaped string) string {
	if w.endpoint.route == routeFolder {
		return sameFolder(escaped)
	}
	return escaped
}

// origin is the list's address with its port written out, and the path that
// the API's own paths are below.
func (w *walk[T]) origin() string {
	api, err := url.Parse(w.endpoint.account.API)
	if err != nil {
		return ""
	}
	return api.Scheme + "://" + HostPort(w.endpoint.account.API) + api.EscapedPath()
}

// ownQuery begins a Position's Query that is the list's own with this page
// length and page: a cursor then holds a few letters in place of the whole
// query. No raw query begins so.
const ownQuery = "#"

// position reads a link as a page, by its number or a word of Bitbucket's,
// where it is nothing else.
func (w *walk[T]) position(link *url.URL) Position {
	query, err := url.ParseQuery(link.RawQuery)
	if err != nil {
		return Position{Query: link.RawQuery}
	}
	page := query.Get("page")
	number, err := strconv.Atoi(page)
	query.Del("page")
	switch {
	case query.Encode() != w.query.Encode():
		return Position{Query: link.RawQuery}
	case err == nil && number >= 2 && number <= maxPageNumber:
		return Position{Page: number}
	case err != nil && pageWord.MatchString(page):
		return Position{Query: ownQuery + query.Get("pagelen") + "," + page}
	}
	return Position{Query: link.RawQuery}
}

var pageWord = regexp.MustCompile(`\A[A-Za-z0-9_-]{1,128}\z`)
