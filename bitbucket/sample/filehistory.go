package sample

import "slices"

// fileVersion is a file at a commit that changed it.
type fileVersion struct {
	commit *commit
	path   string
	file   File
}

// listFileHistory answers the commits that changed a file, back through its
// renames. A commit that deleted it is left out.
func (s *Server) listFileHistory(c *call) (object, error) {
	r, err := s.repository(c)
	if err != nil {
		return nil, err
	}
	at, err := r.commit(c.vars[2])
	if err != nil {
		return nil, err
	}
	path := c.vars[3]
	if _, ok := r.file(at, path); !ok {
		return nil, noFile(path)
	}
	follow, err := flag(c.URL.Query(), "renames")
	if err != nil {
		return nil, err
	}
	d := drawing{c.base()}
	return listIn(c, pagingOf(s.options.OpaqueNext), r.versions(at, path, follow), versionFields, func(v fileVersion) object {
		o := d.file(r, v.commit, v.path, v.file)
		o["commit"] = lazy(func() object { return d.listedCommit(r, v.commit) })
		return o
	})
}

// versionFields are what q and sort may name.
var versionFields = fields[fileVersion]{
	"path":        {text, func(v fileVersion) any { return v.path }},
	"commit.date": {moment, func(v fileVersion) any { return v.commit.Date }},
}

func (r *repository) versions(from *commit, path string, follow bool) []fileVersion {
	var found []fileVersion
	for _, at := range r.log([]*commit{from}, nil) {
		f, have := r.file(at, path)
		if !have || !r.touches(at, path) {
			continue
		}
		found = append(found, fileVersion{at, path, f})
		changes := r.touched(at)
		i := slices.IndexFunc(changes, func(c change) bool { return c.renamed() && c.new.path == path })
		if follow && i >= 0 {
			path = changes[i].old.path
		}
	}
	return found
}
