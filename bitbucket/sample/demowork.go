package sample

import (
	"fmt"
	"strings"
	"time"
)

// demoWork adds pull requests and pipelines to the repository duplocloud, and a
// fork of it in another workspace. With a scope that allows main, develop and
// release/.* there is something of each kind: inside, with one end outside,
// from a fork, and outside altogether.
func (s *Server) demoWork() {
	const acme, slug = "acme", "duplocloud"
	r := s.lookUp(acme, slug)
	s.AddWorkspace(Workspace{Slug: "northwind", Name: "Northwind (sample data)"})
	s.plant(Repository{
		Workspace: "northwind", Name: "Duplocloud", Description: "A partner's fork (sample data).", Language: r.Language,
		DefaultBranch: "main", ParentFullName: r.fullName(),
		CreatedOn: r.UpdatedOn.AddDate(0, -1, 0), UpdatedOn: r.UpdatedOn,
	}, []string{"main", "fix/typo-in-runbook"})
	for i, p := range demoPullRequests(r) {
		p.CreatedOn = r.UpdatedOn.Add(time.Duration(i-len(demoTitles)) * 26 * time.Hour)
		p.UpdatedOn = p.CreatedOn.Add(5 * time.Hour)
		p.Title = demoTitles[i]
		_, err := s.AddPullRequest(acme, slug, p)
		must(err)
	}
	s.demoTalk(acme, slug)
	for i, p := range demoPipelines() {
		p.CreatedOn = r.UpdatedOn.Add(time.Duration(i-10) * 47 * time.Minute)
		_, err := s.AddPipeline(acme, slug, p)
		must(err)
	}
	release, err := s.Head(acme, slug, "release/2.4")
	must(err)
	for _, status := range []BuildStatus{
		{Key: "BUILD", Name: "Build and test", Description: "All steps passed", URL: "https://ci.acme.example/builds/2041"},
		{Key: "LICENSES", Name: "License scan", Description: "Two packages to look at", State: "FAILED", URL: "https://ci.acme.example/scans/77"},
	} {
		status.Hash, status.RefName = release, "release/2.4"
		must(s.AddStatus(acme, slug, status))
	}
}

var demoTitles = []string{
	"Set up the pipeline",
	"Release 2.4",
	"Start faster: read the catalog lazily",
	"Fix a typo in the runbook",
	"Rewrite the login form",
	"Try the new form against develop",
}

// demoPullRequests belong to the titles in turn.
func demoPullRequests(r *repository) []PullRequest {
	main := r.branches[r.branchIndex("main")].head
	return []PullRequest{
		{
			SourceBranch: "feature/pipeline", SourceHash: main.hash, DestinationHash: main.Parents[0],
			State: Merged, MergeHash: main.hash, Author: "Ada Example", ClosedBy: "Ben Example", CloseSourceBranch: true,
			Description:  "Builds and tests on every push.",
			Participants: []Participant{{"Ben Example", true, "approved"}},
		},
		{
			SourceBranch: "release/2.4", Author: "Dana Example",
			Description:  "Everything that goes into 2.4.\n\n* faster start\n* the fix of 2.4.1\n",
			Participants: []Participant{{"Ada Example", true, "approved"}, {"Chris Example", true, "changes_requested"}, {"Ben Example", false, ""}},
		},
		{
			SourceBranch: "feature/faster-start", DestinationBranch: "develop", Author: "Chris Example",
			Description:  "Saves two seconds. Measured on my machine.",
			Participants: []Participant{{"Ada Example", true, ""}},
		},
		{
			SourceRepository: "northwind/duplocloud", SourceBranch: "fix/typo-in-runbook", DestinationBranch: "develop",
			Author: "Nora Sample", Description: "Found while reading.",
		},
		{
			SourceBranch: "feature/login-form", State: Declined, Reason: "Too large: please split it.",
			Author: "Ben Example", ClosedBy: "Ada Example",
		},
		{SourceBranch: "develop", DestinationBranch: "feature/login-form", Author: "Ben Example", Draft: true},
	}
}

