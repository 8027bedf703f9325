package sample

import (
	"net/url"
	"strings"
	"time"
)

// precise is the time format of pipelines.
func precise(t time.Time) string { return t.UTC().Format("2006-01-02T15:04:05.000Z") }

func (d drawing) pipeline(r *repository, p *Pipeline) object {
	inside := "https://bitbucket-pipelines.prod.public.atl-paas.net/rest/1.0/accounts/" +
		url.PathEscape(r.workspace.uuid) + "/repositories/" + url.PathEscape(r.uuid) + "/pipelines/" + url.PathEscape(p.UUID)
	o := object{
		"type": "pipeline", "uuid": p.UUID, "build_number": p.Number, "run_number": 1,
		"repository": lazy(func() object { return d.repositoryInside(r) }),
		"creator":    lazy(func() object { return d.user(p.Creator) }),
		"target":     lazy(func() object { return d.pipelineTarget(r, p.Target) }),
		"trigger":    object{"type": "pipeline_trigger_" + strings.ToLower(p.Trigger), "name": p.Trigger},
		"state":      p.draw(d),
		"created_on": precise(p.CreatedOn),

		"build_seconds_used": p.buildSeconds(), "duration_in_seconds": 0,
		"first_successful": false, "expired": p.Result == "EXPIRED",
		"has_variables": len(p.Variables) > 0, "variables": p.variables(),
		"configuration_sources": []any{object{
			"source": r.uuid, "uri": d.base + "/repositories/" + r.fullName() + "/src/" + p.Target.Hash + "/bitbucket-pipelines.yml",
		}},
		"links": object{"self": href(inside), "steps": href(inside + "/steps")},
	}
	if !p.CompletedOn.IsZero() {
		o["completed_on"] = precise(p.CompletedOn)
		o["duration_in_seconds"] = int(p.CompletedOn.Sub(p.CreatedOn).Seconds())
	}
	return o
}

func (p *Pipeline) buildSeconds() int {
	sum := 0
	for _, t := range p.Steps {
		sum += t.seconds()
	}
	return sum
}

func (t Step) seconds() int {
	if t.CompletedOn.IsZero() || t.StartedOn.IsZero() {
		return 0
	}
	return int(t.CompletedOn.Sub(t.StartedOn).Seconds())
}

// draw is the state. What state, stage and result are called is in their types
// too.
func (p *Pipeline) draw(d drawing) object {
	kind := "pipeline_state_" + strings.ToLower(p.State)
	o := object{"type": kind, "name": p.State}
	switch p.State {
	case "IN_PROGRESS":
		o["stage"] = object{"type": kind + "_" + strings.ToLower(p.Stage), "name": p.Stage}
	case "COMPLETED":
		result := object{"type": kind + "_" + strings.ToLower(p.Result), "name": p.Result}
		if p.Result == "STOPPED" {
			result["terminator"] = d.user(p.Creator)
		}
		if p.Result == "ERROR" {
			result["error"] = object{"type": "pipeline_error", "key": "plan-service.parse.error", "message": p.Error}
		}
		o["result"] = result
	}
	return o
}

func (p *Pipeline) variables() []any {
	variables := []any{}
	for _, v := range p.Variables {
		o := object{
			"type": "pipeline_variable", "uuid": uuid("variable", p.UUID+v.Key), "key": v.Key, "secured": v.Secured,
		}
		if !v.Secured {
			o["value"] = v.Value
		}
		variables = append(variables, o)
	}
	return variables
}

func (d drawing) pipelineTarget(r *repository, t Target) object {
	selector := object{"type": t.Selector.Type}
	if t.Selector.Pattern != "" {
		selector["pattern"] = t.Selector.Pattern
	}
	o := object{"type": "pipeline_commit_target", "commit": d.parent(r, t.Hash), "selector": selector}
	switch {
	case t.PullRequest != 0:
		o["type"] = "pipeline_pullrequest_target"
		o["source"], o["destination"] = t.Source, t.Destination
		o["destination_commit"] = d.short(r, t.DestinationHash)
		o["pullrequest"] = object{"type": "pullrequest", "id": t.PullRequest}
		if p := r.pullRequest(t.PullRequest); p != nil {
			o["pullrequest"] = d.pullRequestInside(p)
		}
	case t.RefName != "":
		o["type"] = "pipeline_ref_target"
		o["ref_type"], o["ref_name"] = t.RefType, t.RefName
	}
	return o
}

func (d drawing) step(p *Pipeline, t Step) object {
	o := object{
		"type": "pipeline_step", "uuid": t.UUID, "name": t.Name, "run_number": t.RunNumber, "maxTime": 120,
		"pipeline":           object{"type": "pipeline", "uuid": p.UUID},
		"image":              object{"name": t.Image},
		"state":              t.draw(),
		"trigger":            object{"type": "pipeline_step_trigger_automatic"},
		"script_commands":    commands("user", t.Script),
		"setup_commands":     commands("user", []string{"umask 000", "git reset --hard " + p.Target.Hash}),
		"teardown_commands":  []any{object{"commandType": "system", "action": "PROCESS_TEST_REPORTS", "command": "echo \"Processing test reports\"", "name": "Process Test Reports"}},
		"build_seconds_used": t.seconds(), "duration_in_seconds": t.seconds(),
	}
	if !t.StartedOn.IsZero() {
		o["started_on"] = precise(t.StartedOn)
	}
	if !t.CompletedOn.IsZero() {
		o["completed_on"] = precise(t.CompletedOn)
	}
	if t.Log != nil {
		o["log_byte_count"] = len(t.Log)
	}
	return o
}

func (t Step) draw() object {
	kind := "pipeline_step_state_" + strings.ToLower(t.State)
	o := object{"type": kind, "name": t.State}
	if t.State == "COMPLETED" {
		o["result"] = object{"type": kind + "_" + strings.ToLower(t.Result), "name": t.Result}
	}
	return o
}

func commands(kind string, lines []string) []any {
	all := []any{}
	for _, line := range lines {
		all = append(all, object{"commandType": kind, "command": line, "name": line})
	}
	return all
}
