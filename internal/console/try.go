package console

import (
	"bytes"
	"encoding/json"
	"net/http"
	"strings"
	"time"

	"bucketgate/internal/audit"
	"bucketgate/internal/manage"
)

// What can be tried: the guide's ticket asks for a repository or its branches.
const (
	askRepository = "get_repo"
	askBranches   = "list_branches"
)

type tryView struct {
	frame
	Scope, Repository, Ask field
	Answer                 *tryAnswer // nil before something was asked
}

// A tryAnswer is what an agent gets, as it is and as a table.
type tryAnswer struct {
	Scope, Tool, Repository string
	Raw                     string // the very answer, indented for reading

	Summary    string
	Facts      []fact // of a repository
	URL        string // its page, where that is https
	Branches   []branchRow
	ShowsTable bool

	Refused       bool
	Message, Hint string
	Why           string // from the audit log: what an agent does not learn
}

type fact struct{ Name, Value string }

type branchRow struct {
	Name, Commit, Updated string
	Default               bool
}

func (c *Console) newTryView(r *http.Request) (*tryView, error) {
	names, err := c.config.Service.ScopeNames(r.Context())
	if err != nil {
		return nil, err
	}
	view := &tryView{
		frame: frame{Title: "Try it", Nav: "try"},
		Scope: field{Name: "scope", Label: "Scope", Kind: "select", Required: true},
		Ask: field{Name: "ask", Label: "Request", Kind: "select", Options: []option{
			{askRepository, "Can you access this repository?", true}, {askBranches, "List the branches of this repository", false}}},
		Repository: field{Name: "repository", Label: "Repository", Required: true, Code: true, Hint: "A slug, workspace/slug, or the display name, as somebody would write it in a ticket."},
	}
	for i, name := range names {
		view.Scope.Options = append(view.Scope.Options, option{name, name, i == 0})
	}
	return view, nil
}

func (c *Console) tryPage(w http.ResponseWriter, r *http.Request) error {
	view, err := c.newTryView(r)
	if err != nil {
		return err
	}
	if scope := r.URL.Query().Get("scope"); scope != "" {
		view.Scope.choose(scope)
	}
	return c.show(w, r, http.StatusOK, "try", view)
}

// try is no change, and its answer is shown at once: a reload asks once more.
func (c *Console) try(w http.ResponseWriter, r *http.Request) error {
	view, err := c.newTryView(r)
	if err != nil {
		return err
	}
	if err := parse(r); err != nil {
		return err
	}
	view.Scope.choose(r.PostForm.Get("scope"))
	view.Ask.choose(r.PostForm.Get("ask"))
	view.Repository.Value = strings.TrimSpace(r.PostForm.Get("repository"))
	if wrong := view.check(); wrong != nil {
		return c.again(w, r, "try", view, wrong, &view.Scope, &view.Ask, &view.Repository)
	}
	arguments, err := json.Marshal(map[string]string{"repository": view.Repository.Value, "scope": view.Scope.Value})
	if err != nil {
		return err
	}
	began := time.Now().Add(-audit.Precision)
	raw, err := c.config.Try(r.Context(), adminOf(r).Name, view.Scope.Value, view.Ask.Value, arguments)
	if err != nil {
		return err
	}
	if view.Answer, err = readAnswer(raw); err != nil {
		return err
	}
	view.Answer.Scope, view.Answer.Tool, view.Answer.Repository = view.Scope.Value, view.Ask.Value, view.Repository.Value
	if view.Answer.Refused {
		if err := c.explain(r, view.Answer, began); err != nil {
			return err
		}
	}
	return c.show(w, r, http.StatusOK, "try", view)
}

// check says what of the form was left out. What a name may be the tools know.
func (v *tryView) check() error {
	switch {
	case !v.Scope.isChosen():
		return &manage.Refused{Words: "choose a scope", Field: "scope"}
	case !v.Ask.isChosen():
		return &manage.Refused{Words: "choose what to ask", Field: "ask"}
	case v.Repository.Value == "":
		return &manage.Refused{Words: "name a repository", Field: "repository"}
	}
	return nil
}

// explain finds in the audit log why the call was refused.
func (c *Console) explain(r *http.Request, answer *tryAnswer, began time.Time) error {
	filter := audit.Filter{Caller: adminOf(r).Name, Tool: answer.Tool, Decision: audit.Denied, Since: began}
	events, _, err := c.config.Service.AuditEvents(r.Context(), filter, 10, "")
	if err != nil {
		return err
	}
	for _, e := range events {
		if e.Target == "" || strings.Contains(e.Target, answer.Repository) {
			answer.Why = sentence(e.Reason)
			return nil
		}
	}
	return nil
}

// readAnswer reads what the page shows of an answer. The answer itself is
// shown beside it, whole.
func readAnswer(raw json.RawMessage) (*tryAnswer, error) {
	var pretty bytes.Buffer
	if err := json.Indent(&pretty, raw, "", "  "); err != nil {
		return nil, err
	}
	var read struct {
		Summary     string `json:"summary"`
		Name        string `json:"name"`
		FullName    string `json:"full_name"`
		Visibility  string `json:"visibility"`
		URL         string `json:"url"`
		Description string `json:"description"`
		Default     string `json:"default_branch"`
		Branches    []struct {
			Name    string `json:"name"`
			Commit  string `json:"commit"`
			Updated string `json:"updated_on"`
			Default bool   `json:"default"`
		} `json:"branches"`
		Error *struct{ Message, Hint string } `json:"error"`
	}
	if err := json.Unmarshal(raw, &read); err != nil {
		return nil, err
	}
	answer := &tryAnswer{Raw: pretty.String(), Summary: read.Summary}
	if read.Error != nil {
		answer.Refused, answer.Message, answer.Hint = true, read.Error.Message, read.Error.Hint
		return answer, nil
	}
	answer.ShowsTable = read.FullName != ""
	for _, f := range []fact{{"Name", read.Name}, {"Full name", read.FullName}, {"Visibility", read.Visibility}, {"Default branch", read.Default}, {"Description", read.Description}} {
		if f.Value != "" {
			answer.Facts = append(answer.Facts, f)
		}
	}
	if strings.HasPrefix(read.URL, "https://") {
		answer.URL = read.URL
	}
	for _, b := range read.Branches {
		answer.Branches = append(answer.Branches, branchRow(b))
	}
	return answer, nil
}