// demoTalk adds comments and tasks to the pull request of the release.
func (s *Server) demoTalk(workspace, slug string) {
	const release = 2
	first, err := s.AddComment(workspace, slug, release, Comment{
		Author: "Chris Example", Text: "Is the changelog complete?", Inline: &Inline{Path: "README.md", To: 3},
	})
	must(err)
	_, err = s.AddComment(workspace, slug, release, Comment{Author: "Dana Example", Text: "One entry is missing, I will add it.", Parent: first})
	must(err)
	_, err = s.AddComment(workspace, slug, release, Comment{Author: "Ada Example", Text: "Looks good otherwise. 👍"})
	must(err)
	_, err = s.AddTask(workspace, slug, release, Task{Creator: "Chris Example", Text: "Complete the changelog", Comment: first})
	must(err)
	_, err = s.AddTask(workspace, slug, release, Task{Creator: "Ada Example", Text: "Announce the release", ResolvedBy: "Dana Example"})
	must(err)
}

func demoPipelines() []Pipeline {
	build := Step{Name: "Build", Image: "golang:1.26", Script: []string{"go build ./..."}, Log: []byte(demoBuildLog)}
	test := Step{Name: "Test", Image: "golang:1.26", Script: []string{"go vet ./...", "go test ./..."}, Log: demoTestLog(false)}
	failed := test
	failed.Result, failed.Log = "FAILED", demoTestLog(true)
	deploy := Step{Name: "Deploy to staging", Script: []string{"./deploy.sh staging"}}
	skipped := deploy
	skipped.Result = "NOT_RUN"
	running := test
	running.State, running.Log = "IN_PROGRESS", running.Log[:len(running.Log)/3]
	waiting := deploy
	waiting.State = "PENDING"
	return []Pipeline{
		{Target: Target{RefName: "main"}, Creator: "Ada Example", Steps: []Step{build, test}},
		{Target: Target{RefName: "feature/faster-start"}, Creator: "Chris Example", Steps: []Step{build, test}},
		{
			Target: Target{RefName: "develop"}, Result: "FAILED", Creator: "Ben Example", Steps: []Step{build, failed, skipped},
			Variables: []Variable{{"DEPLOY_TARGET", "staging", false}, {"DEPLOY_TOKEN", demoSecret, true}},
		},
		{Target: Target{PullRequest: 2, Selector: Selector{"pull-requests", "**"}}, Creator: "Dana Example", Steps: []Step{build, test}},
		{
			Target:  Target{RefName: "release/2.4", Selector: Selector{"custom", "deploy-staging"}},
			Trigger: "MANUAL", Result: "STOPPED", Creator: "Dana Example", Steps: []Step{build},
		},
		{Target: Target{RefName: "main"}, State: "IN_PROGRESS", Creator: "Ada Example", Steps: []Step{build, running, waiting}},
	}
}

// demoSecret looks like something that nobody should see, and opens nothing.
const demoSecret = "ATBB-sample-data-this-is-no-secret-0000"

const demoBuildLog = "+ umask 000\n+ go build ./...\n\x1b[32mBuild succeeded\x1b[0m\n"

// demoTestLog has some hundred lines, colors as terminals know them, and, where
// the test fails, a line that prints its environment, as happens.
func demoTestLog(failed bool) []byte {
	var b strings.Builder
	b.WriteString("+ go vet ./...\n+ go test ./...\n")
	for i := range 280 {
		fmt.Fprintf(&b, "=== RUN   TestCatalog/case_%03d\n", i)
		if failed && i == 211 {
			b.WriteString("    catalog_test.go:88: connecting to staging: 401 Unauthorized\n" +
				"    catalog_test.go:89: environment: DEPLOY_TARGET=staging DEPLOY_TOKEN=" + demoSecret + "\n")
		}
	}
	if failed {
		b.WriteString("\x1b[31m--- FAIL: TestCatalog/case_211\x1b[0m\nFAIL\tacme.example/duplocloud/catalog\t2.114s\nFAIL\n")
	} else {
		b.WriteString("\x1b[32mok\x1b[0m  \tacme.example/duplocloud/catalog\t2.021s\n")
	}
	return []byte(b.String())
}
