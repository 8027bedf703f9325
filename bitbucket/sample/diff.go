package sample

import (
	"bytes"
	"net/http"
	"net/url"
	"strconv"
	"strings"
)

// diffstatPaging is that of diffstat, which gives more rows than other lists.
func diffstatPaging(opaque bool) paging {
	how := pagingOf(opaque)
	how.pagelen, how.maxPagelen = 500, 5000
	return how
}

// getDiff answers the text that git would give.
func (s *Server) getDiff(c *call) (object, error) {
	d, err := s.difference(c)
	if err != nil {
		return nil, err
	}
	var text bytes.Buffer
	for _, change := range d.changes {
		d.comparison.write(&text, change)
	}
	c.raw = newRaw("text/plain", text.Bytes())
	return nil, nil
}

// listDiffstat answers a row for each file that a diff of the same kind shows.
func (s *Server) listDiffstat(c *call) (object, error) {
	d, err := s.difference(c)
	if err != nil {
		return nil, err
	}
	return listPage(c, diffstatPaging(s.options.OpaqueNext), d.changes, func(change change) object {
		return d.draw(drawing{c.base()}, change)
	})
}

// difference is what the spec and the parameters of a request come to.
type difference struct {
	comparison
	repository *repository
	old, new   *commit // old is nil for a first commit
	changes    []change
}

func (s *Server) difference(c *call) (difference, error) {
	r, err := s.repository(c)
	if err != nil {
		return difference{}, err
	}
	d := difference{repository: r}
	query := c.URL.Query()
	if d.comparison, err = parseComparison(query); err != nil {
		return d, err
	}
	topic, err := topic(query)
	if err != nil {
		return d, err
	}
	if d.old, d.new, err = s.spec(c, r, topic); err != nil {
		return d, err
	}
	for _, change := range d.comparison.changes(r.tree(d.old), r.tree(d.new)) {
		if !d.hidden(change) {
			d.changes = append(d.changes, change)
		}
	}
	return d, nil
}

// spec finds the commits that are compared: one, against its first parent; or
// two, NEW..OLD, the other way round than in git; or two in the form that pull
// requests redirect to, workspace/repository:NEW, a carriage return and OLD,
// where NEW may be of a fork.
func (s *Server) spec(c *call, r *repository, topic bool) (before, after *commit, err error) {
	spec := c.vars[2]
	from := r
	left, right, two := strings.Cut(spec, "\r")
	if two {
		name, hash, _ := strings.Cut(left, ":")
		workspace, slug, _ := strings.Cut(name, "/")
		from = s.lookUp(workspace, slug)
		if from == nil || !c.caller.sees(from) {
			return nil, nil, noCommit(spec)
		}
		left = hash
	} else {
		left, right, two = strings.Cut(spec, "..")
	}
	if after, err = from.commit(left); err != nil {
		return nil, nil, err
	}
	if r.commits[after.hash] == nil { // of a repository that is no fork
		return nil, nil, noCommit(left)
	}
	if !two {
		return r.firstParent(after), after, nil
	}
	if before, err = r.commit(right); err != nil {
		return nil, nil, err
	}
	if topic {
		before = r.mergeBase(after, before)
	}
	if before == nil {
		return nil, nil, noCommit(left, right)
	}
	return before, after, nil
}

// topic says whether two commits are compared from where they parted, which is
// so unless the client says otherwise. The older parameter merge is near enough.
func topic(query url.Values) (bool, error) {
	if query.Has("topic") && query.Has("merge") {
		return false, badRequest("The 'topic' and 'merge' parameters cannot be both used at the same time.")
	}
	merge, err := flag(query, "merge")
	if err != nil {
		return false, err
	}
	topic, err := flag(query, "topic")
	return topic && merge, err
}

func parseComparison(query url.Values) (k comparison, err error) {
	k = comparison{context: 3, whitespace: true}
	for _, path := range query["path"] {
		k.paths = append(k.paths, strings.TrimSuffix(path, "/"))
	}
	if query.Has("context") {
		if k.context, err = strconv.Atoi(query.Get("context")); err != nil || k.context < 0 {
			return k, badRequest("Invalid context")
		}
	}
	if query.Has("ignore_whitespace") {
		ignored, err := flag(query, "ignore_whitespace")
		if err != nil {
			return k, err
		}
		k.whitespace = !ignored
	}
	if k.renames, err = flag(query, "renames"); err != nil {
		return k, err
	}
	k.binary, err = flag(query, "binary")
	return k, err
}

// flag reads a parameter that is true if it is left out.
func flag(query url.Values, name string) (bool, error) {
	switch strings.ToLower(query.Get(name)) {
	case "true", "1":
		return true, nil
	case "false", "0":
		return false, nil
	case "":
		if !query.Has(name) {
			return true, nil
		}
	}
	return false, &failure{status: http.StatusBadRequest, message: "Invalid " + name}
}

// draw is a row of a diffstat. A missing side is null.
func (d difference) draw(pen drawing, c change) object {
	o := object{"type": "diffstat", "status": c.status(), "old": nil, "new": nil}
	o["lines_added"], o["lines_removed"] = d.lines(c)
	if c.old != nil {
		o["old"] = pen.side(d.repository, d.old, c.old.path)
	}
	if c.new != nil {
		o["new"] = pen.side(d.repository, d.new, c.new.path)
	}
	return o
}

func (d difference) lines(c change) (added, removed int) {
	if c.binary() {
		return 0, 0
	}
	blocks, _, _ := d.blocks(c)
	for _, at := range blocks {
		added += at.b1 - at.b0
		removed += at.a1 - at.a0
	}
	return added, removed
}

func (d drawing) side(r *repository, c *commit, path string) object {
	return object{
		"type": "commit_file", "path": path, "escaped_path": quoted(path),
		"links": object{"self": href(d.source(r, c, path))},
	}
}
