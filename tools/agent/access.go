package agent

import (
	"context"
	"fmt"
	"strings"

	"bucketgate/policy"
	"bucketgate/tools"
)

type myAccessInput struct{}

type myAccessOutput struct {
	Summary string        `json:"summary"`
	Scopes  []accessScope `json:"scopes"`
}

type accessScope struct {
	Scope        string   `json:"scope"`
	Workspace    string   `json:"workspace"`
	Repositories string   `json:"repositories"`
	Branches     string   `json:"branches"`
	Actions      []string `json:"actions"`
}

func myAccess() tools.Tool {
	return tools.Define(tools.Tool{
		Name:        "my_access",
		Title:       "What may I reach?",
		Description: "Tells your scopes in plain words: which repositories and branches you may reach, and what you may do there. Use it when something was not found or refused. Asks Bitbucket nothing.",
		Action:      policy.NoAction,
	}, func(_ context.Context, call *tools.Call, _ myAccessInput) (myAccessOutput, error) {
		out := myAccessOutput{Scopes: []accessScope{}}
		var words []string
		for _, a := range call.Access() {
			scope := accessScope{Scope: a.Scope, Workspace: a.Workspace, Repositories: a.Repositories, Branches: a.Branches}
			for _, action := range a.Actions {
				scope.Actions = append(scope.Actions, string(action))
			}
			out.Scopes = append(out.Scopes, scope)
			words = append(words, accessWords(a))
		}
		out.Summary = strings.Join(words, " ")
		if len(words) == 0 {
			out.Summary = "You hold no scope, so that nothing can be reached. An admin can grant one."
		}
		return out, nil
	})
}

// accessWords tells the rules of one scope.
func accessWords(a policy.Access) string {
	actions := make([]string, len(a.Actions))
	for i, action := range a.Actions {
		actions[i] = string(action)
	}
	return fmt.Sprintf("Through scope %s you may %s in workspace %s: %s; %s.",
		a.Scope, strings.Join(actions, ", "), a.Workspace, a.Repositories, a.Branches)
}
