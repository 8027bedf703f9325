package server

import "encoding/json"

// The functions of this file take JSON apart that json.Valid has found valid,
// without losing repeated keys and without copying. On anything else they may
// panic.

// A member is one key of an object and its value, as they stand.
type member struct {
	key   string
	value json.RawMessage
}

func find(members []member, key string) json.RawMessage {
	for _, m := range members {
		if m.key == key {
			return m.value
		}
	}
	return nil
}

// members splits an object.
func members(object []byte) []member {
	var list []member
	eachMember(object, 0, func(key string, at int) int {
		end := skipValue(object, at)
		list = append(list, member{key, object[at:end:end]})
		return end
	})
	return list
}

// eachMember calls visit for each member of the object that begins at i, with
// the place of its value; visit returns where the value ends. It returns where
// the object ends.
func eachMember(raw []byte, i int, visit func(key string, at int) int) int {
	i = skipSpace(raw, i+1)
	for raw[i] != '}' {
		end := skipString(raw, i)
		var key string
		if json.Unmarshal(raw[i:end], &key) != nil {
			panic("not valid JSON")
		}
		i = skipSpace(raw, end)
		i = skipSpace(raw, i+1) // the colon
		if i = skipSpace(raw, visit(key, i)); raw[i] == ',' {
			i = skipSpace(raw, i+1)
		}
	}
	return i + 1
}

func skipSpace(raw []byte, i int) int {
	for raw[i] == ' ' || raw[i] == '\t' || raw[i] == '\n' || raw[i] == '\r' {
		i++
	}
	return i
}

func skipString(raw []byte, i int) int {
	for i++; raw[i] != '"'; i++ {
		if raw[i] == '\\' {
			i++
		}
	}
	return i + 1
}

// skipValue returns where the value that begins at i ends.
func skipValue(raw []byte, i int) int {
	switch raw[i] {
	case '"':
		return skipString(raw, i)
	case '{', '[':
		open := 0
		for {
			switch raw[i] {
			case '"':
				i = skipString(raw, i) - 1
			case '{', '[':
				open++
			case '}', ']':
				open--
			}
			if i++; open == 0 {
				return i
			}
		}
	}
	for i < len(raw) && !isEnd(raw[i]) {
		i++
	}
	return i
}

// isEnd reports whether a number, true, false or null ends before c.
func isEnd(c byte) bool {
	switch c {
	case ',', '}', ']', ' ', '\t', '\n', '\r':
		return true
	}
	return false
}

// depth returns how deep the brackets of a message nest. It takes anything,
// valid or not: a parser would have to descend first.
func depth(raw []byte) int {
	deepest, open, inString := 0, 0, false
	for i := 0; i < len(raw); i++ {
		switch c := raw[i]; {
		case inString && c == '\\':
			i++
		case c == '"':
			inString = !inString
		case inString:
		case c == '{' || c == '[':
			open++
			deepest = max(deepest, open)
		case c == '}' || c == ']':
			open--
		}
	}
	return deepest
}
