package sample

import "strings"

// selection is what the fields parameter asks for. Plain names leave only
// themselves; names with - are taken out, names with + are put (back) in. A
// name that nothing bears is dropped without a word.
type selection struct {
	plain           bool
	only, out, back *tree
}

// tree is a set of dotted paths. A whole node stands for all below it.
type tree struct {
	whole bool
	below map[string]*tree
}

func parseSelection(text string) selection {
	s := selection{only: &tree{}, out: &tree{}, back: &tree{}}
	for name := range strings.SplitSeq(text, ",") {
		switch {
		case strings.HasPrefix(name, "-"):
			s.out.add(name[1:])
		case strings.HasPrefix(name, "+"):
			s.back.add(name[1:])
		default:
			// A + that was not escaped comes as a space and makes a name
			// that nothing bears, here as on the real service.
			s.plain = true
			s.only.add(name)
		}
	}
	return s
}

func (t *tree) add(path string) {
	for name := range strings.SplitSeq(path, ".") {
		if t.below == nil {
			t.below = map[string]*tree{}
		}
		if t.below[name] == nil {
			t.below[name] = &tree{}
		}
		t = t.below[name]
	}
	t.whole = true
}

// under returns the node for a key, where * stands for every key.
func (t *tree) under(key string) *tree {
	star, named := t.below["*"], t.below[key]
	if named == nil || star != nil && star.whole {
		return star
	}
	return named
}

// lazy is a part of an object that is drawn only if it is asked for. Most lists
// ask for a name or two, and drawing the rest would be most of the work.
type lazy func() object

// settle draws every lazy part that is left, in place.
func settle(v any) any {
	switch v := v.(type) {
	case lazy:
		return settle(v())
	case object:
		for key, value := range v {
			v[key] = settle(value)
		}
	case []any:
		for i, value := range v {
			v[i] = settle(value)
		}
	}
	return v
}

// shape returns what the fields parameter leaves of a body, all of it drawn.
func shape(body object, fields string) object {
	if fields == "" {
		settle(body)
		return body
	}
	return parseSelection(fields).apply(body)
}

func (s selection) apply(body object) object {
	var v any
	if s.plain {
		v = s.only.pick(body)
	} else {
		v = settle(body)
	}
	v = s.out.cut(v)
	if s.back.below != nil {
		v = merge(v, s.back.pick(body))
	}
	return v.(object)
}

// pick returns what the tree names, and nothing for a path that leads into a
// plain value. A null on the way stays null. Lists are looked into.
func (t *tree) pick(v any) any {
	if t.whole {
		return settle(v)
	}
	switch v := v.(type) {
	case lazy:
		return t.pick(v())
	case object:
		o := object{}
		for key, value := range v {
			if below := t.under(key); below != nil && below.reaches(value) {
				o[key] = below.pick(value)
			}
		}
		return o
	case []any:
		l := make([]any, len(v))
		for i, value := range v {
			l[i] = t.pick(value)
		}
		return l
	}
	return v
}

func (t *tree) reaches(v any) bool {
	switch v.(type) {
	case lazy, object, []any, nil:
		return true
	}
	return t.whole
}

// cut returns v without what the tree names.
func (t *tree) cut(v any) any {
	switch v := v.(type) {
	case object:
		o := object{}
		for key, value := range v {
			below := t.under(key)
			switch {
			case below == nil:
				o[key] = value
			case !below.whole:
				o[key] = below.cut(value)
			}
		}
		return o
	case []any:
		l := make([]any, len(v))
		for i, value := range v {
			l[i] = t.cut(value)
		}
		return l
	}
	return v
}

// merge joins two parts of one value.
func merge(a, b any) any {
	switch a := a.(type) {
	case object:
		if b, ok := b.(object); ok {
			for key, value := range b {
				if have, ok := a[key]; ok {
					value = merge(have, value)
				}
				a[key] = value
			}
			return a
		}
	case []any:
		if b, ok := b.([]any); ok && len(a) == len(b) {
			for i := range a {
				a[i] = merge(a[i], b[i])
			}
			return a
		}
	}
	return b
}
