package bitbucket

import (
	"context"
	"errors"
	"net/url"
	"strconv"
	"strings"
)

// A Detail says how much of each row is asked for.
type Detail int

// The details of a row.
const (
	Names Detail = iota // what it takes to judge and name a row
	Rows                // what a table shows
	Full                // all that this package knows
)

// A Visibility filters repositories; the empty one does not.
type Visibility string

// The visibilities of a repository.
const (
	Private Visibility = "private"
	Public  Visibility = "public"
)

// ListOptions say which part of a list is wanted.
type ListOptions struct {
	From       Position
	Limit      int        // rows at the most
	Query      string     // substring of a name, case ignored; "" for all
	Visibility Visibility // of repositories
	Detail     Detail
	Depth      int                          // of folders; 0 is 1
	Budget     *Budget                      // pages that may be read; required
	Progress   func(pagesRead, ofPages int) // may be nil
}

// pageLength is what is wanted where every row counts, and all that Bitbucket
// gives where rows are left out here.
func (o ListOptions) pageLength(open bool, q string) int {
	if open && (q != "" || o.Query == "" && o.Visibility == "") {
		return o.Limit
	}
	return maxPageLength
}

// A Page holds the rows of a list that the scopes allow, in Bitbucket's order.
type Page[T any] struct {
	Rows []T
	At   []Position // of each row, so that an answer can be cut before it
	Next *Position  // where to go on; nil when there is no more
}

// collect walks a list and keeps the rows that judge allows and match keeps.
//
// Where the caller's filter is applied here and not by Bitbucket (local), the
// list is read to its end or to the end of the budget, whatever the filter is
// and however much it finds: how many requests leave, and how long they take,
// must not tell of the rows that are hidden.
func collect[Raw, T any](ctx context.Context, w walk[Raw], o ListOptions, local bool, judge func(Raw) (T, bool), match func(T) bool) (Page[T], error) {
	var result Page[T]
	var beyond *Position // the first matching row that no longer fitted
	w.budget, w.progress = o.Budget, o.Progress
	w.wanted = func() int {
		if local {
			return 1 << 30
		}
		return o.Limit - len(result.Rows)
	}
	w.take = func(raw Raw, at Position) bool {
		full := len(result.Rows) == o.Limit
		if full && !local {
			return false
		}
		row, ok := judge(raw)
		switch {
		case !ok || !match(row):
		case !full:
			result.Rows = append(result.Rows, row)
			result.At = append(result.At, at)
		case beyond == nil:
			beyond = &at
		}
		return true
	}
	next, err := w.run(ctx, o.From)
	if err != nil {
		return Page[T]{}, err
	}
	result.Next = next
	if beyond != nil {
		result.Next = beyond
	}
	return result, nil
}

// filtered runs a list with a q expression, and once more without where
// Bitbucket refuses it: a filter only saves requests, and how much of the
// language an endpoint knows is documented in part.
func filtered[T any](q string, from Position, list func(q string) (Page[T], error)) (Page[T], error) {
	if from.Unfiltered {
		return unfiltered(list(""))
	}
	result, err := list(q)
	if q != "" && from == (Position{}) && errors.Is(err, errBadRequest) {
		return unfiltered(list(""))
	}
	return result, err
}

// unfiltered marks the places of a list that is read without a filter: one of
// them means another row in the filtered list.
func unfiltered[T any](result Page[T], err error) (Page[T], error) {
	for i := range result.At {
		result.At[i].Unfiltered = true
	}
	if result.Next != nil {
		next := *result.Next
		next.Unfiltered = true
		result.Next = &next
	}
	return result, err
}

// listQuery makes the query of a list's pages. There is always a sort, since
// unsorted pages skip rows, and always fields, since whole rows are ten times
// as large.
func listQuery(sort, q string, pageLength int, fields ...string) url.Values {
	all := append([]string{"next", "size", "pagelen"}, fields...)
	query := url.Values{
		"sort":    {sort},
		"pagelen": {strconv.Itoa(min(max(pageLength, 1), maxPageLength))},
		"fields":  {strings.Join(all, ",")},
	}
	if q != "" {
		query.Set("q", q)
	}
	return query
}

// contains is a q expression for a caller's substring, or "" where the text
// cannot be written in one without doubt. It narrows what Bitbucket sends;
// rows are matched here all the same.
func contains(text string, fields ...string) string { return expression("~", text, fields) }

// exactly is a q expression for a name that was judged, as contains is.
func exactly(text string, fields ...string) string { return expression("=", text, fields) }

func expression(operator, text string, fields []string) string {
	if text == "" || len(text) > 128 {
		return ""
	}
	for _, c := range []byte(text) {
		if c < ' ' || c > '~' || c == '"' || c == '\\' {
			return ""
		}
	}
	terms := make([]string, len(fields))
	for i, field := range fields {
		terms[i] = field + " " + operator + ` "` + text + `"`
	}
	if len(terms) == 1 {
		return terms[0]
	}
	return "(" + strings.Join(terms, " OR ") + ")"
}

func and(terms ...string) string {
	var kept []string
	for _, term := range terms {
		if term != "" {
			kept = append(kept, term)
		}
	}
	return strings.Join(kept, " AND ")
}

// holds reports whether one of the names holds the text, case ignored.
func holds(text string, names ...string) bool {
	text = strings.ToLower(text)
	for _, name := range names {
		if strings.Contains(strings.ToLower(name), text) {
			return true
		}
	}
	return false
}
