package sample

import (
	"cmp"
	"fmt"
	"mime"
	"net/http"
	"net/url"
	"path"
	"slices"
	"strconv"
	"strings"
)

// getMainSource leads to the root directory of the default branch.
func (s *Server) getMainSource(c *call) (object, error) {
	r, err := s.repository(c)
	if err != nil {
		return nil, err
	}
	i := r.branchIndex(r.DefaultBranch)
	if i < 0 {
		return nil, noCommit(r.DefaultBranch)
	}
	to := c.base() + "/repositories/" + r.fullName() + "/src/" + r.branches[i].head.hash + "/"
	if c.URL.RawQuery != "" {
		to += "?" + c.URL.RawQuery
	}
	return nil, &failure{status: http.StatusFound, message: "Found", location: to}
}

// getSource answers a file as it is, a directory as a list, and with
// format=meta what is known of either.
func (s *Server) getSource(c *call) (object, error) {
	r, err := s.repository(c)
	if err != nil {
		return nil, err
	}
	at, err := r.commit(c.vars[2])
	if err != nil {
		return nil, err
	}
	// A trailing slash makes it a directory; the root has nothing before it.
	directory, slash := strings.CutSuffix(c.vars[3], "/")
	files, d := r.tree(at), drawing{c.base()}
	f, isFile := files[directory]
	meta := c.URL.Query().Get("format") == "meta"
	switch {
	case isFile && !slash && meta:
		return d.entry(r, at, entry{directory, &f}), nil
	case isFile && !slash:
		return nil, c.give(directory, f)
	}
	depth, err := s.depth(c)
	if err != nil {
		return nil, err
	}
	rows, ok := files.list(directory, depth)
	switch {
	case !ok:
		return nil, noFile(c.vars[3])
	case meta:
		return d.entry(r, at, entry{path: directory}), nil
	}
	// Whatever the other lists do, this one has cursors.
	return listIn(c, pagingOf(true), rows, entryFields, func(e entry) object {
		return d.entry(r, at, e)
	})
}

func noFile(path string) error {
	return &failure{status: http.StatusNotFound, message: "No such file or directory: " + path}
}

// depth reads max_depth. One that is too large takes the server too long.
func (s *Server) depth(c *call) (int, error) {
	text := c.URL.Query().Get("max_depth")
	if text == "" {
		return 1, nil
	}
	depth, err := strconv.Atoi(text)
	if err != nil || depth < 1 {
		return 0, badRequest("Invalid max_depth")
	}
	if most := s.options.DepthLimit; most > 0 && depth > most {
		return 0, &failure{status: statusTimedOut, message: timedOut}
	}
	return depth, nil
}

// give answers the bytes of a file. The content type is that of its name, the
// tag that of its content, wherever the file is. Neither If-None-Match nor Range
// changes the answer: the real service does not promise that they do.
func (c *call) give(name string, f File) error {
	if f.LFS {
		return &failure{
			status: http.StatusMovedPermanently, message: "Moved permanently",
			location: "https://api.media.atlassian.com/file/" + strings.Trim(uuid("lfs", f.blob()), "{}") + "/binary?token=sample",
		}
	}
	c.raw = newRaw(cmp.Or(mimetype(name), "application/octet-stream"), f.raw())
	c.raw.header.Set("ETag", fmt.Sprintf("%q", f.mode()+f.blob()))
	c.raw.header.Set("Content-Disposition", mime.FormatMediaType("attachment", map[string]string{"filename": path.Base(name)}))
	c.raw.header.Set("X-Content-Type-Options", "nosniff")
	return nil
}

// mimetypes are some of those the real service knows, its odd ones too. What
// it does not know, Markdown and Go for two, has none.
var mimetypes = map[string]string{
	".css": "text/css", ".csv": "text/csv", ".gif": "image/gif", ".html": "text/html", ".ico": "image/x-icon",
	".java": "text/x-java", ".js": "text/javascript", ".json": "application/json", ".pdf": "application/pdf",
	".png": "image/png", ".py": "text/x-python", ".sh": "application/x-sh", ".svg": "image/svg+xml",
	".ts": "text/vnd.trolltech.linguist", ".txt": "text/plain", ".xml": "text/xml", ".zip": "application/zip",
}

func mimetype(name string) string { return mimetypes[strings.ToLower(path.Ext(name))] }

// entryFields are what q and sort may name.
var entryFields = fields[entry]{
	"path": {text, func(e entry) any { return e.path }},
	"type": {text, func(e entry) any { return e.kind() }},
}

func (e entry) kind() string {
	if e.file == nil {
		return "commit_directory"
	}
	return "commit_file"
}

// entry is a row of a listing, and what format=meta gives.
func (d drawing) entry(r *repository, c *commit, e entry) object {
	if e.file != nil {
		return d.file(r, c, e.path, *e.file)
	}
	self := d.source(r, c, e.path)
	if e.path != "" {
		self += "/"
	}
	return object{
		"type": e.kind(), "path": e.path,
		"commit": lazy(func() object { return d.parent(r, c.hash) }),
		"links":  object{"self": href(self), "meta": href(self + "?format=meta")},
	}
}

func (d drawing) file(r *repository, c *commit, name string, f File) object {
	self := d.source(r, c, name)
	return object{
		"type": "commit_file", "path": name, "escaped_path": quoted(name),
		"size": len(f.raw()), "attributes": f.attributes(), "mimetype": orNull(mimetype(name)),
		"commit": lazy(func() object { return d.parent(r, c.hash) }),
		"links": object{
			"self": href(self), "meta": href(self + "?format=meta"),
			"history": href(d.base + "/repositories/" + r.fullName() + "/filehistory/" + c.hash + "/" + escaped(name)),
		},
	}
}

func (d drawing) source(r *repository, c *commit, name string) string {
	return d.base + "/repositories/" + r.fullName() + "/src/" + c.hash + "/" + escaped(name)
}

// escaped is a path in a URL.
func escaped(name string) string {
	segments := strings.Split(name, "/")
	for i := range segments {
		segments[i] = url.PathEscape(segments[i])
	}
	return strings.Join(segments, "/")
}

// quoted is a path as git writes it in a diff: in quotes with octal escapes if
// it holds anything but plain ASCII.
func quoted(name string) string {
	plain := func(c byte) bool { return c >= ' ' && c < 0x7f && c != '"' && c != '\\' }
	if !slices.ContainsFunc([]byte(name), func(c byte) bool { return !plain(c) }) {
		return name
	}
	var b strings.Builder
	b.WriteByte('"')
	for _, c := range []byte(name) {
		switch i := strings.IndexByte("\a\b\t\n\v\f\r\"\\", c); {
		case i >= 0:
			b.WriteString(`\` + `abtnvfr"\`[i:i+1])
		case plain(c):
			b.WriteByte(c)
		default:
			fmt.Fprintf(&b, `\%03o`, c)
		}
	}
	b.WriteByte('"')
	return b.String()
}
