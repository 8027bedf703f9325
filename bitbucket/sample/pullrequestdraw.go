package sample

import (
	"cmp"
	"fmt"
	"strings"
)

// pullRequest is the whole object.
func (d drawing) pullRequest(p *pullRequest) object {
	o := d.pullRequestRow(p)
	o["rendered"] = lazy(func() object {
		return object{"title": rendered(p.Title), "description": rendered(p.Description), "reason": rendered(p.Reason)}
	})
	o["reviewers"] = d.reviewers(p)
	o["participants"] = d.participants(p)
	return o
}

// listedPullRequest is a row of a list, in which people are named only if the
// client asks for them.
func (d drawing) listedPullRequest(p *pullRequest, fields string) object {
	o := d.pullRequestRow(p)
	if strings.Contains(fields, "values.reviewers") {
		o["reviewers"] = d.reviewers(p)
	}
	if strings.Contains(fields, "values.participants") {
		o["participants"] = d.participants(p)
	}
	return o
}

func (d drawing) pullRequestRow(p *pullRequest) object {
	o := d.pullRequestInside(p)
	o["description"] = p.Description
	o["summary"] = rendered(p.Description)
	o["state"] = p.State
	o["reason"] = p.Reason
	o["draft"] = p.Draft
	o["queued"] = p.Queued
	o["author"] = lazy(func() object { return d.user(p.Author) })
	o["source"] = lazy(func() object { return d.end(p.source, p.SourceBranch, p.sourceHash()) })
	o["destination"] = lazy(func() object { return d.end(p.within, p.DestinationBranch, p.destinationHash()) })
	o["close_source_branch"] = p.CloseSourceBranch
	o["comment_count"] = p.commentCount()
	o["task_count"] = p.openTasks()
	o["created_on"] = stamp(p.CreatedOn)
	o["updated_on"] = stamp(p.UpdatedOn)
	o["links"] = lazy(func() object { return d.pullRequestLinks(p) })
	o["merge_commit"], o["closed_by"] = nil, nil
	if p.State == Merged {
		o["merge_commit"] = d.short(p.within, cmp.Or(p.MergeHash, p.destinationHash()))
	}
	if p.State != Open {
		o["closed_by"] = d.user(cmp.Or(p.ClosedBy, p.Author))
	}
	return o
}

// pullRequestInside is the shorter form that comments carry.
func (d drawing) pullRequestInside(p *pullRequest) object {
	return object{
		"type": "pullrequest", "id": p.ID, "title": p.Title, "draft": p.Draft,
		"links": object{"self": href(d.ofPullRequest(p)), "html": href(p.page())},
	}
}

func (d drawing) ofPullRequest(p *pullRequest) string {
	return fmt.Sprintf("%s/repositories/%s/pullrequests/%d", d.base, p.within.fullName(), p.ID)
}

func (p *pullRequest) page() string {
	return fmt.Sprintf("%s%s/pull-requests/%d", site, p.within.fullName(), p.ID)
}

// end is the source or the destination. The repository is null when it was
// deleted; branch and commit are still there then.
func (d drawing) end(r *repository, branch, hash string) object {
	o := object{"branch": object{"name": branch}, "repository": nil, "commit": d.short(r, hash)}
	if r.deleted() {
		o["commit"].(object)["links"] = object{}
	} else {
		o["repository"] = d.repositoryInside(r)
	}
	return o
}

// short is a commit as pull requests name it, by 12 digits.
func (d drawing) short(r *repository, hash string) object {
	return d.parent(r, abbreviated(hash))
}

func abbreviated(hash string) string { return hash[:min(12, len(hash))] }

func (d drawing) pullRequestLinks(p *pullRequest) object {
	links := d.pullRequestInside(p)["links"].(object)
	links["diff"] = href(d.difference(p, "diff"))
	links["diffstat"] = href(d.difference(p, "diffstat"))
	for _, name := range []string{
		"activity", "approve", "comments", "commits", "decline", "merge", "request-changes", "statuses",
	} {
		links[name] = href(d.ofPullRequest(p) + "/" + name)
	}
	return links
}

// difference is where the diff of a pull request is, of either kind. Of a fork
// that was deleted the repository itself has the commits.
func (d drawing) difference(p *pullRequest, kind string) string {
	source := p.source
	if source.deleted() {
		source = p.within
	}
	return fmt.Sprintf("%s/repositories/%s/%s/%s:%s%%0D%s?from_pullrequest_id=%d",
		d.base, p.within.fullName(), kind,
		source.fullName(), abbreviated(p.sourceHash()), abbreviated(p.destinationHash()), p.ID)
}

func (d drawing) reviewers(p *pullRequest) []any {
	reviewers := []any{}
	for _, somebody := range p.Participants {
		if somebody.Reviewer {
			reviewers = append(reviewers, d.user(somebody.Name))
		}
	}
	return reviewers
}

func (d drawing) participants(p *pullRequest) []any {
	participants := []any{}
	for _, somebody := range p.Participants {
		o := object{
			"type": "participant", "user": d.user(somebody.Name), "role": "PARTICIPANT",
			"approved": somebody.State == "approved", "state": orNull(somebody.State), "participated_on": nil,
		}
		if somebody.Reviewer {
			o["role"] = "REVIEWER"
		}
		if somebody.State != "" {
			o["participated_on"] = stamp(p.UpdatedOn)
		}
		participants = append(participants, o)
	}
	return participants
}

func (d drawing) pullRequestCommit(r *repository, c *commit) object {
	o := d.target(r, c)
	o["summary"] = rendered(c.Message)
	o["rendered"] = object{"message": rendered(c.Message)}
	return o
}
