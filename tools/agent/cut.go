package agent

import (
	"bucketgate/bitbucket"
	"bucketgate/policy"
	"bucketgate/tools"
)

// cut keeps as many rows of a list as an answer may hold, and says where the
// list goes on. shell is the answer without its rows.
func cut[Row, Found any](call *tools.Call, rows []Row, found joined[Found], shell any) (kept []Row, cursor, notice string) {
	longest := ""
	if found.next != nil {
		longest = call.SealPlace(*found.next)
	} else if len(found.at) > 0 {
		longest = call.SealPlace(found.at[len(found.at)-1])
	}
	shown := tools.Fit(rows, tools.MaxAnswer, []any{shell, longest, tools.MoreNotice})
	switch {
	case shown < len(rows):
		return rows[:shown], call.SealPlace(found.at[shown]), tools.MoreNotice
	case found.next != nil:
		return rows, longest, tools.MoreNotice
	case len(rows) == 0:
		return []Row{}, "", call.EmptyNotice()
	}
	return rows, "", ""
}

// pinnedAt are the rows of one list that was read at a commit: it goes on at
// the same.
func pinnedAt[Row any](commit policy.Commit, page bitbucket.Page[Row]) joined[Row] {
	at := func(p bitbucket.Position) tools.Place { return tools.Place{Position: p, Commit: commit.Hash()} }
	found := joined[Row]{rows: page.Rows, at: drawn(page.At, at)}
	if page.Next != nil {
		next := at(*page.Next)
		found.next = &next
	}
	return found
}

// drawn draws rows. There is always a list, and be it empty.
func drawn[Found, Row any](found []Found, draw func(Found) Row) []Row {
	rows := make([]Row, len(found))
	for i, f := range found {
		rows[i] = draw(f)
	}
	return rows
}
