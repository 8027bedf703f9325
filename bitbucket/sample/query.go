package sample

// kind is what a field of the q language holds.
type kind int

const (
	text kind = iota
	truth
	moment
	number
)

// fields are what q and sort may name of a row. A value is a string, a bool, a
// time.Time, an int or nil.
type fields[T any] map[string]field[T]

type field[T any] struct {
	kind  kind
	value func(T) any
}

// maxNesting bounds the parentheses of a query, and with them the stack.
const maxNesting = 50

// parseQuery reads the filter language of the q parameter:
//
//	query      = and { "OR" and }
//	and        = term { "AND" term }
//	term       = "(" query ")" | field operator literal
//	operator   = "=" | "!=" | "~" | "!~" | ">" | ">=" | "<" | "<="
//	literal    = "quoted \" text" | true | false | null | date | whole number
//
// It returns what tells the rows that match. It never panics, whatever it is
// given, and the words of an error are those for the client.
func parseQuery[T any](q string, f fields[T]) (func(T) bool, error) {
	tokens, err := scan(q)
	if err != nil {
		return nil, err
	}
	p := &parser[T]{tokens: tokens, fields: f}
	keep, err := p.query(0)
	if err != nil {
		return nil, err
	}
	if t := p.next(); t.kind != endToken {
		return nil, t.unexpected()
	}
	return keep, nil
}

type parser[T any] struct {
	tokens []token // the last one is always an endToken
	fields fields[T]
}

func (p *parser[T]) next() token {
	t := p.tokens[0]
	if t.kind != endToken {
		p.tokens = p.tokens[1:]
	}
	return t
}

// follows takes the next token if it is the word.
func (p *parser[T]) follows(word string) bool {
	if t := p.tokens[0]; t.kind != wordToken || t.text != word {
		return false
	}
	p.next()
	return true
}

func (p *parser[T]) query(depth int) (func(T) bool, error) {
	left, err := p.and(depth)
	for err == nil && p.follows("OR") {
		var right func(T) bool
		if right, err = p.and(depth); err == nil {
			left = either(left, right)
		}
	}
	return left, err
}

func (p *parser[T]) and(depth int) (func(T) bool, error) {
	left, err := p.term(depth)
	for err == nil && p.follows("AND") {
		var right func(T) bool
		if right, err = p.term(depth); err == nil {
			left = both(left, right)
		}
	}
	return left, err
}

func either[T any](a, b func(T) bool) func(T) bool {
	return func(row T) bool { return a(row) || b(row) }
}

func both[T any](a, b func(T) bool) func(T) bool { return func(row T) bool { return a(row) && b(row) } }

func (p *parser[T]) term(depth int) (func(T) bool, error) {
	t := p.next()
	switch t.kind {
	case wordToken:
		return p.comparison(t)
	case openToken:
		if depth == maxNesting {
			return nil, badRequest("Invalid query: nested too deep at %d", t.at)
		}
		inner, err := p.query(depth + 1)
		if err != nil {
			return nil, err
		}
		if end := p.next(); end.kind != closeToken {
			return nil, end.unexpected()
		}
		return inner, nil
	}
	return nil, t.unexpected()
}

func (p *parser[T]) comparison(name token) (func(T) bool, error) {
	f, ok := p.fields[name.text]
	if !ok {
		return nil, badRequest("Field %q does not support filtering", name.text)
	}
	op := p.next()
	if op.kind != operatorToken {
		return nil, op.unexpected()
	}
	literal := p.next()
	want, err := f.kind.read(literal)
	if err != nil {
		return nil, err
	}
	if !f.kind.allows(op.text, want) {
		return nil, op.unexpected()
	}
	return func(row T) bool { return compare(f.value(row), op.text, want) }, nil
}
