package agent

import (
	"bucketgate/bitbucket"
	"bucketgate/tools"
)

// cut keeps as many rows of a page as an answer may hold, and says where the
// list goes on. shell is the answer without its rows; pin is the commit that
// the list is of, "" where it is of none.
func cut[Row, Found any](call *tools.Call, rows []Row, page bitbucket.Page[Found], shell any, pin string) (kept []Row, cursor, notice string) {
	seal := func(at bitbucket.Position) string { return call.SealPlace(tools.Place{Position: at, Commit: pin}) }
	longest := ""
	if page.Next != nil {
		longest = seal(*page.Next)
	} else if len(page.At) > 0 {
		longest = seal(page.At[len(page.At)-1])
	}
	shown := tools.Fit(rows, tools.MaxAnswer, []any{shell, longest, tools.MoreNotice})
	switch {
	case shown < len(rows):
		return rows[:shown], seal(page.At[shown]), tools.MoreNotice
	case page.Next != nil:
		return rows, longest, tools.MoreNotice
	case len(rows) == 0:
		return []Row{}, "", call.EmptyNotice()
	}
	return rows, "", ""
}

// drawn draws rows. There is always a list, and be it empty.
func drawn[Found, Row any](found []Found, draw func(Found) Row) []Row {
	rows := make([]Row, len(found))
	for i, f := range found {
		rows[i] = draw(f)
	}
	return rows
}
